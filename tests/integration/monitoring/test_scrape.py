"""What a scrape holds, in both formats, of a database with everything in it."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from db.queries import beating, lanes, metrics
from db.queries.metrics import Addition
from tests.integration.engine.steps import LANE, adopted_job, claim, make_lanes, set_task
from tests.integration.monitoring.serving import monitored
from tests.jobs import task
from tests.unit.monitoring.test_dashboards import KNOWN
from worker.limits.circuit_breaker import CircuitBreaker
from worker.limits.contract import Call
from worker.limits.scripts import Scripts
from worker.metrics.families import REGISTRY
from worker.processes import sign

HISTOGRAM = "trawler_queue_age_seconds"


@pytest.fixture
def server(database_url, redis_url):
    with monitored(database_url, redis_url) as server:
        yield server


def add(connection, seq, *samples):
    """What a process counted: names, labels, values."""
    metrics.add_now(connection, "p", Addition(seq, *(list(column) for column in zip(*samples, strict=True))))


@pytest.fixture
async def everything(connection, pool, redis_url):
    """A lane with a task of every state, processes of every kind, a breaker that is open, an unreadable item."""
    make_lanes(connection)
    jobs = {name: task(connection, adopted_job(connection))["id"] for name in ("a", "b", "ready", "waiting", "parked")}
    set_task(connection, jobs["waiting"], "state = 'waiting', run_at = clock_timestamp() + interval '1 h'")
    set_task(connection, jobs["parked"], "state = 'parked', closed_at = clock_timestamp(), end_reason = 'poison'")
    set_task(connection, jobs["ready"], "run_at = clock_timestamp() - interval '100 s', priority = 200")
    assert len(await claim(pool, count=2)) == 2
    lanes.pause(connection, ["job.noop"], "balance")
    connection.execute(
        "UPDATE worker.lanes SET cooldown_until = clock_timestamp() + interval '1 h' WHERE lane = %s", (LANE,)
    )
    beating.tick(connection, sign("w1", "worker", slots=8, in_use=2, polling=True))
    beating.tick(connection, sign("w2", "worker", slots=8))
    beating.tick(connection, sign("r1", "reconciler"))
    connection.execute("UPDATE worker.workers SET last_tick_at = last_tick_at - interval '1 h' WHERE id = 'w2'")
    for verdict in (None, "unreadable", "stored"):
        connection.execute(
            "INSERT INTO worker.quarantine (task_id, seq, provider, endpoint, adapter_version, reason, message, raw,"
            " verdict) VALUES (%s, 1, 'p', '/e', 1, 'r', 'm', '{}', %s)",
            (jobs["a"], verdict),
        )
    scripts = Scripts(redis_url)
    breaker = CircuitBreaker(scripts, 3, 30, 600, 60)
    for account in ("first", "second"):
        await breaker.open(Call("p", account, "/e", 1, "t", "j"), "drift", "another shape")
    await scripts.aclose()
    add(
        connection,
        1,
        *[(f"{HISTOGRAM}_bucket", {"lane": LANE, "le": le}, n) for le, n in (("+Inf", 3), ("15.0", 3), ("0.1", 1))],
        (f"{HISTOGRAM}_count", {"lane": LANE}, 3),
        (f"{HISTOGRAM}_sum", {"lane": LANE}, 4.5),
        ("trawler_jobs_total", {"lane": LANE, "outcome": "completed", "reason": "done"}, 2),
        ("trawler_double_runs_total", {"write": "page"}, 1),
        ("trawler_of_a_later_release_total", {}, 7),
    )


def test_gauges_say_how_everything_stands(server, everything):
    assert {
        name: server.sum(f"trawler_lane_{name}", lane=LANE) for name in ("running", "ready", "waiting", "parked")
    } == {
        "running": 2,
        "ready": 1,
        "waiting": 1,
        "parked": 1,
    }
    assert 100 <= server.sum("trawler_lane_oldest_ready_seconds", lane=LANE) < 200
    assert 3500 < server.sum("trawler_lane_cooldown_seconds", lane=LANE) <= 3600
    assert (server.sum("trawler_lane_paused", lane=LANE), server.sum("trawler_lane_paused", lane="job.noop")) == (0, 1)
    assert server.sum("trawler_processes", kind="worker", state="alive") == 1
    assert server.sum("trawler_processes", kind="worker", state="silent") == 1
    assert server.sum("trawler_processes", kind="reconciler", state="alive") == 1
    assert (server.sum("trawler_slots"), server.sum("trawler_slots_in_use")) == (8, 2)
    assert server.sum("trawler_workers_polling") == 1
    assert server.sum("trawler_provider_breaker_open", provider="p", endpoint="/e") == 2
    assert 0 < server.sum("trawler_provider_breaker_probe_seconds", provider="p", endpoint="/e") <= 31
    assert server.sum("trawler_quarantine_open") == 2
    assert (
        server.sum("trawler_redis_up") == server.sum("trawler_database_up") == server.sum("trawler_schema_current") == 1
    )


async def test_a_job_that_goes_on_at_its_old_place_has_waited_since_its_slice_began(server, connection, pool):
    make_lanes(connection)
    number = task(connection, adopted_job(connection))["id"]
    set_task(connection, number, "run_at = clock_timestamp() - interval '1 h', claimed_at = clock_timestamp()")
    assert server.sum("trawler_lane_oldest_ready_seconds", lane=LANE) < 60


async def test_a_scrape_never_counts_further_than_it_may(connection, pool):
    make_lanes(connection)
    for _ in range(4):
        adopted_job(connection)
    async with pool.connection() as reading:
        (lane,) = [one for one in await metrics.lane_gauges(reading, most=3) if one.lane == LANE]
        assert lane.ready == 3
        set_task(connection, task(connection, adopted_job(connection))["id"], "state = 'waiting'")
        assert await metrics.open_items(reading, most=3) == 0


def test_what_may_begin_is_told_before_it_does_and_nothing_of_another_release(server, connection, everything):
    samples = server.samples()
    assert samples["trawler_double_runs_total", (("write", "page"),)] == 1
    assert samples["trawler_double_runs_total", (("write", "settle"),)] == 0
    assert samples["trawler_configuration_errors_total", (("kind", "value"),)] == 0
    assert samples["trawler_crashes_total", (("lane", LANE),)] == 0
    assert not any("later_release" in name for name, _ in samples)


def test_a_scrape_has_the_names_and_labels_that_the_page_says_and_no_others(server, connection, everything):
    add(connection, 2, *[(name, dict.fromkeys(labels, "1"), 1) for name, labels in KNOWN.items() if counted(name)])
    found: dict[str, set[str]] = {}
    for name, labels in server.samples():
        found.setdefault(name, set()).update(label for label, _ in labels)
    assert found == KNOWN


def counted(name):
    return any(name.startswith(family.name) for family in REGISTRY.collect())


def test_both_formats_can_be_read_and_say_the_same(server, everything):
    plain = server.get("/metrics", Accept="text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert plain.headers["cache-control"] == "no-store"
    openmetrics = server.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    read = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read_openmetrics(openmetrics.text)
        for sample in family.samples
    }
    said = server.samples()
    assert read.keys() == said.keys()
    assert read[f"{HISTOGRAM}_sum", (("lane", LANE),)] == said[f"{HISTOGRAM}_sum", (("lane", LANE),)] == 4.5
    # And buckets stand in their order
    lines = [line for line in plain.text.splitlines() if line.startswith(f"{HISTOGRAM}_bucket")]
    assert [line.rpartition(" ")[2] for line in lines] == ["1.0", "3.0", "3.0"]


async def test_a_statement_that_takes_too_long_is_given_up_and_told(server, connection, pool, monkeypatch):
    monkeypatch.setattr("console.monitoring.scraping.STATEMENT_MS", 200)
    make_lanes(connection)
    with connection.transaction():
        connection.execute("LOCK TABLE worker.lanes")
        assert server.sum("trawler_database_up") == 0
    assert server.sum("trawler_database_up") == 1
