"""Reports of unexpected exceptions as a Sentry receives them from real processes."""

import subprocess
import sys

import pytest
import sentry_sdk

from tests.fleet import ROOT, Fleet, eventually
from tests.handlers import SETTINGS, make_runs
from tests.integration.monitoring.receivers import receiver
from tests.jobs import background_is_final, insert_background_job
from worker import reporting
from worker.errors import ConfigurationError

NO_PROVIDER = "http://127.0.0.1:9"
SECRET = "v9-very-secret"

IN_A_THREAD = f"""
import threading
def work():
    raise RuntimeError('authorization: Bearer {SECRET}')
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.fixture
def sentry():
    with receiver() as found:
        yield found


def dsn(sentry):
    return sentry.url.replace("http://", "http://publickey@") + "/7"


@pytest.mark.slow
def test_a_handler_s_unexpected_exception_is_reported_and_what_it_says_on_purpose_is_not(
    database_url, redis_url, connection, sentry, tmp_path
):
    make_runs(connection)
    settings = {**SETTINGS, "SENTRY_DSN": dsn(sentry), "TRAWLER_RELEASE": "r7"}
    with Fleet(database_url, redis_url, NO_PROVIDER, tmp_path, **settings) as fleet:
        fleet.reconciler()
        fleet.worker()
        expected = [
            insert_background_job(connection, name) for name in ("give_up", "fail_times", "wait_once", "no_such")
        ]
        eventually(lambda: all(background_is_final(connection, job_id) for job_id in expected))
        failing = insert_background_job(connection, "always_fail", max_retries=0)
        eventually(lambda: background_is_final(connection, failing))
        eventually(sentry.reports)
    (report,) = sentry.reports()
    (exception,) = report["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "the mail server is on fire")
    assert report["release"] == "r7"
    told = report["tags"]
    assert told["event"] == "handler_failed"
    assert told["job"] == failing
    assert told["lane"] == "job.always_fail"
    assert told["epoch"] == "1"
    assert told["service"] == "worker"
    assert not any("vars" in frame for frame in exception["stacktrace"]["frames"])
    assert "user" not in report
    assert report.get("breadcrumbs", {"values": []})["values"] == []


def crash(sentry, code):
    """Run a process that reports and ends by an exception."""
    program = (
        "from worker.reporting import configure_reporting\n"
        f"configure_reporting({dsn(sentry)!r}, 'worker', 'r7')\n" + code
    )
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        f"raise RuntimeError('https://x/?api_key={SECRET}')",
        f"raise RuntimeError('postgresql://user:{SECRET}@host/db')",
        f"try:\n    raise KeyError('token={SECRET}')\nexcept KeyError as cause:\n    raise RuntimeError() from cause",
        IN_A_THREAD,
    ],
    ids=["in a url", "in a database url", "in a cause", "in a thread"],
)
def test_what_ends_a_process_or_a_thread_is_reported_without_its_secrets(sentry, code):
    crash(sentry, code)
    reports = eventually(sentry.reports)
    assert len(reports) == 1
    values = str([value["value"] for value in reports[0]["exception"]["values"]])
    assert "[cut]" in values
    assert SECRET not in values


def test_an_interrupt_is_no_fault(sentry):
    assert crash(sentry, "raise SystemExit(3)").returncode == 3
    assert sentry.reports() == []


def test_a_line_without_an_exception_or_that_is_no_error_is_not_reported(sentry):
    reporting.configure_reporting(dsn(sentry), "test", "r7")
    try:
        try:
            raise ValueError("expected")
        except ValueError:
            reporting.report({"event": "retried", "level": "warning", "exc_info": True})
            reporting.report({"event": "away", "level": "error"})
            reporting.report({"event": "slice_failed", "level": "error", "exc_info": True, "job": "j"})
        reporting.stop_reporting()
        assert [report["tags"]["event"] for report in sentry.reports()] == ["slice_failed"]
    finally:
        sentry_sdk.get_client().close(timeout=1)
        reporting._sentry = None


def test_without_its_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(ConfigurationError, match=r"trawler\[sentry\]"):
        reporting.configure_reporting("http://key@127.0.0.1:9/7", "test", "r7")


def test_a_dsn_that_cannot_be_read_is_told_without_repeating_it():
    with pytest.raises(ConfigurationError, match="SENTRY_DSN cannot be read") as told:
        reporting.configure_reporting(f"http://{SECRET}@", "test", "r7")
    assert SECRET not in str(told.value)
