"""Background jobs as the application sees them: rows go in by plain SQL, and each says what became of it."""

import json

import psycopg
import pytest

from tests.fleet import Fleet, eventually
from tests.handlers import SETTINGS, closed_gate, make_runs, runs, waits_at_the_gate
from tests.jobs import (
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
    state,
    task,
)

NO_PROVIDER = "http://127.0.0.1:9"
HOUR = 3600
SOON_SECONDS = 15
MANY = 500


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, tmp_path_factory):
    settings = {
        **SETTINGS,
        "TRAWLER_SWEEP_SECONDS": "0.5",
        "TRAWLER_LANES": json.dumps({"job.counted": {"max_running": 1}, "job.noop": {"max_per_tenant": 64}}),
    }
    logs = tmp_path_factory.mktemp("fleet")
    with Fleet(module_database_url, module_redis_url, NO_PROVIDER, logs, **settings) as fleet:
        fleet.reconciler()
        fleet.worker()
        yield fleet


@pytest.fixture(scope="module", autouse=True)
def _runs(rows):
    make_runs(rows)


@pytest.fixture
def connection(rows, fleet):
    """The module's database; afterwards every process must still be the first one."""
    yield rows
    assert [process.poll() for process in fleet.processes] == [None, None]


@pytest.fixture
def gate(connection, module_database_url):
    """Holds every ``gated`` job up until it is closed."""
    with closed_gate(module_database_url) as holder:
        yield holder


def ended(connection, job_id):
    eventually(lambda: background_is_final(connection, job_id), SOON_SECONDS)
    return background_job(connection, job_id)


def begins_and_waits_at_the_gate(connection) -> str:
    job_id = insert_background_job(connection, "gated")
    eventually(lambda: waits_at_the_gate(connection), SOON_SECONDS)
    return job_id


def due_now(connection, job_id):
    """Move a job's time to now, as the application does."""
    connection.execute("UPDATE background_jobs SET scheduled_for = worker.utc_now() WHERE id = %s::uuid", (job_id,))


def moved_by(connection, job_id) -> float:
    """In how many seconds the row says that it runs."""
    (seconds,) = connection.execute(
        "SELECT extract(epoch FROM scheduled_for - worker.utc_now())::float FROM background_jobs WHERE id = %s::uuid",
        (job_id,),
    ).fetchone()
    return seconds


def assert_failed(row, *words: str) -> None:
    assert (row["status"], row["completed_at"], row["result"]) == ("failed", None, None)
    assert row["failed_at"] is not None
    for word in words:
        assert word in row["error"]


class TestAJobThatWorks:
    def test_is_completed_with_its_result(self, connection):
        # Given what a handler gives back
        payload = {"text": "grüße, 日本 🌊", "number": -7}
        # When a service puts the job in
        row = ended(connection, insert_background_job(connection, "echo", payload, qstash_message_id="msg_1"))
        # Then the row holds it, its times are set, and what is the application's is untouched
        assert (row["status"], row["result"], row["error"]) == ("completed", payload, None)
        assert (row["failed_at"], row["retry_count"], row["qstash_message_id"]) == (None, 0, "msg_1")
        assert row["created_at"] <= row["started_at"] <= row["completed_at"] <= row["updated_at"]
        assert attempts(connection, str(row["id"])) == [("completed", "done")]

    def test_without_a_result_leaves_the_column_empty(self, connection):
        row = ended(connection, insert_background_job(connection, "noop", {"any": "thing"}))
        assert (row["status"], row["result"]) == ("completed", None)

    def test_runs_once_even_if_there_are_hundreds(self, connection):
        # When many rows go in by one statement
        wanted = {
            job_id
            for (job_id,) in connection.execute(
                "INSERT INTO background_jobs (job_type, payload)"
                " SELECT 'noop', jsonb_build_object('userId', n %% 20) FROM generate_series(1, %s) n"
                " RETURNING id::text",
                (MANY,),
            ).fetchall()
        }
        # Then each is completed, at one attempt each
        count = "SELECT count(*) FROM background_jobs WHERE id = ANY (%s::uuid[]) AND status = 'completed'"
        eventually(lambda: connection.execute(count, (list(wanted),)).fetchone() == (MANY,))
        noted = connection.execute(
            "SELECT t.job_id, a.outcome FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id"
            " WHERE t.job_id = ANY (%s)",
            (list(wanted),),
        ).fetchall()
        assert len(noted) == MANY
        assert {outcome for _, outcome in noted} == {"completed"}
        assert {job_id for job_id, _ in noted} == wanted


