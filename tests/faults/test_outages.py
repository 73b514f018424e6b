"""Postgres away for a while, for all or for one worker alone: jobs take longer, and that is all."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from db.migrating import migrate
from db.session import connect
from platforms.simulator.settings import SEARCH_PATH
from tests.faults.outages import (
    COMMIT,
    JOBS,
    LONG,
    SHORT,
    THIN,
    assert_complete,
    crashes,
    done,
    pages,
    put_in,
    signed_in,
)
from tests.faults.proxy import Proxy, proxied
from tests.faults.servers import OwnPostgres, own_postgres
from tests.fleet import FAST, ROOT, Fleet, eventually, fleet_of
from tests.jobs import (
    attempts,
    insert_job,
    is_final,
    job,
    ledger,
)
from tests.processes import ForkedProcess
from worker.watchdog import UNHEALTHY


def beats_that_failed(fleet: Fleet) -> list[int]:
    return [path.read_text().count('"heartbeat_failed"') for path in sorted(fleet.logs.glob("*-actors.log"))]


@pytest.mark.slow
class TestOneWorkersWayToPostgres:
    @pytest.mark.parametrize("way", ["silent", "silent with a page on the way", "refused"])
    def test_that_is_cut_costs_the_page_and_the_worker_works_again_when_it_is_back(
        self, database_url, redis_url, connection, simulator, tmp_path, way
    ):
        with (
            proxied(database_url) as proxy,
            Fleet(database_url, redis_url, simulator.url, tmp_path, **SHORT) as fleet,
        ):
            # Given a worker in the middle of its second page
            fleet.reconciler()
            fleet.worker(DATABASE_URL=proxy.url)
            log = fleet.logs / "01-actors.log"
            simulator.set_fault("gate", match={"query": "cut off"}, after=1, times=1)
            job_id = insert_job(connection, keywords=["cut off"], target_results=1000, search_params=THIN)
            simulator.wait_for_gate()
            # When its way to Postgres is cut, and the answer to that page comes
            cut(proxy, way)
            simulator.open_gate()
            # Then another worker goes on at that page
            other = fleet.worker()
            assert_complete(connection, {"cut off": job_id})
            assert attempts(connection, job_id) == [("crashed", "lease_expired"), ("completed", "exhausted")]
            row, written = job(connection, job_id), ledger(connection, job_id)
            asked = [int(call["params"]["cursor"]) for call in simulator.calls(SEARCH_PATH)]
            assert asked == [0, 30, *range(30, 30 * (len(asked) - 1), 30)]
            # And the first notices that it is alone; nobody must tell it
            eventually(lambda: log.read_text().count('"heartbeat_failed"') >= 2)
            # When the way is open again, and what was under way arrives
            proxy.heal()
            eventually(lambda: '"lease_lost"' in log.read_text())
            # Then it has written nothing since its lease
            assert (job(connection, job_id), ledger(connection, job_id)) == (row, written)
            epochs = connection.execute("SELECT epoch FROM worker.pages ORDER BY seq").fetchall()
            assert epochs == [(1,), *[(2,)] * (len(written) - 1)]
            # And is good for more work
            fleet.kill(other)
            assert_complete(connection, put_in(connection, f"after {way}", 2))
            assert fleet.processes[1].poll() is None

    @pytest.mark.parametrize("way", ["silent", "refused"])
    @pytest.mark.parametrize("kind", ["worker", "reconciler"])
    def test_that_stays_cut_ends_the_process_with_a_code_of_its_own(
        self, database_url, redis_url, connection, simulator, tmp_path, kind, way
    ):
        with (
            proxied(database_url) as proxy,
            Fleet(database_url, redis_url, simulator.url, tmp_path, **SHORT) as fleet,
        ):
            alone = getattr(fleet, kind)(DATABASE_URL=proxy.url, TRAWLER_UNHEALTHY_SECONDS="3")
            eventually(lambda: signed_in(connection, kind))
            cut(proxy, way)
            assert alone.wait(30) == UNHEALTHY
            assert '"process_unhealthy"' in fleet.log()
            assert '"silent": "database"' in fleet.log()


def cut(proxy: Proxy, way: str) -> None:
    if way == "refused":
        proxy.refuse()
    elif way == "silent":
        proxy.silence()
    else:
        proxy.silence(at=COMMIT)


@contextlib.contextmanager
def running_up(database_url: str, redis_url: str, provider_url: str, log: Path, **settings: str) -> Iterator[int]:
    """A real ``./run up`` with one worker, on servers that are given."""
    environment = {
        **os.environ,
        **FAST,
        **SHORT,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "TRAWLER_HOME": str(log.parent / "home"),
        "TRAWLER_PROCESSES": "1",
        "SCRAPECREATORS_BASE_URL": provider_url,
        "SCRAPECREATORS_API_KEY": "test-key",
        "PYTHONPATH": str(ROOT),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.up"],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
        assert process.poll() is None
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.slow
class TestUpWithoutPostgres:
    @pytest.mark.parametrize("way", ["silent", "refused"])
    def test_holds_its_workers_ends_them_after_a_bound_and_has_others_when_it_is_back(
        self, database_url, redis_url, connection, simulator, tmp_path, way
    ):
        log = tmp_path / "up.log"
        with (
            proxied(database_url) as proxy,
            running_up(proxy.url, redis_url, simulator.url, log, TRAWLER_UNHEALTHY_SECONDS="3"),
        ):
            # Given a job in the middle of a page
            simulator.set_fault("gate", match={"query": "held"}, after=1, times=1)
            job_id = insert_job(connection, keywords=["held"], target_results=1000, search_params=THIN)
            simulator.wait_for_gate(timeout_seconds=30)
            # When Postgres is away for all
            cut(proxy, way)
            simulator.open_gate()
            # Then the worker ends, and each that is started meanwhile finds that there is no use
            eventually(lambda: f'"exit_code": {UNHEALTHY}' in log.read_text())
            eventually(lambda: '"exit_code": 69' in log.read_text())
            # And when it is back, the job goes on by itself
            proxy.heal()
            assert_complete(connection, {"held": job_id})
            # A claim of the worker that ended may be what arrives late: a lease that nobody holds.
            *swept, last = attempts(connection, job_id)
            assert (set(swept), last) == ({("crashed", "lease_expired")}, ("completed", "exhausted"))
            assert log.read_text().count('"worker_started"') >= 2


@pytest.fixture(scope="module")
def postgres(tmp_path_factory) -> Iterator[OwnPostgres]:
    with own_postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres


@pytest.mark.slow
class TestPostgresItself:
    @pytest.mark.parametrize("end", [OwnPostgres.kill, OwnPostgres.stop], ids=["killed", "restarted"])
    @pytest.mark.parametrize("lease", [LONG, SHORT], ids=["within the lease", "past every lease"])
    def test_away_for_seconds_is_waited_for(self, postgres, redis_url, module_simulator, tmp_path, end, lease):
        migrate(postgres.url)
        with fleet_of(
            postgres.url, redis_url, module_simulator, tmp_path, workers=2, TRAWLER_SLOTS="4", **lease
        ) as fleet:
            # Given jobs on their way
            with connect(postgres.url, "test") as connection:
                connection.execute("TRUNCATE scraping_jobs, worker.tasks CASCADE")
                jobs = put_in(connection, f"{end.__name__} {lease['TRAWLER_LEASE_SECONDS']}", 2 * JOBS)
                eventually(lambda: pages(connection) >= JOBS)
                before = pages(connection)
                assert not all(is_final(connection, job_id) for job_id in jobs.values())
                # When Postgres ends, and stays away until every worker has tried for a while
                end(postgres)
            eventually(lambda: all(failed >= 6 for failed in beats_that_failed(fleet)))
            postgres.start()
            # Then nothing is lost, by the same processes
            with connect(postgres.url, "test") as connection:
                assert pages(connection) >= before
                assert_complete(connection, jobs)
                assert [process.poll() for process in fleet.processes] == [None] * 3
                # And a lease that lived through it is not taken for a crash; one that did not, once
                assert crashes(connection) == [] if lease is LONG else set(crashes(connection)) <= {1}


def cut_everybody(admin: psycopg.Connection, connection: psycopg.Connection) -> int:
    """Cut every connection to a database but the test's own; give how many there were."""
    (count,) = admin.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
        (connection.info.dbname, connection.info.backend_pid),
    ).fetchone()
    return count


