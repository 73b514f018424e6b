"""The settings: what is refused, and that everything wrong is told at once."""

from datetime import timedelta

import pytest

from worker.errors import ConfigurationError
from worker.settings import load_settings


def from_environment():
    """Without a ``.env`` of the developer's."""
    return load_settings(_env_file=None)


def refusal(monkeypatch, **variables):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as refused:
        from_environment()
    return str(refused.value)


def test_the_defaults_hold_together():
    settings = from_environment()
    assert settings.beat_seconds <= settings.lease_seconds / 4
    assert settings.lease == timedelta(seconds=settings.lease_seconds)
    assert settings.job_timeout == timedelta(hours=1)


def test_every_wrong_variable_is_told_at_once_by_its_name(monkeypatch):
    told = refusal(
        monkeypatch,
        TRAWLER_SLOTS="none",
        TRAWLER_LEASE_SECONDS="0",
        TRAWLER_LOG_LEVEL="loud",
        SCRAPECREATORS_BASE_URL="ftp://example.org",
    )
    for name in ("TRAWLER_SLOTS", "TRAWLER_LEASE_SECONDS", "TRAWLER_LOG_LEVEL", "SCRAPECREATORS_BASE_URL"):
        assert f"{name}: " in told
    assert "http://" in told


def test_timers_that_do_not_fit_are_told_at_once(monkeypatch):
    # Given a beat too long for the lease, and a hard limit shorter than a slice
    told = refusal(monkeypatch, TRAWLER_BEAT_SECONDS="20", TRAWLER_SLICE_LIMIT_SECONDS="50")
    assert "TRAWLER_BEAT_SECONDS is 20" in told
    assert "TRAWLER_SLICE_LIMIT_SECONDS" in told


def test_a_beat_longer_than_a_quarter_of_the_lease_is_refused(monkeypatch):
    told = refusal(monkeypatch, TRAWLER_BEAT_SECONDS="1.01", TRAWLER_LEASE_SECONDS="4")
    assert "shorten the beat or lengthen the lease" in told
    monkeypatch.setenv("TRAWLER_BEAT_SECONDS", "1")
    assert from_environment().beat_seconds == 1


@pytest.mark.parametrize("text", ["inf", "nan", "-1", "0"])
def test_a_duration_that_is_none_is_refused(monkeypatch, text):
    assert "TRAWLER_JOB_TIMEOUT_SECONDS: " in refusal(monkeypatch, TRAWLER_JOB_TIMEOUT_SECONDS=text)


def test_unknown_variables_are_ignored_and_empty_ones_mean_the_default(monkeypatch):
    monkeypatch.setenv("TRAWLER_NO_SUCH_THING", "1")
    monkeypatch.setenv("TRAWLER_SLOTS", "")
    assert from_environment().slots == 64


def test_settings_come_from_a_dotenv_file_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("TRAWLER_SLOTS=7\nTRAWLER_PROCESSES=3\nOTHER=1\n")
    monkeypatch.setenv("TRAWLER_SLOTS", "9")
    settings = load_settings(_env_file=tmp_path / ".env")
    assert (settings.slots, settings.processes) == (9, 3)


def test_secrets_do_not_show(monkeypatch):
    monkeypatch.setenv("SCRAPECREATORS_API_KEY", "sc-secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:pg-secret@db/app")
    shown = repr(from_environment())
    assert "sc-secret" not in shown
    assert "pg-secret" not in shown