class TestTheOrder:
    def test_is_by_priority_where_one_runs_at_a_time(self, connection):
        # Given a lane of one, and jobs that all arrive at once
        given = [30_000, 10_000, 20_000, -5, 100]
        with connection.transaction():
            jobs = {insert_background_job(connection, "counted", priority=priority): priority for priority in given}
        for job_id in jobs:
            ended(connection, job_id)
        # Then those with the lower number ran sooner
        ran = connection.execute(
            "SELECT job_id FROM worker.tasks WHERE job_id = ANY (%s) ORDER BY claimed_at", (list(jobs),)
        ).fetchall()
        assert [jobs[job_id] for (job_id,) in ran] == sorted(given)

    def test_follows_a_new_priority(self, connection, gate):
        # Given a job that is not due
        at = connection.execute("SELECT worker.utc_now() + interval '1 hour'").fetchone()[0]
        job_id = insert_background_job(connection, "echo", {"text": "x"}, scheduled_for=at)
        eventually(lambda: state(connection, job_id) == "waiting")
        # When the application changes its mind about its place
        connection.execute("UPDATE background_jobs SET priority = 3, max_retries = 9 WHERE id = %s::uuid", (job_id,))
        # Then the task has it too
        eventually(lambda: task(connection, job_id)["priority"] == 3)
        assert task(connection, job_id)["max_failures"] == 9
        assert state(connection, job_id) == "waiting"


class TestAJobForLater:
    def test_runs_when_its_time_has_come_and_not_before(self, connection):
        # Given a job for in an hour, and one for now that comes after it
        at = connection.execute("SELECT worker.utc_now() + interval '1 hour'").fetchone()[0]
        later = insert_background_job(connection, "echo", {"text": "later"}, scheduled_for=at)
        ended(connection, insert_background_job(connection, "echo", {"text": "now"}))
        # Then only that one ran
        assert (state(connection, later), task(connection, later)["epoch"]) == ("waiting", 0)
        assert background_job(connection, later)["status"] == "pending"
        assert background_job(connection, later)["started_at"] is None
        # When the application moves the first to now
        due_now(connection, later)
        # Then it runs
        assert ended(connection, later)["result"]["text"] == "later"

    def test_that_is_put_off_before_it_ran_is_put_off(self, connection):
        # Given a job in a minute
        at = connection.execute("SELECT worker.utc_now() + interval '1 minute'").fetchone()[0]
        job_id = insert_background_job(connection, "echo", {"text": "x"}, scheduled_for=at)
        eventually(lambda: state(connection, job_id) == "waiting")
        # When the application moves it by a day
        connection.execute(
            "UPDATE background_jobs SET scheduled_for = scheduled_for + interval '1 day' WHERE id = %s::uuid", (job_id,)
        )
        # Then the task moves too
        eventually(
            lambda: connection.execute(
                "SELECT run_at > clock_timestamp() + interval '1 day' FROM worker.tasks WHERE job_id = %s", (job_id,)
            ).fetchone()[0]
        )


