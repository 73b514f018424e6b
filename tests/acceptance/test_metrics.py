"""Counters as Prometheus sees them, of real workers: they say what the database says, whoever died meanwhile."""

import json
import signal

import psycopg
import pytest

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import eventually, fleet_of
from tests.handlers import SETTINGS, make_runs
from tests.integration.monitoring.serving import monitored
from tests.jobs import background_is_final, insert_background_job, insert_job, is_final, state

QUICK = {"TRAWLER_METRICS_SECONDS": "0.2", "TRAWLER_SCHEDULES": "false"}
THIN = {"enrich": "none"}
ENDS = ("completed", "error", "timeout", "outside")


@pytest.fixture
def simulator():
    with running_simulator("--items-per-query", "90") as running:
        yield running


@pytest.fixture
def scraped(database_url, redis_url):
    with monitored(database_url, redis_url) as server:
        yield server


def asked(connection: psycopg.Connection, statement: str) -> float:
    return float(connection.execute(statement.encode()).fetchone()[0] or 0)


def in_the_database(connection: psycopg.Connection) -> dict[str, float]:
    """What the engine's own tables say of that which is counted."""
    outcome = "SELECT count(*) FROM worker.attempts WHERE outcome = '{}'"
    return {
        **{f"jobs {end}": asked(connection, outcome.format(end)) for end in ENDS},
        "waits": asked(connection, outcome.format("wait")),
        "retries": asked(connection, outcome.format("retry")),
        "crashes": asked(connection, outcome.format("crashed")),
        "pages": asked(connection, "SELECT count(*) FROM worker.pages"),
        "creators": asked(connection, "SELECT sum(jsonb_array_length(creators)) FROM scraping_results"),
        "duplicates": asked(connection, "SELECT sum(duplicates) FROM worker.pages"),
        "unreadable": asked(connection, "SELECT count(*) FROM worker.quarantine"),
        "calls": asked(connection, "SELECT sum(calls) FROM worker.spend"),
        "credits": asked(connection, "SELECT sum(credits) FROM worker.spend"),
        "pages committed": asked(connection, "SELECT count(*) FROM worker.pages"),
        "calls timed": asked(connection, "SELECT sum(calls) FROM worker.spend"),
    }


def counted(scraped) -> dict[str, float]:
    """The same, as one scrape tells it."""
    return {
        **{f"jobs {end}": scraped.sum("trawler_jobs_total", outcome=end) for end in ENDS},
        "waits": scraped.sum("trawler_waits_total"),
        "retries": scraped.sum("trawler_retries_total"),
        "crashes": scraped.sum("trawler_crashes_total"),
        "pages": scraped.sum("trawler_pages_total"),
        "creators": scraped.sum("trawler_creators_total"),
        "duplicates": scraped.sum("trawler_duplicates_total"),
        "unreadable": scraped.sum("trawler_unreadable_items_total"),
        "calls": scraped.sum("trawler_provider_calls_total"),
        "credits": scraped.sum("trawler_credits_total"),
        "pages committed": scraped.sum("trawler_commit_duration_seconds_count"),
        "calls timed": scraped.sum("trawler_provider_call_duration_seconds_count"),
    }


def all_ended(connection, jobs, background):
    return all(is_final(connection, one) for one in jobs) and all(
        background_is_final(connection, b) for b in background
    )


@pytest.mark.slow
def test_counters_of_two_processes_together_say_what_the_database_says(
    database_url, redis_url, connection, simulator, scraped, tmp_path
):
    make_runs(connection)
    # Given a provider with troubles
    simulator.set_fault("status", SEARCH_PATH, times=2, status=500)
    simulator.set_fault("status", PROFILE_PATH, times=1, status=404)
    settings = {**QUICK, **SETTINGS, "TRAWLER_SLOTS": "2", "TRAWLER_SLICE_PAGES": "2"}
    with fleet_of(database_url, redis_url, simulator, tmp_path, workers=2, **settings):
        jobs = [insert_job(connection, keywords=[f"word {n}"], user_id=f"u{n}", search_params=THIN) for n in range(4)]
        jobs += [insert_job(connection, target_results=10), insert_job(connection, keywords=None)]
        background = [insert_background_job(connection, "echo", {"text": "x"}) for _ in range(20)]
        background += [insert_background_job(connection, "fail_times", {"until": 2})]
        background += [insert_background_job(connection, "give_up"), insert_background_job(connection, "wait_once")]
        eventually(lambda: all_ended(connection, jobs, background))
        simulator.set_fault("rate_limited", SEARCH_PATH, times=1, retry_after=1)
        limited = insert_job(connection, keywords=["chair"], target_results=10, search_params=THIN)
        eventually(lambda: is_final(connection, limited))
        # Then all of it is counted, once, whichever of the two processes did it
        eventually(lambda: counted(scraped) == in_the_database(connection))
        owners = connection.execute("SELECT count(DISTINCT owner) FROM worker.attempts WHERE outcome <> 'crashed'")
        assert owners.fetchone() == (2,), "all was done by one process, which shows nothing"
        told = counted(scraped)
        assert told["jobs completed"] >= 20
        for name in ("jobs error", "waits", "retries", "pages", "creators", "duplicates", "calls", "credits"):
            assert told[name] > 0, name
        # And what no table holds: how long claims took and jobs were due, what woke whom
        leased = connection.execute("SELECT sum(epoch) FROM worker.tasks").fetchone()[0]
        assert scraped.sum("trawler_claims_total") == scraped.sum("trawler_claim_duration_seconds_count") > 0
        assert 0 < scraped.sum("trawler_queue_age_seconds_count") <= leased
        assert scraped.sum("trawler_wakeups_sent_total", lane="scrape.tiktok") > 0
        assert scraped.sum("trawler_wakeups_received_total", lane="job.echo") > 0
        assert scraped.sum("trawler_provider_calls_total", outcome="rate_limited") == 1


