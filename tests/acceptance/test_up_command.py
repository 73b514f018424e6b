"""``./run up``: what it starts, what it starts again, and that nothing outlives it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from db.session import connect
from platforms.simulator.running import running_simulator
from tests.fleet import FAST, ROOT, eventually, living
from tests.jobs import assert_counters_are_true, insert_job, is_final, job
from worker.embedded import Servers, running_servers

END_SECONDS = 5

pytestmark = pytest.mark.direct("brings servers of its own")


@dataclass
class Up:
    """A running ``up``, the servers it started and a connection to its database."""

    process: subprocess.Popen[bytes]
    servers: Servers
    connection: psycopg.Connection
    log: Path

    def family(self) -> list[psutil.Process]:
        """The process and all below it."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def workers(self) -> list[int]:
        """Process ids of the workers that say they live."""
        found = self.connection.execute("SELECT pid FROM worker.workers WHERE kind = 'worker'").fetchall()
        return [pid for (pid,) in found if psutil.pid_exists(pid)]


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", "60") as simulator:
        yield simulator


@pytest.fixture
def simulator(running):
    yield running
    running.clear_faults()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("up") / "home"


@pytest.fixture(scope="module")
def environment(home, running) -> dict[str, str]:
    return {
        **os.environ,
        **FAST,
        "TRAWLER_LEASE_SECONDS": "2",
        "TRAWLER_BEAT_SECONDS": "0.5",
        "TRAWLER_HOME": str(home),
        "TRAWLER_PROCESSES": "1",
        "SCRAPECREATORS_BASE_URL": running.url,
        "SCRAPECREATORS_API_KEY": "test-key",
        "PYTHONPATH": str(ROOT),
    }