class TestAnError:
    def test_that_clears_is_retried_and_the_row_says_when(self, connection):
        # Given a job whose first run fails, and which must not be tried again for an hour
        job_id = insert_background_job(connection, "fail_times", {"until": 2, "delay_seconds": HOUR})
        eventually(lambda: state(connection, job_id) == "waiting")
        # Then the row is pending at its next time, and tells why
        row = background_job(connection, job_id)
        assert (row["status"], row["retry_count"]) == ("pending", 1)
        assert row["error"] == "the mail server refused run 1"
        assert (row["failed_at"], row["completed_at"]) == (None, None)
        assert HOUR - 60 < moved_by(connection, job_id) <= HOUR * 2
        assert runs(connection, job_id) == 1
        # When the application makes it due
        due_now(connection, job_id)
        # Then the second run counts
        row = ended(connection, job_id)
        assert (row["status"], row["result"], row["error"]) == ("completed", {"runs": 2, "attempt": 2}, None)
        assert row["retry_count"] == 1
        assert attempts(connection, job_id) == [("retry", "mail_refused"), ("completed", "done")]

    @pytest.mark.parametrize("max_retries", [0, 2])
    def test_that_stays_is_given_up_after_max_retries(self, connection, max_retries):
        # When a job fails at each run
        job_id = insert_background_job(connection, "always_fail", max_retries=max_retries)
        row = ended(connection, job_id)
        # Then it ran once more than it may be retried, and the row tells what was tried and what to do
        assert_failed(row, f"after {max_retries + 1} attempts", "RuntimeError: the mail server is on fire", "retry the")
        assert (runs(connection, job_id), row["retry_count"]) == (max_retries + 1, max_retries)
        assert attempts(connection, job_id) == [
            *[("retry", "handler_failed")] * max_retries,
            ("error", "handler_failed"),
        ]

    def test_counts_with_what_the_application_counted_before(self, connection):
        job_id = insert_background_job(connection, "always_fail", max_retries=5, retry_count=4)
        row = ended(connection, job_id)
        assert (runs(connection, job_id), row["retry_count"]) == (2, 5)

    def test_that_will_not_clear_fails_at_once(self, connection):
        job_id = insert_background_job(connection, "give_up", max_retries=5)
        row = ended(connection, job_id)
        assert_failed(row, "'nobody' does not exist", "correct the address")
        assert runs(connection, job_id) == 1
        assert attempts(connection, job_id) == [("error", "no_such_mailbox")]

    def test_once_mended_and_set_to_pending_runs_again(self, connection):
        # Given a job that was given up
        job_id = insert_background_job(connection, "fail_times", {"until": 4}, max_retries=1)
        assert_failed(ended(connection, job_id))
        # When the application sets it to pending, with nothing else changed
        connection.execute("UPDATE background_jobs SET status = 'pending' WHERE id = %s::uuid", (job_id,))
        # Then it has its attempts again, and no word of the failure is left
        row = ended(connection, job_id)
        assert (row["status"], row["error"], row["failed_at"]) == ("completed", None, None)
        assert row["result"]["runs"] == 4
        assert task(connection, job_id)["id"]


class TestAWait:
    def test_spends_no_retry(self, connection):
        # Given a job that may not be retried, and must wait first
        job_id = insert_background_job(connection, "wait_once", {"delay_seconds": HOUR}, max_retries=0)
        eventually(lambda: state(connection, job_id) == "waiting")
        row = background_job(connection, job_id)
        assert (row["status"], row["retry_count"], row["error"]) == ("pending", 0, "the mail queue is full")
        assert HOUR - 60 < moved_by(connection, job_id) <= HOUR
        # When its time has come
        due_now(connection, job_id)
        # Then it is done, at its first attempt
        row = ended(connection, job_id)
        assert (row["status"], row["result"]) == ("completed", {"runs": 2, "attempt": 1})
        assert attempts(connection, job_id) == [("wait", "mail_queue_full"), ("completed", "done")]