def test_jobs_of_groups_are_counted_one_by_one(database_url, redis_url, connection, simulator, scraped, tmp_path):
    with fleet_of(database_url, redis_url, simulator, tmp_path, **QUICK):
        with connection.transaction():
            jobs = [insert_background_job(connection, "noop") for _ in range(30)]
        eventually(lambda: all_ended(connection, [], jobs))
        grouped = "SELECT count(*) FROM worker.attempts WHERE evidence ? 'group'"
        assert asked(connection, grouped) == len(jobs)
        eventually(lambda: counted(scraped) == in_the_database(connection))
        assert scraped.sum("trawler_jobs_total", lane="job.noop", outcome="completed") == len(jobs)
        assert scraped.sum("trawler_queue_age_seconds_count", lane="job.noop") == len(jobs)


@pytest.mark.slow
def test_what_a_killed_worker_counted_stays_and_a_new_one_goes_on_from_there(
    database_url, redis_url, connection, simulator, scraped, tmp_path
):
    with fleet_of(database_url, redis_url, simulator, tmp_path, **QUICK) as fleet:
        reconciler, worker = fleet.processes
        # Given a worker with pages behind it, which waits for its provider, and whose counts are all told
        simulator.set_fault("gate", SEARCH_PATH, after=2)
        job_id = insert_job(connection, keywords=["lamp"], target_results=1000, search_params=THIN)
        simulator.wait_for_gate()
        eventually(lambda: counted(scraped)["pages"] == in_the_database(connection)["pages"] == 2)
        eventually(lambda: counted(scraped) == in_the_database(connection))
        before = counted(scraped)
        # When it is killed
        fleet.kill(worker)
        simulator.clear_faults()
        # Then nothing that it counted is gone
        assert counted(scraped) == before
        # And another worker adds to it until the job is done, the death included
        fleet.worker()
        eventually(lambda: is_final(connection, job_id))
        eventually(lambda: counted(scraped) == in_the_database(connection))
        after = counted(scraped)
        assert (after["crashes"], after["jobs completed"]) == (1, 1)
        assert all(after[name] >= value for name, value in before.items())
        # And a clean end of everybody, and a new start, change nothing
        for process in (reconciler, fleet.processes[-1]):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert counted(scraped) == after
        fleet.reconciler()
        fleet.worker()
        again = insert_job(connection, keywords=["chair"], search_params=THIN)
        eventually(lambda: is_final(connection, again))
        eventually(lambda: counted(scraped) == in_the_database(connection))
        assert counted(scraped)["jobs completed"] == 2


def test_what_was_counted_just_before_a_clean_end_is_told(
    database_url, redis_url, connection, simulator, scraped, tmp_path
):
    # Given processes that tell what they count once in five minutes
    settings = {"TRAWLER_METRICS_SECONDS": "300"}
    with fleet_of(database_url, redis_url, simulator, tmp_path, **settings) as fleet:
        job_id = insert_job(connection, keywords=["lamp"], search_params=THIN)
        eventually(lambda: is_final(connection, job_id))
        assert state(connection, job_id) == "closed"
        # When they are told to end
        for process in fleet.processes:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        # Then all is there
        assert counted(scraped) == in_the_database(connection)
        assert counted(scraped)["jobs completed"] == 1
        assert scraped.sum("trawler_wakeups_sent_total", lane="scrape.tiktok") >= 1
        assert scraped.sum("trawler_wakeups_received_total", lane="scrape.tiktok") >= 1
        # And each line of the slice's log says whose it is
        lines = [json.loads(line) for line in fleet.log().splitlines() if line.startswith("{")]
        of_slices = [line for line in lines if line["event"] in ("page_stored", "slice_settled")]
        assert len(of_slices) >= 2
        for line in of_slices:
            whose = line["job"], line["lane"], line["epoch"]
            assert whose == (job_id, "scrape.tiktok", 1), line
            assert isinstance(line["task"], int)
