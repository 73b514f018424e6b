"""Redis emptied or gone, database connections cut: jobs take longer, and that is all."""

import signal

import pytest
import redis

from db.session import connect
from platforms.simulator.running import running_simulator
from tests.faults.outages import assert_complete, pages, put_in
from tests.faults.servers import cut_connections, own_valkey
from tests.fleet import eventually, fleet_of
from tests.jobs import attempts, insert_job

ITEMS = 150
END_SECONDS = 15


@pytest.fixture(scope="module")
def provider():
    with running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "30") as simulator:
        yield simulator


class TestRedis:
    @pytest.mark.slow
    def test_emptied_again_and_again_costs_nothing(self, database_url, redis_url, connection, provider, tmp_path):
        # Given small slices, so that each job needs several wake-ups
        settings = {"TRAWLER_SLICE_PAGES": "2", "TRAWLER_SLOTS": "4"}
        with (
            fleet_of(database_url, redis_url, provider, tmp_path, workers=2, **settings),
            redis.Redis.from_url(redis_url) as client,
        ):
            jobs = put_in(connection, "flush", enrich="inline")
            # When Redis is emptied each time some pages have come
            for stored in range(4, 24, 4):
                eventually(lambda stored=stored: pages(connection) >= stored)
                client.flushdb()
            # Then nothing is missing
            assert_complete(connection, jobs, ITEMS)

    @pytest.mark.slow
    def test_that_dies_and_comes_back_empty_costs_time_only(self, database_url, connection, provider, tmp_path):
        with own_valkey(tmp_path) as valkey:
            settings = {"TRAWLER_SLICE_PAGES": "2", "TRAWLER_SLOTS": "4"}
            with fleet_of(database_url, valkey.url, provider, tmp_path, workers=2, **settings) as fleet:
                jobs = put_in(connection, "valkey", enrich="inline")
                eventually(lambda: pages(connection) >= 6)
                # When it is killed, and more jobs come while it is away
                valkey.kill()
                jobs |= put_in(connection, "meanwhile", enrich="inline")
                eventually(lambda: "redis_away" in fleet.log())
                # And comes back with nothing in it
                valkey.start()
                # Then all is done, by the same processes
                assert_complete(connection, jobs, ITEMS)
                assert [process.poll() for process in fleet.processes] == [None, None, None]

    def test_that_is_away_does_not_keep_a_worker_from_ending(self, database_url, connection, provider, tmp_path):
        with own_valkey(tmp_path) as valkey, fleet_of(database_url, valkey.url, provider, tmp_path) as fleet:
            # Given a worker in the middle of a page, whose Redis is gone
            provider.set_fault("gate", match={"query": "ending"}, after=1, times=1)
            params = {"enrich": "none"}
            job_id = insert_job(connection, keywords=["ending"], target_results=10_000, search_params=params)
            provider.wait_for_gate()
            valkey.kill()
            # When it is told to end, and the page comes
            fleet.processes[1].send_signal(signal.SIGTERM)
            provider.clear_faults()
            # Then its slice leaves at no cost
            eventually(lambda: attempts(connection, job_id), END_SECONDS)
            assert attempts(connection, job_id) in ([("continue", "worker_stops")], [("completed", "exhausted")])
            # And it ends within seconds, as a wake-up that is not acknowledged means nothing
            assert fleet.processes[1].wait(END_SECONDS) == 0


class TestPostgres:
    @pytest.mark.slow
    def test_that_cuts_every_connection_again_and_again_costs_no_attempt(
        self, servers, database_url, redis_url, witness, provider, tmp_path
    ):
        with (
            fleet_of(database_url, redis_url, provider, tmp_path, workers=2, TRAWLER_SLOTS="4") as fleet,
            connect(servers.database_url, "admin") as admin,
        ):
            jobs = put_in(witness, "cut", enrich="inline")
            # When all connections of the fleet are cut, each time some pages have come
            cut = 0
            for stored in range(4, 32, 4):
                eventually(lambda stored=stored: pages(witness) >= stored)
                cut += cut_connections(admin, witness.info.dbname)
            assert cut >= 7
            # Then nothing is missing, and nobody died of it
            assert_complete(witness, jobs, ITEMS)
            assert [process.poll() for process in fleet.processes] == [None, None, None]

    @pytest.mark.direct("a pooler holds statements back while the server refuses, so no connection fails")
    def test_that_refuses_connections_for_a_while_is_waited_for(
        self, servers, database_url, redis_url, connection, provider, tmp_path
    ):
        with (
            fleet_of(database_url, redis_url, provider, tmp_path, workers=2, TRAWLER_SLOTS="4") as fleet,
            connect(servers.database_url, "admin") as admin,
        ):
            jobs = put_in(connection, "away", enrich="inline")
            eventually(lambda: pages(connection) >= 4)
            # When the database lets nobody in for longer than a moment
            name = connection.info.dbname
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            cut_connections(admin, name)
            eventually(lambda: "reconciler_lost_database" in fleet.log() and "heartbeat_failed" in fleet.log())
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            # Then all is done, by the same processes
            assert_complete(connection, jobs, ITEMS)
            assert [process.poll() for process in fleet.processes] == [None, None, None]
