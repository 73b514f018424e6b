"""What an operator sees and does: the ops command against a running fleet."""

import json
import re
from uuid import uuid4

import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import Fleet, eventually, fleet_of, let_all_go
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, state, stored_ids, task

ITEMS = 90
SEED = 1
WIDTH = 100
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
        yield fleet


@pytest.fixture
def elsewhere(module_redis_url, running, tmp_path):
    """Runs the ops command as on a machine where nothing runs."""
    return Fleet("", module_redis_url, running.url, tmp_path, COLUMNS=str(WIDTH))


def flat(text: str) -> str:
    """A table's text without the folds that its width made."""
    return "".join(text.split())


def broken_job(rows, simulator, word: str) -> str:
    """Id of a job that ended as error on its second page."""
    simulator.set_fault("status", status=400, match={"query": word}, after=1)
    job_id = insert_job(rows, keywords=[word], target_results=1000, search_params={"enrich": "none"})
    eventually(lambda: is_final(rows, job_id))
    simulator.clear_faults()
    return job_id


class TestEnqueue:
    def test_puts_a_job_in_that_completes(self, fleet, rows):
        done = fleet.ops("enqueue", "desk lamp", "floor lamp", "--user", "user_7", "--target", "12", "--region", "GB")
        assert (done.returncode, done.stderr) == (0, "")
        job_id = done.stdout.strip()
        eventually(lambda: is_final(rows, job_id))
        row = job(rows, job_id)
        assert (row["status"], row["user_id"], row["region"]) == ("completed", "user_7", "GB")
        assert row["keywords"] == ["desk lamp", "floor lamp"]
        assert row["processed_results"] == 12

    def test_with_a_key_gives_the_first_job_again(self, fleet, rows):
        key = uuid4().hex
        arguments = ("enqueue", "keyed", "--user", "user_1", "--target", "3", "--key", key)
        first = json.loads(fleet.ops(*arguments, "--json").stdout)
        second = json.loads(fleet.ops(*arguments, "--json").stdout)
        assert first["created"] is True
        assert second == {"job_id": first["job_id"], "created": False}
        told = fleet.ops(*arguments)
        assert first["job_id"] in told.stdout
        assert "the key was used before" in told.stdout
        assert rows.execute("SELECT count(*) FROM scraping_jobs WHERE keywords = '[\"keyed\"]'").fetchone() == (1,)

    def test_before_any_process_has_run_puts_a_job_in_that_is_done_later(
        self, database_url, redis_url, connection, running, tmp_path
    ):
        # Given a database that was just migrated
        with Fleet(database_url, redis_url, running.url, tmp_path) as fleet:
            # When a job is put in before there are workers
            done = fleet.ops("enqueue", "early", "--user", "user_1", "--target", "3")
            assert (done.returncode, done.stderr) == (0, "")
            # Then it is done when there are
            fleet.reconciler()
            fleet.worker()
            job_id = done.stdout.strip()
            eventually(lambda: is_final(connection, job_id))
        assert job(connection, job_id)["status"] == "completed"
        assert task(connection, job_id)["lane"] == "scrape.tiktok"

    @pytest.mark.parametrize("missing", [("enqueue", "lamp"), ("retry",), ("fly",)])
    def test_and_others_without_what_they_need_exit_with_2(self, fleet, missing):
        done = fleet.ops(*missing)
        assert done.returncode == 2
        assert done.stderr
        assert "Traceback" not in done.stderr


class TestList:
    def test_shows_the_newest_jobs_within_the_width(self, fleet, rows, simulator):
        broken = broken_job(rows, simulator, "a rather long keyword for a list")
        done = fleet.ops("list")
        assert (done.returncode, done.stderr) == (0, "")
        assert broken in done.stdout, "ids are not folded: they are copied from here"
        assert "refusedtherequest" in flat(done.stdout)
        assert max(map(len, done.stdout.splitlines())) <= WIDTH

    def test_filters_by_status_and_platform(self, fleet, rows, simulator):
        broken = broken_job(rows, simulator, "filtered")
        mine = insert_job(rows, keywords=["unfiltered"], target_results=1, search_params={"enrich": "none"})
        eventually(lambda: is_final(rows, mine))
        listed = json.loads(fleet.ops("list", "--status", "error", "--platform", "tiktok", "--json").stdout)
        assert broken in [one["id"] for one in listed]
        assert {one["status"] for one in listed} == {"error"}
        assert len(json.loads(fleet.ops("list", "--limit", "1", "--json").stdout)) == 1
        assert fleet.ops("list", "--status", "timeout").stdout.strip() == "Jobs: none"