@pytest.mark.slow
class TestEveryBackendCutAgainAndAgain:
    def test_costs_no_attempt_and_no_command_ends_in_a_traceback(
        self, servers, database_url, redis_url, connection, simulator, tmp_path
    ):
        with (
            fleet_of(database_url, redis_url, simulator, tmp_path, workers=2, TRAWLER_SLOTS="4") as fleet,
            connect(servers.database_url, "admin") as admin,
        ):
            # Given processes that are up: one that is cut off while it starts ends, and is started again by another
            eventually(lambda: connection.execute("SELECT count(*) = 3 FROM worker.workers").fetchone()[0])
            jobs = put_in(connection, "cut", 3 * JOBS)
            some = next(iter(jobs.values()))
            # When everybody is cut all the time while commands run, and is let be between them
            count, told = 0, []
            for command in (["list"], ["show", some], ["explain", some], ["status"], ["retry", some]):
                stored = pages(connection)
                output, errors = tmp_path / f"{command[0]}.output", tmp_path / f"{command[0]}.errors"
                process = ForkedProcess("scripts.ops", command, fleet.environment, tmp_path, output, errors)
                while process.poll() is None:
                    count += cut_everybody(admin, connection)
                    time.sleep(0.005)  # else the processor has nothing left for those who are cut
                told.append((process.returncode, errors.read_text()))
                eventually(lambda stored=stored: pages(connection) > stored or done(connection, jobs))
            assert count > 20
            # Then each command did its work or said in a line that it could not
            for code, errors in told:
                assert "Traceback" not in errors
                assert code in (0, 1) or (code == 2 and errors.startswith("ops: "))
            # And nothing is missing, by the same processes
            assert_complete(connection, jobs)
            assert [process.poll() for process in fleet.processes] == [None] * 3
