"""What an operator stops, lets go on, and asks why: the ops command against a running fleet."""

import json
from uuid import uuid4

import pytest

from db.queries import adopting
from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import Fleet, eventually, fleet_of, let_all_go
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, ledger, state, stored_ids, task

ITEMS = 90
SEED = 1
WIDTH = 100
THIN = {"enrich": "none"}
LANE = "scrape.tiktok"


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as simulator:
        yield simulator


@pytest.fixture
def simulator(running):
    running.clear_calls()
    yield running
    running.clear_faults()


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, running, tmp_path_factory, rows):
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, running, logs, COLUMNS=str(WIDTH)) as fleet:
        eventually(lambda: rows.execute("SELECT count(*) = 2 FROM worker.workers").fetchone()[0])
        eventually(lambda: rows.execute("SELECT count(*) = 1 FROM worker.lanes WHERE lane = 'job.noop'").fetchone()[0])
        yield fleet


@pytest.fixture
def open_lanes(rows):
    """The lanes go on after a test that held them back."""
    yield
    rows.execute("UPDATE worker.lanes SET paused = false")


def walk(rows, word: str) -> str:
    return insert_job(rows, keywords=[word], target_results=1000, search_params=THIN)


def insert_background(rows, job_type: str = "noop", payload: str = "{}", due: str = "0 s") -> str:
    return rows.execute(
        "INSERT INTO background_jobs (job_type, payload, scheduled_for)"
        " VALUES (%s, %s, now() AT TIME ZONE 'UTC' + %s::interval) RETURNING id::text",
        (job_type, payload, due),
    ).fetchone()[0]


def background(rows, job_id: str) -> dict[str, str | None]:
    status, error = rows.execute("SELECT status, error FROM background_jobs WHERE id = %s::uuid", (job_id,)).fetchone()
    return {"status": status, "error": error}


def fits(text: str) -> bool:
    return max(map(len, text.splitlines())) <= WIDTH