class TestShow:
    def test_tells_row_task_pages_and_attempts_within_the_width(self, fleet, rows, simulator):
        broken = broken_job(rows, simulator, "shown")
        done = fleet.ops("show", broken)
        assert (done.returncode, done.stderr) == (0, "")
        for heading in ("Job", "Task", "Pages", "Attempts"):
            assert re.search(rf"^{heading}\s*$", done.stdout, re.MULTILINE)
        assert "bad_request" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= WIDTH

    def test_as_json_gives_numbers_as_numbers(self, fleet, rows):
        job_id = insert_job(rows, keywords=["as json"], target_results=7, search_params={"enrich": "none"})
        eventually(lambda: is_final(rows, job_id))
        told = json.loads(fleet.ops("show", job_id, "--json").stdout)
        assert told["job"]["processed_results"] == 7
        assert [page["stored"] for page in told["pages"]] == [7]
        assert [attempt["outcome"] for attempt in told["attempts"]] == ["completed"]
        assert told["task"]["end_reason"] == "target_reached"
        assert told["job"]["progress"] == 100

    def test_never_shows_a_token(self, fleet, rows):
        job_id = insert_job(rows, keywords=["no token"], target_results=1, search_params={"enrich": "none"})
        eventually(lambda: is_final(rows, job_id))
        assert "token" not in fleet.ops("show", job_id, "--json").stdout.replace("no token", "")

    @pytest.mark.parametrize("text", ["[red]alarm[/red]", "[/b] unopened", r"back\[slash]\\", "👩‍🚀[0]"])
    def test_shows_what_looks_like_markup_as_it_is(self, fleet, rows, text):
        # Given a job whose every text from outside looks like markup
        job_id = insert_job(rows, user_id=text, keywords=[text], region="US", target_username=text, platform=text[:50])
        eventually(lambda: is_final(rows, job_id))
        rows.execute("UPDATE scraping_jobs SET error = %s WHERE id = %s::uuid", (text, job_id))
        # Then each command shows it literally
        for arguments in (("show", job_id), ("list", "--limit", "3")):
            done = fleet.ops(*arguments)
            assert (done.returncode, done.stderr) == (0, "")
            assert flat(text) in flat(done.stdout)

    def test_sends_no_control_codes_of_others_to_the_terminal(self, fleet, rows):
        job_id = insert_job(rows, user_id="\x1b[2J\x1b]0;owned\x07", keywords=["\x1b[31mred"])
        eventually(lambda: is_final(rows, job_id))
        assert "\x1b" not in fleet.ops("show", job_id).stdout

    def test_of_an_unknown_job_exits_with_1(self, fleet):
        missing = str(uuid4())
        done = fleet.ops("show", missing)
        assert done.returncode == 1
        assert f"there is no job {missing}" in done.stderr

    def test_of_what_is_no_id_exits_with_2_and_says_what_is(self, fleet):
        done = fleet.ops("show", "lamp")
        assert done.returncode == 2
        assert "lamp" in done.stderr
        assert "UUID" in done.stderr