class TestAJobThatCannotBeDone:
    def test_for_want_of_a_handler_says_which_there_are(self, connection):
        job_id = insert_background_job(connection, "send_pigeon", max_retries=5)
        assert_failed(ended(connection, job_id), "job_type is 'send_pigeon'", "expected one of", "echo", "noop")
        assert attempts(connection, job_id) == [("error", "unknown_job_type")]

    @pytest.mark.parametrize(
        ("payload", "words"),
        [
            ({"number": 1}, ("`text`", "required")),
            ({"text": 5}, ("$.text", "str", "int")),
            ({"text": "x", "number": "1"}, ("$.number", "int", "str")),
            ({"text": None}, ("$.text", "null")),
            (["text"], ("object", "array")),
            ("text", ("object", "str")),
            (5, ("object", "int")),
            ({"userId": {"not": "a word"}}, ("`text`", "required")),
        ],
        ids=lambda value: json.dumps(value)[:40],
    )
    def test_for_its_payload_says_what_is_wrong_with_it(self, connection, payload, words):
        job_id = insert_background_job(connection, "echo", payload, max_retries=5)
        assert_failed(ended(connection, job_id), "payload of echo", "correct it and set the job to pending", *words)
        assert attempts(connection, job_id) == [("error", "invalid_payload")]

    def test_for_a_payload_of_null_says_so(self, connection):
        job_id = insert_background_job(connection, "echo", max_retries=5)
        connection.execute("UPDATE background_jobs SET payload = 'null' WHERE id = %s::uuid", (job_id,))
        assert_failed(ended(connection, job_id), "payload of echo")

    @pytest.mark.parametrize(
        "payload",
        ['{"text": "x", "number": 1e5000}', '{"text": "x", "other": ' + "[" * 3000 + "]" * 3000 + "}"],
        ids=["a number without end", "boxes in boxes"],
    )
    def test_for_a_payload_that_only_postgres_can_hold_fails_at_once(self, connection, payload):
        (job_id,) = connection.execute(
            "INSERT INTO background_jobs (job_type, payload, max_retries) VALUES ('echo', %s, 5) RETURNING id::text",
            (payload,),
        ).fetchone()
        row = ended(connection, job_id)
        assert attempts(connection, job_id) == [("error", "invalid_payload")], row["error"]
        assert_failed(row, "payload of echo", "correct it")

    @pytest.mark.parametrize("job_type", ["nul_result", "surrogate_result", "object_result"])
    def test_for_a_result_that_cannot_be_kept_fails_at_once(self, connection, job_type):
        job_id = insert_background_job(connection, job_type, max_retries=5)
        assert_failed(ended(connection, job_id))
        assert background_job(connection, job_id)["error"]
        assert runs(connection, job_id) == 1
        assert attempts(connection, job_id) == [("error", "result_refused")]


class TestTheApplication:
    def test_may_end_a_job_in_mid_run_and_has_the_last_word(self, connection, gate):
        # Given a job in mid-run
        job_id = begins_and_waits_at_the_gate(connection)
        assert background_job(connection, job_id)["status"] == "processing"
        # When the application ends it, and then the handler is done
        connection.execute(
            """UPDATE background_jobs SET status = 'completed', result = '"by hand"' WHERE id = %s::uuid""", (job_id,)
        )
        gate.close()
        eventually(lambda: state(connection, job_id) == "closed")
        # Then the application's words stand
        row = background_job(connection, job_id)
        assert (row["status"], row["result"], row["completed_at"]) == ("completed", "by hand", None)
        assert len(attempts(connection, job_id)) == 1

    def test_may_delete_a_job_in_mid_run(self, connection, gate, fleet):
        job_id = begins_and_waits_at_the_gate(connection)
        connection.execute("DELETE FROM background_jobs WHERE id = %s::uuid", (job_id,))
        gate.close()
        eventually(lambda: state(connection, job_id) == "closed")
        assert len(attempts(connection, job_id)) == 1
        # And the worker is good for more
        assert ended(connection, insert_background_job(connection, "echo", {"text": "x"}))["status"] == "completed"

    def test_may_set_a_job_back_to_pending_in_mid_run_and_it_runs_again(self, connection, gate):
        job_id = begins_and_waits_at_the_gate(connection)
        connection.execute("UPDATE background_jobs SET status = 'pending' WHERE id = %s::uuid", (job_id,))
        gate.close()
        assert ended(connection, job_id)["result"] == "through"
        eventually(lambda: state(connection, job_id) == "closed")
        assert len(attempts(connection, job_id)) == 2

    def test_may_cancel_a_job_that_is_not_due(self, connection):
        at = connection.execute("SELECT worker.utc_now() + interval '1 hour'").fetchone()[0]
        job_id = insert_background_job(connection, "echo", {"text": "x"}, scheduled_for=at)
        eventually(lambda: state(connection, job_id) == "waiting")
        connection.execute("UPDATE background_jobs SET status = 'failed' WHERE id = %s::uuid", (job_id,))
        eventually(lambda: state(connection, job_id) == "closed")
        assert attempts(connection, job_id) == []

    def test_that_inserts_and_rolls_back_has_inserted_nothing(self, connection):
        with connection.transaction(force_rollback=True):
            job_id = insert_background_job(connection, "echo", {"text": "x"})
        ended(connection, insert_background_job(connection, "echo", {"text": "after"}))
        assert state(connection, job_id) is None


def test_no_job_was_taken_for_crashed(connection: psycopg.Connection):
    assert connection.execute("SELECT count(*) FROM worker.tasks WHERE crashes > 0").fetchone() == (0,)
