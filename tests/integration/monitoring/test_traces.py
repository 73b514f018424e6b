"""Traces as a collector receives them from real processes."""

import signal
import subprocess
import sys
from collections import Counter
from uuid import UUID, uuid4

import pytest

from db.queries.claiming import Claimed
from db.queries.enqueueing import NewScrapingJob
from platforms.simulator.running import running_simulator
from tests.fleet import ROOT, eventually, fleet_of
from tests.handlers import SETTINGS
from tests.integration.monitoring.receivers import receiver
from tests.jobs import background_is_final, insert_background_job, insert_job, is_final
from worker import tracing
from worker.enqueueing import enqueue_scraping_job, enqueue_scraping_jobs
from worker.errors import ConfigurationError
from worker.leases import Lease

THIN = {"enrich": "none"}


@pytest.fixture
def collector():
    with receiver() as found:
        yield found


@pytest.fixture
def traced(collector):
    """This process sends spans, as a service of Python may that puts jobs in."""
    tracing.configure_tracing(collector.url, "test")
    yield
    tracing.stop_tracing()


@pytest.mark.slow
def test_enqueue_claim_pages_and_commits_of_a_job_are_one_trace_across_processes(
    database_url, redis_url, connection, collector, traced, tmp_path
):
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRAWLER_SLICE_PAGES": "2", **SETTINGS}
    with (
        running_simulator("--items-per-query", "90") as simulator,
        fleet_of(database_url, redis_url, simulator, tmp_path, **settings) as fleet,
    ):
        eventually(lambda: connection.execute("SELECT 1 FROM worker.lanes WHERE lane = 'scrape.tiktok'").fetchone())
        with connection.transaction():
            job = enqueue_scraping_job(
                connection, user_id="u", platform="TikTok", keywords=["secret lamp"], search_params=THIN
            ).job_id
        inserted = insert_job(connection, keywords=["chair"], search_params=THIN)
        failing = insert_background_job(connection, "always_fail", max_retries=0)
        eventually(lambda: all(is_final(connection, one) for one in (job, inserted)))
        eventually(lambda: background_is_final(connection, failing))
        for process in fleet.processes:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    tracing.stop_tracing()
    spans = collector.spans()
    # Then the trace of a job is named as the job, whoever did what
    of_job = [span for span in spans if span["trace"] == UUID(job).hex]
    names = Counter(span["name"] for span in of_job)
    pages, slices = connection.execute(
        "SELECT (SELECT count(*) FROM worker.pages p WHERE p.task_id = t.id), t.epoch FROM worker.tasks t"
        " WHERE t.job_id = %s",
        (job,),
    ).fetchone()
    assert names == {"enqueue": 1, "claim": slices, "slice": slices, "page": pages, "commit": pages}
    assert pages > 2
    assert slices > 1
    assert {span["service"] for span in of_job if span["name"] == "enqueue"} == {"trawler-test"}
    assert {span["service"] for span in of_job if span["name"] != "enqueue"} == {"trawler-worker"}
    # And each hangs where it belongs
    by_id = {span["id"]: span for span in of_job}
    above = {
        name: {by_id[s["parent"]]["name"] for s in of_job if s["name"] == name} for name in names if name != "enqueue"
    }
    assert above == {"claim": {"enqueue"}, "slice": {"enqueue"}, "page": {"slice"}, "commit": {"page"}}
    # And says whose it is, and nothing of what was searched
    for span in of_job:
        assert span["seconds"] >= 0
        assert "secret lamp" not in str(span)
    assert {s["trawler.epoch"] for s in of_job if s["name"] == "slice"} == set(range(1, slices + 1))
    assert {s["trawler.lane"] for s in of_job if s["name"] == "claim"} == {"scrape.tiktok"}
    assert [s["trawler.page"] for s in of_job if s["name"] == "page"] == list(range(1, pages + 1))
    # And a row that somebody inserted has a trace too, with a root that nobody made
    others = [span for span in spans if span["trace"] == UUID(inserted).hex]
    assert {"claim", "slice"} <= {span["name"] for span in others}
    assert {span["parent"] for span in others if span["name"] == "slice"} == {
        f"{UUID(inserted).int & (1 << 64) - 1:016x}"
    }


def test_jobs_that_are_put_in_together_have_a_trace_each(connection, collector, traced):
    wanted = NewScrapingJob("u", "TikTok", ["lamp"], None, 10, "US", None, None)
    with connection.transaction():
        ids = enqueue_scraping_jobs(connection, [wanted, wanted])
    tracing.stop_tracing()
    assert [span["trace"] for span in collector.spans()] == [UUID(one).hex for one in ids]
    assert {span["parent"] for span in collector.spans()} == {""}


async def test_a_slice_that_fails_is_told_by_the_type_of_its_error_alone(collector, traced):
    lease = Lease(Claimed(1, "scraping_jobs", str(uuid4()), "lane", "-", uuid4(), 1, 0, None, 0, 0), 0.0, 60.0)

    async def work(_):
        raise ValueError("api_key=secret")

    with pytest.raises(ValueError, match="secret"):
        await tracing.traced(work, lease)(lease)
    tracing.stop_tracing()
    (span,) = collector.spans()
    assert span["status"] == (2, "ValueError")
    assert span["events"] == 0
    assert "secret" not in str(collector.requests)


def test_a_collector_that_is_away_holds_up_nobody(connection):
    tracing.configure_tracing("http://127.0.0.1:9", "test")
    with connection.transaction():
        enqueue_scraping_job(connection, user_id="u", platform="TikTok", keywords=["lamp"])
    tracing.stop_tracing()
    assert connection.execute("SELECT count(*) FROM scraping_jobs").fetchone() == (1,)


def test_without_its_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "worker.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match=r"trawler\[traces\]"):
        tracing.configure_tracing("http://127.0.0.1:9", "test")


def test_without_a_setting_nothing_of_it_is_imported():
    code = (
        "import sys\n"
        "import actors.application, scripts.reconciler, worker.enqueueing\n"
        "from worker.settings import load_settings\n"
        "from worker.watching import begin_watching, end_watching\n"
        "begin_watching(load_settings(), 'worker'); end_watching()\n"
        # The client of Redis takes a part of OpenTelemetry in by itself, where it finds it.
        "print([m for m in sys.modules if m.startswith(('opentelemetry.exporter', 'sentry_sdk', 'worker.otlp'))])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