def start(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.up"],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@contextlib.contextmanager
def running_up(environment: dict[str, str], home: Path, log: Path) -> Iterator[Up]:
    process = start(environment, log)
    family: list[psutil.Process] = []
    try:
        servers = eventually(lambda: process.poll() is None and running_servers(home))
        with connect(servers.database_url, "test") as connection:
            ready = "SELECT count(*) = 2 FROM worker.workers WHERE started_at > pg_postmaster_start_time()"
            migrated = "SELECT to_regclass('worker.workers') IS NOT NULL"
            eventually(lambda: connection.execute(migrated).fetchone()[0])
            eventually(lambda: connection.execute(ready).fetchone()[0])
            up = Up(process, servers, connection, log)
            family = up.family()
            yield up
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for left in living(family):
            left.kill()
        process.wait()


@pytest.fixture
def up(environment, home, tmp_path):
    with running_up(environment, home, tmp_path / "up.log") as started:
        yield started


@contextlib.contextmanager
def in_mid_page(up: Up, simulator) -> Iterator[str]:
    """A job whose second page the provider holds back."""
    simulator.set_fault("gate", match={"query": "held"}, after=1)
    job_id = insert_job(up.connection, keywords=["held"], target_results=1000, search_params={"enrich": "none"})
    simulator.wait_for_gate()
    yield job_id


class TestUp:
    def test_completes_a_job_that_is_inserted_into_its_database(self, up):
        job_id = insert_job(up.connection, keywords=["first"], target_results=10)
        eventually(lambda: is_final(up.connection, job_id))
        assert job(up.connection, job_id)["status"] == "completed"
        assert_counters_are_true(up.connection, job_id)

    def test_starts_a_killed_worker_again_and_its_job_completes(self, up, simulator):
        # Given a worker in the middle of a page
        with in_mid_page(up, simulator) as job_id:
            (victim,) = up.workers()
            # When it is killed
            os.kill(victim, signal.SIGKILL)
            # Then there is another one
            eventually(lambda: [pid for pid in up.workers() if pid != victim])
            # And it completes the job
            simulator.clear_faults()
            eventually(lambda: is_final(up.connection, job_id))
        assert job(up.connection, job_id)["status"] == "completed"
        assert_counters_are_true(up.connection, job_id)

    def test_refuses_a_second_one_on_the_same_folder(self, up, environment, tmp_path, home):
        second = start(environment, tmp_path / "second.log")
        assert second.wait(30) == 2
        text = (tmp_path / "second.log").read_text()
        assert f"in use by process {up.process.pid}" in text
        assert "Traceback" not in text
        # And the first goes on
        assert running_servers(home) == up.servers
        assert up.process.poll() is None

    def test_ends_cleanly_on_ctrl_c(self, up):
        family = up.family()
        assert len(family) >= 6, "up, reconciler, worker, guard, Postgres, Valkey"
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(20) == 0
        assert living(family) == []
        assert "Traceback" not in up.log.read_text()

    @pytest.mark.slow
    def test_lets_a_running_slice_leave_after_its_page_on_sigterm(self, up, simulator, home, environment, tmp_path):
        # Given a worker in the middle of a page
        with in_mid_page(up, simulator) as job_id:
            family = up.family()
            # When all is told to end, and then the page comes
            up.process.send_signal(signal.SIGTERM)
            eventually(lambda: '"stopping"' in up.log.read_text())
            simulator.open_gate()
            # Then the end is clean
            assert up.process.wait(20) == 0
            assert living(family) == []
        simulator.clear_faults()
        # And the next one goes on with the job, at no cost
        with running_up(environment, home, tmp_path / "next.log") as following:
            eventually(lambda: is_final(following.connection, job_id))
            assert job(following.connection, job_id)["status"] == "completed"
            assert_counters_are_true(following.connection, job_id)
            outcomes = following.connection.execute(
                "SELECT outcome FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id WHERE t.job_id = %s",
                (job_id,),
            ).fetchall()
            assert ("crashed",) not in outcomes
            assert ("retry",) not in outcomes

    @pytest.mark.slow
    def test_that_is_killed_leaves_no_process(self, up):
        family = up.family()
        up.process.kill()
        up.process.wait()
        eventually(lambda: living(family) == [], END_SECONDS)

    @pytest.mark.slow
    def test_that_is_killed_in_mid_page_leaves_no_process(self, up, simulator):
        # Given a worker in the middle of a page
        with in_mid_page(up, simulator):
            family = up.family()
            # When what supervises it is killed, and the page comes after the servers are gone
            up.process.kill()
            up.process.wait()
            simulator.clear_faults()
            # Then the worker does not hold on to a database that will not come back
            eventually(lambda: living(family) == [], END_SECONDS)


class TestWrongSettings:
    def run(self, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts.up"],
            env=environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_are_told_all_at_once(self, environment, tmp_path):
        wrong = {"TRAWLER_SLOTS": "0", "TRAWLER_LOG_LEVEL": "loud", "SCRAPECREATORS_BASE_URL": "ftp://x"}
        done = self.run({**environment, **wrong}, tmp_path)
        assert done.returncode == 2
        assert all(name in done.stderr for name in wrong)
        assert "Traceback" not in done.stderr

    def test_that_do_not_fit_each_other_are_told_with_the_rest(self, environment, tmp_path):
        wrong = {"TRAWLER_SLOTS": "0", "TRAWLER_BEAT_SECONDS": "60", "TRAWLER_SLICE_LIMIT_SECONDS": "10"}
        done = self.run({**environment, **wrong}, tmp_path)
        assert done.returncode == 2
        assert [name for name in wrong if name not in done.stderr] == []

    def test_of_the_timers_say_what_is_expected(self, environment, tmp_path):
        done = self.run({**environment, "TRAWLER_BEAT_SECONDS": "60"}, tmp_path)
        assert done.returncode == 2
        assert "TRAWLER_BEAT_SECONDS is 60" in done.stderr
        assert "a quarter of the lease" in done.stderr

    def test_of_a_server_that_does_not_answer_names_the_variable(self, environment, tmp_path):
        away = {"DATABASE_URL": "postgresql://a:s3cret@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
        done = self.run({**environment, **away}, tmp_path)
        assert done.returncode == 2
        assert "s3cret" not in done.stderr
        assert "Traceback" not in done.stderr
        assert "DATABASE_URL" in done.stderr
