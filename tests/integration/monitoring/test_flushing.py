"""How counts reach the database: once, whoever adds at the same time and whichever reply is lost."""

import asyncio
import threading

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from db.queries import beating, metrics
from db.queries.metrics import Addition
from db.session import connect, make_pool
from tests.fleet import eventually
from worker.metrics import counting
from worker.metrics.deltas import Deltas
from worker.metrics.flushing import Flusher, TickedFlusher
from worker.processes import sign

NOTHING_ANSWERS = "postgresql://postgres@127.0.0.1:9/nothing"


@pytest.fixture
def registry():
    return CollectorRegistry()


def rows(connection: psycopg.Connection) -> dict[tuple[str, str], float]:
    found = connection.execute("SELECT name, labels::text, value FROM worker.metrics").fetchall()
    return {(name, labels): value for name, labels, value in found}


def addition(seq: int, **values: float) -> Addition:
    return Addition(seq, list(values), [{} for _ in values], list(values.values()))


def test_an_addition_that_is_sent_again_is_made_once(connection):
    beating.tick(connection, sign("one", "worker"))
    metrics.add_now(connection, "one", addition(1, pages=3))
    # As after a reply that was lost
    metrics.add_now(connection, "one", addition(1, pages=3))
    metrics.add_now(connection, "one", addition(2, pages=1))
    assert rows(connection) == {("pages", "{}"): 4}


def test_an_addition_that_is_still_at_it_when_it_is_sent_again_is_made_once(connection, database_url):
    beating.tick(connection, sign("one", "worker"))
    with connect(database_url, "first", autocommit=False) as first, connect(database_url, "second") as second:
        metrics.add_now(first, "one", addition(1, pages=3))
        # The first has not committed, and the second waits for it
        sent_again = threading.Thread(target=metrics.add_now, args=(second, "one", addition(1, pages=3)))
        sent_again.start()
        first.commit()
        sent_again.join(20)
    assert rows(connection) == {("pages", "{}"): 3}


def test_processes_that_add_to_the_same_rows_at_once_lose_nothing_and_do_not_deadlock(connection, database_url):
    names = [f"n{number:02}" for number in range(30)]

    def add(process: str, order: list[str]) -> None:
        with connect(database_url, process) as own:
            beating.tick(own, sign(process, "worker"))
            for seq in range(1, 31):
                metrics.add_now(own, process, addition(seq, **dict.fromkeys(order, 1)))

    threads = [
        threading.Thread(target=add, args=("forth", names)),
        threading.Thread(target=add, args=("back", names[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert rows(connection) == {(name, "{}"): 60 for name in names}


def test_a_process_without_a_sign_of_life_may_add_too(connection):
    metrics.add_now(connection, "unknown", addition(1, pages=3))
    assert rows(connection) == {("pages", "{}"): 3}


def test_only_what_is_new_is_taken_and_what_is_not_done_is_taken_again_unchanged(registry):
    jobs = Counter("jobs", "Jobs.", ("lane",), registry=registry)
    jobs.labels("a").inc(5)
    deltas = Deltas(registry)
    # What was counted before is nobody's, and nothing is new
    assert deltas.take() is None
    jobs.labels("b").inc(2)
    first = deltas.take()
    assert (first.seq, first.names, first.labels, first.values) == (1, ["jobs_total"], [{"lane": "b"}], [2])
    jobs.labels("a").inc()
    assert deltas.take() is first
    deltas.done()
    second = deltas.take()
    assert (second.seq, second.labels, second.values) == (2, [{"lane": "a"}], [1])
    deltas.done()
    assert deltas.take() is None


def test_a_histogram_is_told_by_its_buckets_sum_and_count(registry):
    deltas = Deltas(registry)
    seconds = Histogram("seconds", "Seconds.", buckets=(1, 10), registry=registry)
    deltas.take()
    seconds.observe(5)
    told = deltas.take()
    assert dict(
        zip([(n, *label.values()) for n, label in zip(told.names, told.labels, strict=True)], told.values, strict=True)
    ) == {
        ("seconds_bucket", "10.0"): 1,
        ("seconds_bucket", "+Inf"): 1,
        ("seconds_count",): 1,
        ("seconds_sum",): 5,
    }


async def test_a_worker_s_counts_are_added_by_themselves_and_the_rest_when_it_ends(connection, pool):
    flusher = Flusher(pool, "one", seconds=0.01)
    counting.woken("lane.first")
    await asyncio.to_thread(eventually, lambda: rows(connection))
    assert rows(connection) == {("trawler_wakeups_received_total", '{"lane": "lane.first"}'): 1}
    await flusher.aclose()
    last = Flusher(pool, "two", seconds=3600)
    counting.woken("lane.first")
    await last.aclose()
    assert rows(connection) == {("trawler_wakeups_received_total", '{"lane": "lane.first"}'): 2}


async def test_a_database_that_is_away_loses_no_count(connection, pool):
    away = make_pool(NOTHING_ANSWERS, "away", 1)
    await away.open()
    flusher = Flusher(away, "one", seconds=3600)
    counting.woken("lane.away")
    await flusher.flush(0.05)
    assert rows(connection) == {}
    # When it is back
    flusher._pool = pool
    counting.woken("lane.away")
    await flusher.flush()
    assert rows(connection)["trawler_wakeups_received_total", '{"lane": "lane.away"}'] == 1
    await flusher.flush()
    assert rows(connection)["trawler_wakeups_received_total", '{"lane": "lane.away"}'] == 2
    await flusher.aclose()
    await away.close()


async def test_a_process_that_ends_does_not_wait_long_for_a_database_that_is_away(monkeypatch):
    monkeypatch.setattr("worker.metrics.flushing.ENDING_SECONDS", 0.05)
    away = make_pool(NOTHING_ANSWERS, "away", 1)
    await away.open()
    flusher = Flusher(away, "one", seconds=3600)
    counting.woken("lane.away")
    # The pool alone would wait for half a minute.
    await asyncio.wait_for(flusher.aclose(), 15)
    await away.close()


def test_a_process_of_ticks_adds_when_its_time_has_come_and_a_refusal_does_not_stop_it(connection):
    flusher = TickedFlusher("one", seconds=3600)
    counting.wakeups_sent("lane.ticked", 2)
    flusher.flush_if_due(connection)
    counting.wakeups_sent("lane.ticked", 1)
    flusher.flush_if_due(connection)
    key = ("trawler_wakeups_sent_total", '{"lane": "lane.ticked"}')
    assert rows(connection) == {key: 2}
    connection.execute("ALTER TABLE worker.metrics RENAME TO gone")
    flusher.flush(connection)
    connection.execute("ALTER TABLE worker.gone RENAME TO metrics")
    flusher.flush(connection)
    assert rows(connection) == {key: 3}


def test_the_table_refuses_a_counter_below_nothing(connection):
    with pytest.raises(psycopg.errors.CheckViolation):
        metrics.add_now(connection, "one", addition(1, pages=-1))