class TestCancel:
    def test_of_a_job_that_waits_ends_it_at_once(self, fleet, rows, simulator, module_redis_url):
        # Given a job that waits for another try
        simulator.set_fault("status", status=429, headers={"Retry-After": "600"}, match={"query": "waits"})
        job_id = walk(rows, "waits")
        eventually(lambda: state(rows, job_id) == "waiting")
        # When it is cancelled
        done = fleet.ops("cancel", job_id, "--reason", "wrong word")
        # Then it has ended
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split(maxsplit=1) == [job_id, "cancelled at once\n"]
        assert (job(rows, job_id)["status"], job(rows, job_id)["error"]) == ("error", "cancelled: wrong word")
        assert (state(rows, job_id), task(rows, job_id)["end_reason"]) == ("closed", "cancelled")
        let_all_go(module_redis_url)

    @pytest.mark.slow
    def test_of_a_running_job_ends_it_at_its_next_page_and_keeps_its_results(self, fleet, rows, simulator):
        # Given a job in the middle of its second page
        simulator.set_fault("gate", match={"query": "runs"}, after=1, times=1)
        job_id = walk(rows, "runs")
        simulator.wait_for_gate()
        kept = stored_ids(rows, job_id)
        assert kept
        # When it is cancelled, twice, and then the page comes
        done = fleet.ops("cancel", job_id, "--reason", "[red]too dear[/red]")
        assert (done.returncode, done.stderr) == (0, "")
        assert "asked to stop at its next page" in done.stdout
        told = json.loads(fleet.ops("cancel", job_id, "--reason", "other", "--json").stdout)
        assert (told["cancelled"], told["asked"], told["skipped"]) == ([], [job_id], {})
        simulator.open_gate()
        eventually(lambda: is_final(rows, job_id))
        # Then it ended as error, with what it had, the page that was paid for, and nothing after
        row = job(rows, job_id)
        assert (row["status"], row["error"]) == ("error", "cancelled: [red]too dear[/red]")
        assert stored_ids(rows, job_id)[: len(kept)] == kept
        assert len(ledger(rows, job_id)) <= 2
        assert len([call for call in simulator.calls(SEARCH_PATH) if call["params"]["query"] == "runs"]) == 2
        eventually(lambda: state(rows, job_id) == "closed")
        assert attempts(rows, job_id)[-1] == ("error", "cancelled")
        assert_counters_are_true(rows, job_id)
        # And the command says why it ended
        assert "It was cancelled" in fleet.ops("explain", job_id).stdout
        # And a retry goes on where it stopped
        assert fleet.ops("retry", job_id).returncode == 0
        eventually(lambda: job(rows, job_id)["status"] == "completed")
        assert stored_ids(rows, job_id) == list(creators_of(SEED, "runs", ITEMS))

    def test_of_a_background_job_that_is_not_due_ends_it_at_once(self, fleet, rows):
        job_id = insert_background(rows, due="1 h")
        eventually(lambda: state(rows, job_id) == "waiting")
        assert "cancelled at once" in fleet.ops("cancel", job_id, "--reason", "not needed").stdout
        assert background(rows, job_id) == {"status": "failed", "error": "cancelled: not needed"}

    def test_of_a_running_background_job_says_that_its_handler_is_not_interrupted(self, fleet, rows):
        # Given a background job whose handler runs, as its task says
        job_id = insert_background(rows, due="1 h")
        eventually(lambda: state(rows, job_id) == "waiting")
        rows.execute(
            "UPDATE worker.tasks SET state = 'leased', token = gen_random_uuid(), owner = 'w',"
            " expires_at = clock_timestamp() + interval '1 h' WHERE job_id = %s",
            (job_id,),
        )
        # When it is cancelled
        told = fleet.ops("cancel", job_id, "--reason", "late").stdout
        # Then the command promises no more than what happens
        assert "asked to stop when its handler returns" in told
        assert "page" not in told
        assert "when its handler returns" in fleet.ops("explain", job_id).stdout
        rows.execute("DELETE FROM worker.tasks WHERE job_id = %s", (job_id,))

    def test_of_a_finished_and_an_unknown_job_is_skipped_with_the_reason(self, fleet, rows):
        job_id = insert_job(rows, keywords=["done"], target_results=1, search_params=THIN)
        eventually(lambda: is_final(rows, job_id))
        before, missing = job(rows, job_id), str(uuid4())
        done = fleet.ops("cancel", job_id, missing, "--reason", "late")
        assert done.returncode == 1
        assert "skipped: it is completed" in done.stdout
        assert "skipped: there is no such job" in done.stdout
        assert job(rows, job_id) == before
        told = json.loads(fleet.ops("cancel", job_id, "--reason", "late", "--json").stdout)
        assert "completed" in told["skipped"][job_id]

    @pytest.mark.parametrize("arguments", [("cancel", str(uuid4())), ("cancel", "lamp", "--reason", "x")])
    def test_without_a_reason_or_an_id_exits_with_2(self, fleet, arguments):
        done = fleet.ops(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr


class TestCancelOfWhatNobodyAdopted:
    """Against a database without any process of ours."""

    @pytest.fixture
    def alone(self, database_url, redis_url, tmp_path):
        return Fleet(database_url, redis_url, "", tmp_path, COLUMNS=str(WIDTH))

    def test_a_pending_row_that_no_reconciler_has_seen_is_cancelled(self, alone, connection):
        # Given a row of each table, and no reconciler
        scraping, job_id = insert_job(connection), insert_background(connection)
        # When they are cancelled
        done = alone.ops("cancel", scraping, job_id, "--reason", "too early")
        # Then they have ended, and say why
        assert (done.returncode, done.stdout.count("cancelled at once")) == (0, 2), done.stderr
        assert (job(connection, scraping)["status"], job(connection, scraping)["error"]) == (
            "error",
            "cancelled: too early",
        )
        assert background(connection, job_id) == {"status": "failed", "error": "cancelled: too early"}
        assert alone.ops("explain", scraping).stdout.startswith("It was cancelled: too early")
        # And adoption passes over them
        for table in ("scraping_jobs", "background_jobs"):
            assert adopting.adopt_from_inbox(connection, table, 10) == (1, [])
        assert "skipped: it is error" in alone.ops("cancel", scraping, "--reason", "again").stdout

    def test_a_schedule_of_a_type_that_nobody_serves_is_put_with_a_warning(self, alone, connection):
        put = ("schedules", "put", "nightly", "0 3 * * *", "--job-type")
        # Given no lane of that type
        done = alone.ops(*put, "no_such_type")
        assert done.returncode == 0
        assert "no release that ran here has a handler of 'no_such_type'" in done.stderr
        # And given one, but no worker
        connection.execute("INSERT INTO worker.lanes (lane, max_running, max_per_tenant) VALUES ('job.noop', 1, 1)")
        done = alone.ops(*put, "noop", "--json")
        assert "no worker is alive" in done.stderr
        assert json.loads(done.stdout)["job_type"] == "noop"


class TestStatus:
    def test_counts_both_tables_and_says_why_a_lane_is_held_back(self, fleet, rows, open_lanes):
        insert_background(rows, due="1 h")
        fleet.ops("pause", LANE, "--reason", "billing")
        told = fleet.ops("status")
        assert (told.returncode, told.stderr) == (0, "")
        assert "Background jobs: " in told.stdout
        assert " pending" in told.stdout.partition("Background jobs: ")[2].splitlines()[0]
        assert "billing" in told.stdout
        assert fits(told.stdout)
        told = json.loads(fleet.ops("status", "--json").stdout)
        assert told["background_jobs"]["pending"] >= 1
        assert {lane["pause_reason"] for lane in told["lanes"] if lane["lane"] == LANE} == {"billing"}


class TestPauseAndResume:
    def test_pause_stops_new_starts_alone_and_resume_goes_on(self, fleet, rows, simulator, open_lanes):
        # Given a job in the middle of its second page
        simulator.set_fault("gate", match={"query": "before"}, after=1, times=1)
        first = walk(rows, "before")
        simulator.wait_for_gate()
        # When the lane is paused and another job comes
        done = fleet.ops("pause", LANE, "--reason", "billing [b]")
        assert (done.returncode, done.stdout.split(maxsplit=1)) == (0, [LANE, "paused\n"])
        second = walk(rows, "after")
        eventually(lambda: state(rows, second) == "ready")
        # Then the running one goes on to its end
        simulator.open_gate()
        eventually(lambda: is_final(rows, first))
        assert job(rows, first)["status"] == "completed"
        # And the new one has not started, and says why
        assert state(rows, second) == "ready"
        assert job(rows, second)["started_at"] is None
        told = json.loads(fleet.ops("explain", second, "--json").stdout)
        assert (told["code"], told["job_id"]) == ("lane_paused", second)
        assert "billing [b]" in told["sentence"]
        assert json.loads(fleet.ops("pause", LANE, "--reason", "x", "--json").stdout)["unchanged"] == [LANE]
        # When the lane is resumed, then it is done
        assert json.loads(fleet.ops("resume", LANE, "--json").stdout) == {"resumed": [LANE], "unchanged": []}
        eventually(lambda: is_final(rows, second))
        assert stored_ids(rows, second) == list(creators_of(SEED, "after", ITEMS))
        assert "was not held back" in fleet.ops("resume", LANE).stdout

    @pytest.mark.parametrize("arguments", [("pause", LANE, "scrape.mars", "--reason", "x"), ("resume", "scrape.mars")])
    def test_of_an_unknown_lane_lists_the_lanes_and_changes_nothing(self, fleet, rows, arguments):
        done = fleet.ops(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "scrape.mars: no such lane" in done.stderr
        assert LANE in done.stderr
        assert rows.execute("SELECT bool_or(paused) FROM worker.lanes").fetchone() == (False,)


class TestResumeOfAProvider:
    def test_that_was_mended_lets_the_next_job_call_at_once(self, fleet, rows, simulator):
        # Given a provider that refused the key, and is shown as paused
        simulator.set_fault("status", status=401, match={"query": "locked"})
        first = walk(rows, "locked")
        eventually(lambda: state(rows, first) == "waiting")
        (paused,) = json.loads(fleet.ops("status", "--json").stdout)["breakers"]
        assert (paused["provider"], paused["reason"]) == ("scrapecreators", "bad_key")
        assert "Paused providers" in fleet.ops("status").stdout
        # When it is mended and resumed
        simulator.clear_faults()
        done = fleet.ops("resume", "--provider", "scrapecreators")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "scrapecreators  resumed\ndue now, as they waited for it: 1 job\n"
        # Then it is shown no more, and a job that comes now is done
        assert json.loads(fleet.ops("status", "--json").stdout)["breakers"] == []
        second = walk(rows, "unlocked")
        eventually(lambda: is_final(rows, second))
        assert stored_ids(rows, second) == list(creators_of(SEED, "unlocked", ITEMS))
        # And the job that waited goes on at once
        eventually(lambda: is_final(rows, first))
        assert stored_ids(rows, first) == list(creators_of(SEED, "locked", ITEMS))

    def test_that_was_not_held_back_says_so(self, fleet, module_redis_url):
        let_all_go(module_redis_url)
        told = json.loads(fleet.ops("resume", "--provider", "apify", "--json").stdout)
        assert told == {"resumed": [], "unchanged": ["apify"], "jobs_due": 0}

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (("--provider", "nobody"), "there are: scrapecreators"),
            ((), "--provider"),
            ((LANE, "--provider", "apify"), "takes names of lanes, or --provider"),
        ],
    )
    def test_named_wrongly_is_told_what_is_expected(self, fleet, arguments, word):
        done = fleet.ops("resume", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr

    def test_without_redis_says_what_to_do(self, fleet, tmp_path):
        away = Fleet(fleet.environment["DATABASE_URL"], "redis://127.0.0.1:1/0", "", tmp_path)
        done = away.ops("resume", "--provider", "scrapecreators")
        assert (done.returncode, done.stdout) == (2, "")
        assert "Redis did not answer" in done.stderr
        assert "Traceback" not in done.stderr

    def test_has_an_example_in_its_help(self, fleet):
        assert "./run ops resume --provider scrapecreators" in " ".join(fleet.ops("resume", "--help").stdout.split())


class TestExplain:
    def test_tells_of_a_job_what_happened_within_the_width(self, fleet, rows):
        job_id = insert_job(rows, keywords=["told"], target_results=7, search_params=THIN)
        eventually(lambda: state(rows, job_id) == "closed")
        done = fleet.ops("explain", job_id)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("It is completed since")
        assert fits(done.stdout)

    def test_sends_no_control_codes_of_others_to_the_terminal(self, fleet, rows):
        job_id = insert_job(rows, keywords=["codes"], target_results=1, search_params=THIN)
        eventually(lambda: state(rows, job_id) == "closed")
        rows.execute("UPDATE scraping_jobs SET status = %s WHERE id = %s::uuid", ("\x1b[2J[red]x", job_id))
        done = fleet.ops("explain", job_id)
        assert "\x1b" not in done.stdout
        assert "[red]x" in done.stdout

    def test_of_an_unknown_job_exits_with_1_and_of_no_id_with_2(self, fleet):
        missing = str(uuid4())
        done = fleet.ops("explain", missing)
        assert (done.returncode, done.stderr) == (1, f"ops: there is no job {missing}\n")
        assert fleet.ops("explain", "lamp").returncode == 2


class TestDoctor:
    def test_of_a_fleet_that_runs_finds_no_error(self, fleet):
        done = fleet.ops("doctor")
        assert done.returncode == 0, done.stdout
        assert "0 error" in done.stdout
        assert fits(done.stdout)
        assert {finding["severity"] for finding in json.loads(fleet.ops("doctor", "--json").stdout)} <= {
            "ok",
            "warning",
        }

    def test_of_a_database_without_our_schema_says_what_to_run_and_exits_with_1(self, fleet, tmp_path, empty_database):
        fresh = Fleet(empty_database, fleet.environment["REDIS_URL"], "", tmp_path)
        done = fresh.ops("doctor")
        assert (done.returncode, done.stderr) == (1, "")
        assert "schema_older" in done.stdout
        assert "./run migrate" in done.stdout

    def test_of_a_database_of_an_older_release_exits_with_1(self, fleet, tmp_path, database_url, connection):
        connection.execute("UPDATE worker.alembic_version SET version_num = '0001'")
        done = Fleet(database_url, fleet.environment["REDIS_URL"], "", tmp_path).ops("doctor", "--json")
        assert done.returncode == 1
        assert [finding["code"] for finding in json.loads(done.stdout)] == ["schema_older"]

    def test_of_a_database_that_does_not_answer_exits_with_2_without_the_password(self, fleet, tmp_path):
        gone = Fleet("postgresql://me:s3cret@127.0.0.1:1/gone", fleet.environment["REDIS_URL"], "", tmp_path)
        done = gone.ops("doctor")
        assert (done.returncode, done.stdout) == (2, "")
        assert "s3cret" not in done.stderr
        assert "Traceback" not in done.stderr


class TestBackgroundJobs:
    def test_a_failed_one_is_listed_shown_and_done_after_its_payload_is_mended_and_it_is_retried(self, fleet, rows):
        # Given a background job whose payload its handler cannot read
        job_id = insert_background(rows, payload="[1]")
        eventually(lambda: background(rows, job_id)["status"] == "failed")
        listed = fleet.ops("list", "--table", "background_jobs", "--status", "failed")
        assert job_id in listed.stdout
        assert fits(listed.stdout)
        shown = json.loads(fleet.ops("show", job_id, "--json").stdout)
        assert (shown["job"]["job_type"], shown["task"]["state"]) == ("noop", "closed")
        assert "token" not in shown["task"]
        # When the payload is mended and the job retried
        rows.execute("UPDATE background_jobs SET payload = '{}' WHERE id = %s::uuid", (job_id,))
        done = fleet.ops("retry", job_id)
        assert (done.returncode, done.stderr) == (0, "")
        assert "pending again" in done.stdout
        # Then it is done
        eventually(lambda: background(rows, job_id)["status"] == "completed")
        # And is not retried any more
        again = fleet.ops("retry", job_id)
        assert again.returncode == 1
        assert "skipped: it is completed; only background jobs that failed are retried" in again.stdout

    def test_have_no_platform_to_filter_by(self, fleet):
        done = fleet.ops("list", "--table", "background_jobs", "--platform", "tiktok")
        assert (done.returncode, done.stdout) == (2, "")


class TestSchedules:
    @pytest.mark.slow
    def test_are_put_listed_fired_and_removed(self, fleet, rows):
        # Given a schedule of each minute
        put = ("schedules", "put", "[b]ticks", "* * * * *", "--job-type", "noop")
        done = fleet.ops(*put, "--priority", "7", "--payload", "{}")
        assert (done.returncode, done.stderr) == (0, "")
        assert "[b]ticks  next: 2" in done.stdout
        listed = fleet.ops("schedules", "list")
        assert "[b]ticks" in listed.stdout
        assert fits(listed.stdout)
        (told,) = json.loads(fleet.ops("schedules", "list", "--json").stdout)
        assert (told["cron"], told["priority"], told["enabled"], len(told["firings"])) == ("* * * * *", 7, True, 5)
        # When its time comes
        rows.execute("UPDATE worker.schedules SET next_at = date_trunc('minute', clock_timestamp())")
        # Then its job is put in and done
        find = "SELECT count(*) = 1 FROM background_jobs WHERE payload ? 'slot' AND status = 'completed'"
        eventually(lambda: rows.execute(find).fetchone()[0])
        # And it is gone when it is removed
        assert "removed" in fleet.ops("schedules", "remove", "[b]ticks").stdout
        assert fleet.ops("schedules", "remove", "[b]ticks").returncode == 1
        assert fleet.ops("schedules", "list").stdout.strip() == "Schedules: none"

    def test_that_are_disabled_have_no_next_firing(self, fleet):
        done = fleet.ops("schedules", "put", "off", "0 3 * * *", "--job-type", "noop", "--no-enabled", "--json")
        assert (json.loads(done.stdout)["enabled"], json.loads(done.stdout)["firings"]) == (False, [])
        assert fleet.ops("schedules", "remove", "off").returncode == 0

    @pytest.mark.parametrize(
        ("wrong", "word"),
        [
            (("61 * * * *", "--job-type", "noop"), "cron is"),
            (("* * * * *", "--job-type", "noop", "--payload", "[1]"), "JSON object"),
            (("* * * * *", "--job-type", "noop", "--payload", "{"), "JSON object"),
            (("* * * * *", "--job-type", "noop", "--time-zone", "Mars/Olympus"), "time_zone"),
        ],
    )
    def test_that_are_wrong_are_told_and_not_put(self, fleet, rows, wrong, word):
        done = fleet.ops("schedules", "put", "wrong", *wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr
        assert "Traceback" not in done.stderr
        assert rows.execute("SELECT count(*) FROM worker.schedules WHERE name = 'wrong'").fetchone() == (0,)
