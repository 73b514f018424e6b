"""Many jobs at once by the ops command: filters, looks before, questions, what is taken back, and bad input."""

import json
import os
import pty
import subprocess
import sys
from uuid import uuid4

import psycopg
import pytest

from db.queries import adopting
from db.session import connect
from tests.fleet import Fleet, eventually
from tests.integration.operating.made import actions, ended, make_lanes, pending, row, set_row
from tests.jobs import insert_job, job, state, stored_ids

WIDTH = 100


@pytest.fixture
def ops(database_url, redis_url, tmp_path, connection):
    """The command, as on a machine where nothing else runs."""
    make_lanes(connection)
    return Fleet(database_url, redis_url, "", tmp_path, COLUMNS=str(WIDTH)).ops


def told(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.stderr == ""
    return json.loads(done.stdout)


def fits(text: str) -> bool:
    return max(map(len, text.splitlines())) <= WIDTH


def many(connection: psycopg.Connection, count: int, error: str = "gave up") -> None:
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, platform, keywords, status, error)"
        " SELECT 'many', 'TikTok', '[\"lamp\"]', 'error', %s FROM generate_series(1, %s)",
        (error, count),
    )


def statuses(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT status, count(*) FROM scraping_jobs GROUP BY 1").fetchall())


class TestRetry:
    def test_by_a_filter_looks_before_and_names_what_it_left_alone(self, ops, connection):
        # Given two jobs that ended by one error, one by another, and one of the first that is running
        mine = [ended(connection, "scraping_jobs") for _ in range(2)]
        other = ended(connection, "scraping_jobs")
        runs = ended(
            connection,
            "scraping_jobs",
            state="leased",
            closed_at=None,
            end_reason=None,
            token=uuid4(),
            expires_at="1 h",
        )
        for job_id in (*mine, runs):
            set_row(connection, "scraping_jobs", job_id, error="HTTP 500 [red]%_[/red] " + "long " * 60)
        set_row(connection, "scraping_jobs", other, error="HTTP 500 xx")
        chosen = ("retry", "--status", "error", "--platform", "tiktok", "--kind", "keyword", "--error-like", "%_")
        # When it is looked at, nothing changes
        look = ops(*chosen, "--dry-run")
        assert (look.returncode, look.stderr) == (0, "")
        assert "2 would be set back; nothing was changed (2 scraping jobs error)" in look.stdout
        assert f"{runs}  skipped: it is running" in look.stdout
        assert fits(look.stdout)
        seen = told(ops(*chosen, "--dry-run", "--json"))
        assert (sorted(seen["would"]), seen["skipped"], seen["more"]) == (sorted(mine), {runs: "it is running"}, False)
        assert actions(connection) == []
        # When it is done, those alone are set back
        done = ops(*chosen)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("pending again") == 2
        assert f"{runs}  skipped: it is running" in done.stdout
        assert {job_id: job(connection, job_id)["status"] for job_id in (*mine, other, runs)} == {
            **dict.fromkeys(mine, "pending"),
            **dict.fromkeys((other, runs), "error"),
        }
        (event,) = actions(connection)
        assert event["actor"].startswith("ops ")

    def test_of_all_tables_by_time_and_user_is_undone(self, ops, connection):
        jobs = {table: ended(connection, table) for table in ("scraping_jobs", "background_jobs", "search_jobs")}
        set_row(connection, "scraping_jobs", jobs["scraping_jobs"], user_id="user_1", updated_at="2026-01-01 00:00")
        # Of the last hour there are two, and the search is nobody's
        first = told(ops("retry", "--since", "1h", "--user", "user_1", "--json"))
        assert first["retried"] == [jobs["background_jobs"]]
        second = told(ops("retry", "--until", "2026-01-01T00:01", "--status", "error", "--spread", "10m", "--json"))
        assert second["retried"] == [jobs["scraping_jobs"]]
        # The last is undone first, then the one before it, then there is none
        assert told(ops("undo", "--dry-run", "--json"))["undone"] == [jobs["scraping_jobs"]]
        assert told(ops("undo", "--json"))["undone"] == [jobs["scraping_jobs"]]
        assert ops("undo").stdout == f"{jobs['background_jobs']}  as it was\n"
        assert {table: row(connection, table, job_id)["status"] for table, job_id in jobs.items()} == {
            "scraping_jobs": "error",
            "background_jobs": "failed",
            "search_jobs": "error",
        }
        last = ops("undo")
        assert (last.returncode, last.stderr) == (1, "ops: there is no retry to undo\n")

    def test_from_the_start_deletes_what_was_stored_says_so_and_cannot_be_undone(self, ops, connection):
        job_id = ended(connection, "scraping_jobs")
        connection.execute(
            'INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, \'[{"creator": {"id": "a"}}]\')',
            (job_id,),
        )
        set_row(connection, "scraping_jobs", job_id, processed_results=1)
        done = ops("retry", job_id, "--from-start")
        assert (done.returncode, done.stderr) == (0, "")
        assert "deleted: 1 creator; what was counted against users' plans stays counted" in done.stdout
        assert stored_ids(connection, job_id) == []
        undone = ops("undo")
        assert (undone.returncode, undone.stdout) == (1, "")
        assert "cannot be brought back" in undone.stderr

    def test_of_a_search_by_its_own_id(self, ops, connection):
        ended(connection, "search_jobs", "my search")
        assert ops("retry", "search:my search").returncode == 0
        assert connection.execute("SELECT status FROM search_jobs").fetchone() == ("queued",)


class TestManyJobs:
    def test_are_asked_about_and_without_an_answer_left_alone(self, ops, connection):
        many(connection, 101)
        for command in (("retry", "--user", "many"), ("retry", "--user", "many", "--from-start")):
            refused = ops(*command)
            assert (refused.returncode, refused.stdout) == (3, "")
            assert "101 jobs would be set back" in refused.stderr
            assert "--dry-run" in refused.stderr
            assert "--yes" in refused.stderr
        assert statuses(connection) == {"error": 101}
        # A hundred are not asked about
        assert ops("retry", "--user", "many", "--limit", "100").returncode == 0
        assert statuses(connection) == {"error": 1, "pending": 100}
        # And a hundred are what there is to cancel
        assert ops("cancel", "--user", "many", "--reason", "x").returncode == 0

    def test_are_told_by_their_number_and_of_more_than_ten_thousand_the_rest_is_named(self, ops, connection):
        many(connection, 10_001)
        done = ops("retry", "--user", "many", "--yes")
        assert (done.returncode, done.stderr) == (0, "")
        assert "10,000  pending again" in done.stdout
        assert "more jobs are meant" in done.stdout
        assert len(done.stdout.splitlines()) < 5
        assert statuses(connection) == {"error": 1, "pending": 10_000}
        undone = ops("undo")
        assert "10,000  as it was" in undone.stdout
        assert statuses(connection) == {"error": 10_001}

    @pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, "pending"), ("n\n", 3, "error")])
    def test_are_changed_when_somebody_says_yes_at_a_terminal(self, ops, connection, answer, code, left):
        many(connection, 101)
        screen = ops.__self__.environment
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "scripts.ops", "retry", "--user", "many"]
        with subprocess.Popen(
            command, env=screen, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            os.write(ours, answer.encode())
            _, errors = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code, errors
        assert b"Go on?" in errors
        assert statuses(connection) == {left: 101}


class TestCancel:
    def test_by_a_filter_looks_before_and_stops_what_it_means(self, ops, connection):
        mine, other = pending(connection, "scraping_jobs", user_id="me"), pending(connection, "scraping_jobs")
        look = ops("cancel", "--user", "me", "--reason", "x", "--dry-run")
        assert "1 would be stopped; nothing was changed" in look.stdout
        assert job(connection, mine)["status"] == "pending"
        done = ops("cancel", "--user", "me", "--reason", "too [b]dear[/b]")
        assert done.stdout == f"{mine}  cancelled at once\n"
        assert job(connection, mine)["error"] == "cancelled: too [b]dear[/b]"
        assert job(connection, other)["status"] == "pending"
        nothing = ops("cancel", "--user", "me", "--reason", "x")
        assert (nothing.returncode, nothing.stdout) == (1, "no job is meant\n")


class TestList:
    def test_goes_through_the_pages_by_the_last_id(self, ops, connection):
        ids = [insert_job(connection, created_at=f"2026-01-01 00:0{n // 2}", status="error") for n in range(7)]
        rest = [insert_job(connection, created_at="2026-01-01 00:01", status="pending")]
        seen: list[str] = []
        page = ops("list", "--limit", "3")
        assert fits(page.stdout)
        for _ in range(4):
            after = ("--after", seen[-1]) if seen else ()
            seen += [one["id"] for one in json.loads(ops("list", "--limit", "3", "--json", *after).stdout)]
        assert sorted(seen) == sorted(ids + rest)
        assert len(seen) == len(set(seen))
        assert f"--after {seen[2]}" in page.stdout

    @pytest.mark.parametrize("table", ["background_jobs", "search_jobs"])
    def test_of_each_table_filters_and_goes_on(self, ops, connection, table):
        for name in ("one", "two", "three"):
            ended(connection, table, name)
        first = json.loads(ops("list", "--table", table, "--limit", "2", "--json").stdout)
        second = json.loads(ops("list", "--table", table, "--after", first[-1]["id"], "--json").stdout)
        assert len({one["id"] for one in first + second}) == 3
        assert ops("list", "--table", table, "--status", "pending").stdout == "Jobs: none\n"
        assert fits(ops("list", "--table", table).stdout)

    def test_takes_a_search_that_no_reconciler_has_seen(self, ops, connection):
        connection.execute("ALTER TABLE search_jobs DISABLE TRIGGER ALL")
        connection.execute(
            "INSERT INTO search_jobs (id, platform, search_type, total_count) VALUES ('new', 'TikTok', 'keyword', 5)"
        )
        assert [one["id"] for one in json.loads(ops("list", "--table", "search_jobs", "--json").stdout)] == ["new"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (("retry",), "nothing is chosen"),
            (("cancel", "--reason", "x", "--limit", "3"), "nothing is chosen"),
            (("retry", "--since", "yesterday"), "--since is 'yesterday'; expected a time such as"),
            (("retry", "--until", "2026-13-01"), "--until is '2026-13-01'"),
            (("list", "--since", "99999999d"), "--since is '99999999d'"),
            (("retry", "--since", "1h", "--until", "2h"), "--since is not before until"),
            (("retry", "--status", "error", "--spread", "soon"), "--spread is 'soon'"),
            (("retry", "--status", "error", "--spread", "0m"), "--spread is '0m'"),
            (("retry", "--campaign", "Spring"), "--campaign is 'Spring'; expected a UUID"),
            (("retry", "--status", "error", "--limit", "10001"), "10000"),
            (("list", "--table", "users"), "users"),
            (("list", "--after", "lamp"), "lamp: not a job id"),
            (("retry", "lamp"), "lamp: not a job id"),
            (("undo", "--batch"), "--batch"),
        ],
    )
    def test_is_told_with_what_is_expected_and_changes_nothing(self, ops, connection, arguments, word):
        job_id = ended(connection, "scraping_jobs")
        done = ops(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert job(connection, job_id)["status"] == "error"

    def test_unknown_ids_are_skipped_and_nothing_done_exits_with_1(self, ops):
        missing = str(uuid4())
        done = ops("retry", missing)
        assert (done.returncode, done.stdout) == (1, f"{missing}  skipped: there is no such job\n")
        assert told(ops("cancel", missing, "--reason", "x", "--json"))["skipped"] == {missing: "there is no such job"}

    @pytest.mark.parametrize(
        "arguments",
        [
            ("retry", "--status", "error"),
            ("undo",),
            ("cancel", "--status", "pending", "--reason", "x"),
            ("pause", "--all", "--reason", "x"),
            ("drain",),
            ("limits", "show"),
            ("prune",),
            ("top", "--once"),
            ("workers",),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_a_database_that_is_away_is_said_in_a_line(self, redis_url, tmp_path, arguments):
        away = Fleet("postgresql://me:s3cret@127.0.0.1:1/gone", redis_url, "", tmp_path)
        done = away.ops(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "does not answer" in done.stderr
        assert "s3cret" not in done.stderr
        assert len(done.stderr.splitlines()) <= 3


class TestAJobThatIsBeingLeasedMeanwhile:
    def test_is_left_to_its_worker(self, ops, connection, database_url):
        # Given two jobs that ended, one of which a worker's transaction holds at this moment
        held, free = ended(connection, "scraping_jobs"), ended(connection, "scraping_jobs")
        with connect(database_url) as worker, worker.transaction():
            set_row(worker, "scraping_jobs", held, status="pending")
            adopting.adopt_from_inbox(worker, "scraping_jobs", 10)
            worker.execute("SELECT FROM worker.claim('scrape.tiktok', 'w', ARRAY[gen_random_uuid()], '1 min', '1 h')")
            done = ops("retry", "--status", "error")
        assert f"{free}  pending again" in done.stdout
        assert f"{held}  skipped: somebody else holds its row or task at this moment" in done.stdout
        eventually(lambda: state(connection, held) == "leased")
        assert job(connection, held)["status"] == "processing"
