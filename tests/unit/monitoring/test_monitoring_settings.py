"""What the settings of monitoring may say."""

import pytest

from worker.errors import ConfigurationError
from worker.settings import load_settings

DSN = "https://abc@sentry.example.com/7"


def test_all_of_it_is_off_unless_it_is_set():
    settings = load_settings(_env_file=None)
    assert settings.otlp_endpoint == ""
    assert settings.sentry_dsn.get_secret_value() == ""
    assert settings.metrics_token.get_secret_value() == ""
    assert (settings.metrics_seconds, settings.ready_seconds) == (10, 15)


def test_good_values_are_taken_and_secrets_are_not_shown():
    settings = load_settings(
        METRICS_TOKEN="0123456789abcdef", SENTRY_DSN=DSN, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318/"
    )
    assert settings.otlp_endpoint == "http://127.0.0.1:4318"
    assert "0123456789abcdef" not in repr(settings)
    assert DSN not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METRICS_TOKEN", "tiny1"),
        ("METRICS_TOKEN", "with a blank inside it"),
        ("METRICS_TOKEN", "0123456789abcdéf"),
        ("METRICS_TOKEN", "0123456789abcdef\n"),
        ("SENTRY_DSN", "https://sentry.example.com/7"),
        ("SENTRY_DSN", "abc@sentry.example.com/7"),
        ("SENTRY_DSN", "https://abc@["),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://127.0.0.1:4317"),
        ("ready_seconds", "5"),
        ("metrics_seconds", "0"),
    ],
)
def test_a_wrong_value_is_told_by_its_name_with_what_is_expected(name, value):
    with pytest.raises(ConfigurationError, match=name if name.isupper() else f"TRAWLER_{name.upper()}") as told:
        load_settings(**{name: value})
    assert name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "ready_seconds", "metrics_seconds") or value not in str(told.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigurationError) as told:
        load_settings(METRICS_TOKEN="short", SENTRY_DSN="x", SMTP_URL="x", MAIL_FROM="x")
    assert all(name in str(told.value) for name in ("METRICS_TOKEN", "SENTRY_DSN", "SMTP_URL", "MAIL_FROM"))