class TestRetry:
    def test_lets_a_job_go_on_at_its_checkpoint(self, fleet, rows, simulator):
        # Given a job that ended as error on its second page, with the first one stored
        word = "second chance"
        broken = broken_job(rows, simulator, word)
        kept = stored_ids(rows, broken)
        assert kept
        # When it is retried
        done = fleet.ops("retry", broken)
        assert done.returncode == 0
        assert "pending again" in done.stdout
        eventually(lambda: job(rows, broken)["status"] == "completed")
        # Then no page is asked for twice but the failed one
        asked = [int(c["params"]["cursor"]) for c in simulator.calls(SEARCH_PATH) if c["params"]["query"] == word]
        assert asked == [0, 30, 30, *range(60, max(asked) + 1, 30)]
        # And all is there, the old results first
        assert stored_ids(rows, broken)[: len(kept)] == kept
        assert stored_ids(rows, broken) == list(creators_of(SEED, word, ITEMS))
        assert job(rows, broken)["error"] is None
        assert_counters_are_true(rows, broken)

    def test_skips_a_completed_job_and_an_unknown_one_with_the_reason(self, fleet, rows):
        job_id = insert_job(rows, keywords=["done"], target_results=1, search_params={"enrich": "none"})
        eventually(lambda: is_final(rows, job_id))
        missing = str(uuid4())
        done = fleet.ops("retry", job_id, missing)
        assert done.returncode == 1
        assert "it is completed" in done.stdout
        assert "there is no such job" in done.stdout
        assert job(rows, job_id)["status"] == "completed"
        told = json.loads(fleet.ops("retry", job_id, "--json").stdout)
        assert told["retried"] == []
        assert "completed" in told["skipped"][job_id]

    def test_of_what_is_no_id_touches_no_job(self, fleet, rows, simulator):
        broken = broken_job(rows, simulator, "untouched")
        done = fleet.ops("retry", broken, "not-an-id")
        assert done.returncode == 2
        assert "not-an-id" in done.stderr
        assert job(rows, broken)["status"] == "error"


class TestStatus:
    def test_tells_jobs_lanes_and_processes_within_the_width(self, fleet, rows):
        eventually(lambda: rows.execute("SELECT count(*) = 2 FROM worker.workers").fetchone()[0])
        done = fleet.ops("status")
        assert (done.returncode, done.stderr) == (0, "")
        assert "scrape.tiktok" in done.stdout
        assert "scrape.unroutable" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= WIDTH
        told = json.loads(fleet.ops("status", "--json").stdout)
        assert sorted(process["kind"] for process in told["processes"]) == ["reconciler", "worker"]
        assert {process["pid"] for process in told["processes"]} == {process.pid for process in fleet.processes}

    def test_shows_why_a_provider_is_paused(self, fleet, rows, simulator, module_redis_url):
        simulator.set_fault("status", status=402, match={"query": "no money"})
        job_id = insert_job(rows, keywords=["no money"], target_results=1, search_params={"enrich": "none"})
        eventually(lambda: state(rows, job_id) == "waiting")
        assert "outofcredits" in flat(fleet.ops("status").stdout)
        simulator.clear_faults()
        let_all_go(module_redis_url)
        rows.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE state = 'waiting'")
        eventually(lambda: is_final(rows, job_id))
        assert "outofcredits" not in flat(fleet.ops("status").stdout)


class TestWithoutServers:
    @pytest.mark.parametrize("command", [("status",), ("enqueue", "x", "--user", "u")])
    def test_every_command_names_database_url_and_exits_with_2(self, elsewhere, command):
        done = elsewhere.ops(*command)
        assert done.returncode == 2
        assert "DATABASE_URL" in done.stderr
        assert "./run up" in done.stderr
        assert done.stdout == ""

    def test_that_answer_says_so_without_the_password(self, elsewhere):
        elsewhere.environment["DATABASE_URL"] = "postgresql://someone:s3cret@127.0.0.1:1/nowhere"
        done = elsewhere.ops("status")
        assert done.returncode == 2
        assert "DATABASE_URL" in done.stderr
        assert "does not answer" in done.stderr
        assert "s3cret" not in done.stderr + done.stdout

    def test_that_are_migrated_says_what_to_run(self, elsewhere, empty_database):
        elsewhere.environment["DATABASE_URL"] = empty_database
        done = elsewhere.ops("list")
        assert done.returncode == 2
        assert "./run migrate" in done.stderr
