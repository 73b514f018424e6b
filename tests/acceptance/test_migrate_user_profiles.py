"""The move of the older layout as an operator runs it: what it says, and what it costs to kill it."""

import contextlib
import json

import psutil
import psycopg
import pytest

from db.session import connect
from tests.faults.points import waiting_backend
from tests.fleet import Fleet, eventually
from tests.integration.user_profiles import TABLES, contents, counts, fill, lost, older_table
from tests.roles import Account, deployed

WIDTH = 100
COMMAND = "migrate-user-profiles"
USERS = 20
ROWS = 100_000
LONGEST_SECONDS = 540.0
BATCH = ("--batch", "5")


@pytest.fixture
def fleet(database_url, redis_url, tmp_path):
    with Fleet(database_url, redis_url, "http://127.0.0.1:9", tmp_path, COLUMNS=str(WIDTH)) as fleet:
        yield fleet


@pytest.fixture
def rows(connection):
    older_table(connection)
    return connection


def test_tells_what_it_did_and_how_to_restore_and_drop(fleet, rows):
    fill(rows, 1, USERS)
    rows.execute("INSERT INTO user_profiles (user_id, current_plan) VALUES ('user_a', 'platinum')")
    before = contents(rows)
    done = fleet.ops(COMMAND, *BATCH)
    assert done.returncode == 0
    assert done.stderr == "ops: 1 rows were skipped; mend them, and run again\n"
    assert "21 rows: 20 moved, 0 completed, 0 kept, 1 skipped" in done.stdout
    assert "verified: 100 rows of five tables, 0 changed since" in done.stdout
    assert "current_plan: 'platinum' is no plan of subscription_plans" in done.stdout
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if not line.startswith("restore")) <= WIDTH
    # What it says about restoring and dropping is true
    restore, drop = (next(line for line in lines if line.startswith(word)) for word in ("restore", "drop"))
    rows.execute("DELETE FROM user_profiles")
    rows.execute(restore.removeprefix("restore").encode())
    assert contents(rows) == before
    rows.execute(drop.removeprefix("drop").encode())
    assert lost(rows) == ["user_a"]


def test_a_dry_run_as_json_names_what_cannot_be_moved(fleet, rows):
    fill(rows, 1, 3)
    rows.execute("INSERT INTO user_profiles (user_id) VALUES (NULL), ('user_000002')")
    done = fleet.ops(COMMAND, "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["dry_run"], told["backup"]) == (0, True, None)
    assert told["results"] == {"moved": 2, "skipped": 3}
    assert told["reasons"] == {"user_id": 3}
    assert counts(rows)["users"] == 0
    assert json.loads(fleet.ops(COMMAND, "--json").stdout)["verified_good"] is True


def test_of_many_rows_that_cannot_be_moved_it_names_some_and_counts_all_by_reason(fleet, rows):
    rows.execute(
        "INSERT INTO user_profiles (user_id, current_plan)"
        " SELECT nullif('user_' || n, 'user_1'), 'gold' FROM generate_series(1, 25) n"
    )
    done = fleet.ops(COMMAND, "--dry-run")
    assert done.stderr == "ops: 25 rows would be skipped; mend them, and run again\n"
    assert "and 5 more: --json names 25\nreasons: 24 current_plan, 1 user_id\n" in done.stdout


def test_without_an_older_table_it_says_so(fleet, connection):
    done = fleet.ops(COMMAND)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ops: there is no table public.user_profiles; nothing is to be moved in this database\n"


def test_a_backup_that_is_there_and_a_name_that_is_none_are_refused(fleet, rows):
    fill(rows, 1, 2)
    rows.execute("CREATE TABLE worker.kept (a integer)")
    there = fleet.ops(COMMAND, "--backup", "kept")
    assert (there.returncode, there.stdout) == (2, "")
    assert "no backup is overwritten" in there.stderr
    assert fleet.ops(COMMAND, "--backup", "a b; DROP").returncode == 2
    assert counts(rows)["users"] == 0


@pytest.mark.direct("logs in as roles that a pooler does not know")
def test_a_role_that_may_not_do_it_or_does_not_see_all_rows_is_told_so(servers, redis_url, tmp_path):
    with deployed(servers.database_url) as deployment, connect(deployment.owner.url) as owner:
        older_table(owner)
        fill(owner, 1, 3)

        def command(account: Account):
            return Fleet(account.url, redis_url, "", tmp_path).ops(COMMAND)

        # Given the least role of a fleet
        done = command(deployment.fleet)
        assert (done.returncode, done.stdout) == (2, "")
        assert (
            "permission denied for table user_profiles; this command needs the role that runs the migr" in done.stderr
        )
        # Given the owner, from whom a policy hides two of the rows
        owner.execute("CREATE POLICY one ON user_profiles USING (user_id = 'user_000001')")
        for verb in ("ENABLE", "FORCE"):
            owner.execute(f"ALTER TABLE user_profiles {verb} ROW LEVEL SECURITY".encode())
        done = command(deployment.owner)
        assert (done.returncode, done.stdout) == (2, "")
        assert "row-level security policy for table" in done.stderr
        assert counts(owner)["users"] == 0
        # Given the owner without that
        owner.execute("ALTER TABLE user_profiles DISABLE ROW LEVEL SECURITY")
        assert command(deployment.owner).returncode == 0
        assert (lost(owner), counts(owner)) == ([], dict.fromkeys(TABLES, 3))


def uncommitted_user(holder: psycopg.Connection) -> None:
    holder.execute("INSERT INTO users (user_id) VALUES ('user_000012')")


def locked(table: str, mode: str = "ACCESS EXCLUSIVE"):
    return lambda holder: holder.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())


