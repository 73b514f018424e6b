"""Redis away, silent, or with the rest of an earlier process: jobs take longer, and that is all."""

import contextlib
import time
from collections.abc import Iterator

import pytest
import redis

from db.session import connect
from tests.faults.outages import assert_complete, put_in
from tests.faults.servers import OwnValkey, own_valkey
from tests.fleet import Fleet, eventually, fleet_of, fresh_database
from tests.jobs import (
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
)


@pytest.fixture
def valkey(tmp_path) -> Iterator[OwnValkey]:
    with own_valkey(tmp_path) as valkey:
        yield valkey


def polling(connection) -> list[bool]:
    """What each worker says of itself."""
    return [
        told for (told,) in connection.execute("SELECT polling FROM worker.workers WHERE kind = 'worker'").fetchall()
    ]


class TestRedisWithTheRestOfAnEarlierProcess:
    def test_is_filled_as_if_that_were_not_there(self, database_url, connection, valkey, simulator, tmp_path):
        settings = {"TRAWLER_SLOTS": "4", "TRAWLER_LEASE_SECONDS": "2", "TRAWLER_BEAT_SECONDS": "0.5"}
        with (
            Fleet(database_url, valkey.url, simulator.url, tmp_path, **settings) as fleet,
            redis.Redis.from_url(valkey.url) as client,
        ):
            fleet.reconciler()
            # Given a worker that has fetched wake-ups, and Redis has written that down
            first = fleet.worker()
            simulator.set_fault("gate", match={"query": "stranded 0"}, times=1)
            simulator.set_fault("gate", match={"query": "stranded 1"}, times=1)
            jobs = put_in(connection, "stranded", 2)
            simulator.wait_for_gate(2)
            eventually(lambda: stranded(client) >= 2)
            valkey.save()
            # When both die, and Redis comes back with it
            fleet.kill(first)
            valkey.kill()
            simulator.clear_faults()
            valkey.start()
            assert stranded(client) >= 2
            # Then the list gets a wake-up for every task, those of the dead worker among them
            jobs |= put_in(connection, "fresh", 3)
            eventually(lambda: client.llen("trawler:scrape.tiktok") >= len(jobs))
            assert stranded(client) >= 2
            # And the next worker does it all
            fleet.worker()
            assert_complete(connection, jobs)


def stranded(client: redis.Redis) -> int:
    """Wake-ups that were fetched and not acknowledged."""
    return sum(client.scard(key) for key in client.scan_iter("trawler:__acks__.*"))


@pytest.mark.slow
class TestRedisThatHangs:
    def test_is_done_without_and_used_again_when_it_goes_on(
        self, database_url, connection, valkey, simulator, tmp_path
    ):
        timers = {"TRAWLER_DEGRADED_AFTER_SECONDS": "1", "TRAWLER_POLL_SECONDS": "0.2"}
        with fleet_of(database_url, valkey.url, simulator, tmp_path, workers=2, **timers) as fleet:
            eventually(lambda: polling(connection) == [False, False])
            # When Redis takes connections and answers none
            valkey.hang()
            # Then jobs that come are done
            assert_complete(connection, put_in(connection, "hanging"))
            # And the table of workers tells it with their next beat
            eventually(lambda: polling(connection) == [True, True])
            # And when it goes on, the workers are woken again
            valkey.go_on()
            eventually(lambda: polling(connection) == [False, False])
            assert fleet.log().count('"redis_back"') >= 2
            assert_complete(connection, put_in(connection, "woken"))
            assert [process.poll() for process in fleet.processes] == [None] * 3


@pytest.mark.slow(minutes=1.1)
class TestRedisAwayForAMinute:
    SECONDS = 60

    def test_whether_dead_or_hanging_keeps_no_job_from_being_done(
        self, servers, migrated, simulator, tmp_path, record_property
    ):
        with contextlib.ExitStack() as stack:
            sides = []
            for name, go in (("dead", OwnValkey.kill), ("hanging", OwnValkey.hang)):
                folder = tmp_path / name
                folder.mkdir()
                url = stack.enter_context(fresh_database(servers.database_url, migrated))
                connection = stack.enter_context(connect(url, "test"))
                valkey = stack.enter_context(own_valkey(folder))
                fleet = stack.enter_context(fleet_of(url, valkey.url, simulator, folder))
                sides.append((name, connection, valkey, fleet, go))
            for _, connection, *_ in sides:
                eventually(lambda connection=connection: polling(connection) == [False])
            # When Redis goes for a minute
            for _, _, valkey, _, go in sides:
                go(valkey)
            end = time.monotonic() + self.SECONDS
            jobs: dict[str, list[str]] = {name: [] for name, *_ in sides}
            while time.monotonic() < end:
                began = time.monotonic()
                for name, connection, *_ in sides:
                    jobs[name].append(insert_background_job(connection, "noop"))
                # Then jobs that come meanwhile are done
                for name, connection, *_ in sides:
                    eventually(lambda c=connection, j=jobs[name][-1]: background_is_final(c, j))
                    record_property(f"{name} {len(jobs[name])}", round(time.monotonic() - began, 2))
            for name, connection, valkey, fleet, go in sides:
                assert polling(connection) == [True]
                # And when it is back, workers are woken again
                valkey.start() if go is OwnValkey.kill else valkey.go_on()
                eventually(lambda connection=connection: polling(connection) == [False])
                assert '"redis_back"' in fleet.log()
                jobs[name].append(insert_background_job(connection, "noop"))
                eventually(lambda c=connection, j=jobs[name][-1]: background_is_final(c, j))
                for job_id in jobs[name]:
                    assert background_job(connection, job_id)["status"] == "completed"
                    assert attempts(connection, job_id) == [("completed", "done")]
                assert [process.poll() for process in fleet.processes] == [None, None]
