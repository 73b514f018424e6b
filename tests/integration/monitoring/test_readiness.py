"""Whether health and readiness tell the truth."""

import signal

import pytest

from tests.fleet import Fleet, eventually
from tests.integration.monitoring.serving import monitored

NO_PROVIDER = "http://127.0.0.1:9"
NOTHING_ANSWERS = "postgresql://postgres@127.0.0.1:9/nothing?connect_timeout=1"
READY = {"database": "ok", "schema": "ok", "reconciler": "ok", "worker": "ok"}


@pytest.fixture
def fleet(database_url, redis_url, tmp_path):
    with Fleet(database_url, redis_url, NO_PROVIDER, tmp_path) as fleet:
        yield fleet


def status(server):
    answer = server.get("/readyz")
    return answer.status_code, answer.json()["checks"]


@pytest.mark.slow
def test_a_stuck_reconciler_is_not_ready_and_one_that_goes_on_is(database_url, redis_url, fleet):
    with monitored(database_url, redis_url, ready_seconds=6) as server:
        # Given nobody, then a reconciler and a worker
        assert status(server) == (503, {**READY, "reconciler": "none", "worker": "none"})
        reconciler = fleet.reconciler()
        eventually(lambda: status(server) == (503, {**READY, "worker": "none"}))
        fleet.worker()
        eventually(lambda: status(server) == (200, READY))
        # When the reconciler hangs, though its process is there
        reconciler.send_signal(signal.SIGSTOP)
        eventually(lambda: status(server) == (503, {**READY, "reconciler": "stuck"}))
        assert reconciler.poll() is None
        assert server.sum("trawler_reconciler_silence_seconds") > 6
        assert "start another" in server.get("/readyz").json()["details"]["reconciler"]
        # Then another one is enough, and so is the first when it goes on
        other = fleet.reconciler()
        eventually(lambda: status(server) == (200, READY))
        fleet.kill(other)
        eventually(lambda: status(server) == (503, {**READY, "reconciler": "stuck"}))
        reconciler.send_signal(signal.SIGCONT)
        eventually(lambda: status(server) == (200, READY))


@pytest.mark.slow
def test_a_reconciler_that_runs_and_fails_at_its_work_is_not_ready(database_url, redis_url, fleet, connection):
    with monitored(database_url, redis_url, ready_seconds=6) as server:
        reconciler = fleet.reconciler()
        eventually(lambda: status(server)[1]["reconciler"] == "ok")
        connection.execute("ALTER TABLE worker.inbox RENAME TO gone")
        eventually(lambda: status(server)[1]["reconciler"] == "stuck")
        assert reconciler.poll() is None
        connection.execute("ALTER TABLE worker.gone RENAME TO inbox")
        eventually(lambda: status(server)[1]["reconciler"] == "ok")


@pytest.mark.slow
def test_workers_that_are_gone_or_silent_are_not_ready(database_url, redis_url, fleet, connection):
    with monitored(database_url, redis_url, ready_seconds=6, beat_seconds=1, lease_seconds=4) as server:
        fleet.reconciler()
        worker = fleet.worker()
        eventually(lambda: status(server) == (200, READY))
        worker.send_signal(signal.SIGSTOP)
        eventually(lambda: status(server) == (503, {**READY, "worker": "silent"}))
        assert server.sum("trawler_processes", kind="worker", state="silent") == 1
        worker.send_signal(signal.SIGCONT)
        eventually(lambda: status(server) == (200, READY))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        eventually(lambda: status(server) == (503, {**READY, "worker": "none"}))


def test_a_schema_that_is_older_or_missing_is_not_ready(database_url, redis_url, connection):
    with monitored(database_url, redis_url) as server:
        connection.execute("UPDATE worker.alembic_version SET version_num = '0001'")
        assert status(server)[1]["schema"] == "older"
        assert server.sum("trawler_schema_current") == 0
        connection.execute("UPDATE worker.alembic_version SET version_num = '9999'")
        assert status(server)[1]["schema"] == "ok"
        assert server.sum("trawler_schema_current") == 1
        connection.execute("DROP SCHEMA worker CASCADE")
        assert status(server)[1]["schema"] == "missing"
        # Of metrics there is what can be known
        assert server.sum("trawler_database_up") == 0
        assert server.sum("trawler_redis_up") == 1


def test_a_database_that_is_away_is_told_soon_and_the_process_is_healthy(redis_url, monkeypatch):
    monkeypatch.setattr("console.monitoring.readiness.ANSWER_SECONDS", 1.0)
    monkeypatch.setattr("console.monitoring.scraping.ANSWER_SECONDS", 1.0)
    with monitored(NOTHING_ANSWERS, redis_url) as server:
        assert status(server) == (503, {"database": "unreachable"})
        assert server.get("/healthz").json() == {"status": "ok"}
        assert server.sum("trawler_database_up") == 0
        assert server.sum("trawler_build_info") == 1


def test_a_redis_that_is_away_is_told_and_does_not_make_unready(database_url):
    with monitored(database_url, "redis://127.0.0.1:9/0") as server:
        assert server.sum("trawler_redis_up") == 0
        assert server.sum("trawler_database_up") == 1
        assert set(status(server)[1]) == {"database", "schema", "reconciler", "worker"}