POINTS = {
    "while the backup is made": (locked("user_profiles"), "user_profiles", 0),
    "at the first table of a later batch": (uncommitted_user, "INSERT INTO public.", 10),
    "at the last table of the first batch": (
        locked("user_system_data", "SHARE ROW EXCLUSIVE"),
        'INSERT INTO public."user_system_data"',
        0,
    ),
    "at the plans, before anything": (locked("subscription_plans"), "subscription_plans", 0),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_and_run_again_nothing_is_lost_and_nothing_twice(fleet, rows, database_url, point):
    hold, statement, moved = POINTS[point]
    fill(rows, 1, USERS)
    # Given a run that waits at the point, and is killed there
    with connect(database_url, "somebody else", autocommit=False) as holder:
        hold(holder)
        process = fleet.start("scripts.ops", COMMAND, *BATCH)
        eventually(lambda: waiting_backend(rows, statement))
        fleet.kill(process)
        holder.rollback()
    # When it is run again
    told = json.loads(fleet.ops(COMMAND, *BATCH, "--json").stdout)
    # Then all is there once, and the batches before the point were not done again
    assert told["verified_good"]
    assert told["results"] == {"moved": USERS}
    assert told["continued"] is (moved > 0 or "table" in point)
    assert lost(rows) == []
    assert counts(rows) == dict.fromkeys(TABLES, USERS)
    assert backups(rows) == 1


def test_killed_before_it_says_that_it_is_finished_it_only_verifies_again(fleet, rows, database_url):
    fill(rows, 1, USERS)
    with connect(database_url, "somebody else", autocommit=False) as holder:
        # Given a run that waits until somebody holds its backup so that rows may change and the table may not
        uncommitted_user(holder)
        process = fleet.start("scripts.ops", COMMAND, *BATCH)
        eventually(lambda: waiting_backend(rows, "INSERT INTO public."))
        name = rows.execute("SELECT relname FROM pg_class WHERE relname LIKE 'user_profiles_backup_%'").fetchone()[0]
        with connect(database_url, "somebody else", autocommit=False) as watcher:
            locked(f"worker.{name.removesuffix('_pkey')}", "SHARE UPDATE EXCLUSIVE")(watcher)
            holder.rollback()
            backend = eventually(lambda: waiting_backend(rows, "COMMENT ON TABLE"))
            fleet.kill(process)
            # Nobody tells a backend that its process is gone: it would finish the statement.
            rows.execute("SELECT pg_terminate_backend(%s)", (backend,))
            eventually(lambda: waiting_backend(rows, "COMMENT ON TABLE") is None)
    before = [contents(rows, table) for table in TABLES]
    told = json.loads(fleet.ops(COMMAND, *BATCH, "--json").stdout)
    assert (told["continued"], told["results"], told["verified_good"]) == (True, {"moved": USERS}, True)
    assert [contents(rows, table) for table in TABLES] == before
    assert (lost(rows), backups(rows)) == ([], 1)


def test_two_runs_at_once_move_everything_once(fleet, rows, database_url):
    fill(rows, 1, USERS)
    with connect(database_url, "somebody else", autocommit=False) as holder:
        uncommitted_user(holder)
        runs = [fleet.start("scripts.ops", COMMAND, *BATCH, "--json") for _ in range(2)]
        eventually(lambda: waiting_backend(rows, "INSERT INTO public."))
        eventually(lambda: waiting_backend(rows, "pg_advisory_xact_lock"))
        holder.rollback()
    assert [run.wait(30) for run in runs] == [0, 0]
    assert (lost(rows), counts(rows)) == ([], dict.fromkeys(TABLES, USERS))
    assert backups(rows) == 1
    # Then what the first made of a row is not written over by the second, which finds its user there
    results = [json.loads(path.read_text())["results"] for path in sorted(fleet.logs.glob("*.log"))]
    assert results == [{"moved": USERS}] * 2


def test_a_user_whom_the_application_makes_at_that_moment_is_not_made_twice(fleet, rows, database_url):
    fill(rows, 1, USERS)
    with connect(database_url, "the application", autocommit=False) as application:
        uncommitted_user(application)
        process = fleet.start("scripts.ops", COMMAND, *BATCH)
        eventually(lambda: waiting_backend(rows, "INSERT INTO public."))
        application.commit()
    assert process.wait(30) == 0
    assert counts(rows) == dict.fromkeys(TABLES, USERS)
    assert lost(rows) == ["user_000012"]  # It keeps the identity that the application gave it.


@pytest.mark.slow(minutes=3)
@pytest.mark.timeout(660)
def test_a_hundred_thousand_rows_are_moved_and_verified_in_little_memory(fleet, rows):
    fill(rows, 1, ROWS)
    process = fleet.start("scripts.ops", COMMAND, "--json")
    seen = psutil.Process(process.pid)
    most = 0

    def ended() -> bool:
        nonlocal most
        with contextlib.suppress(psutil.NoSuchProcess):
            most = max(most, seen.memory_info().rss)
        return process.poll() is not None

    eventually(ended, seconds=LONGEST_SECONDS)
    told = json.loads(fleet.log())
    assert (process.returncode, told["results"]) == (0, {"moved": ROWS})
    assert told["verified"] == dict.fromkeys(TABLES, ROWS)
    assert (told["verified_good"], lost(rows)) == (True, [])
    # All rows at once are some 400 MB as Python holds them.
    assert 0 < most < 150_000_000


def backups(rows) -> int:
    return rows.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'worker'::regnamespace AND relkind = 'r'"
        " AND relname LIKE 'user_profiles_backup_%'"
    ).fetchone()[0]
