"""Background jobs whose handler allows that they run in groups: each ends as if it had been alone."""

import pytest

from tests.fleet import Fleet, eventually
from tests.handlers import SETTINGS
from tests.jobs import attempts, background_is_final, background_job, insert_background_job, task

NO_PROVIDER = "http://127.0.0.1:9"
MANY = 40
BACKLOG = 3_000
IN_GROUP = [("completed", "done")]


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, tmp_path_factory):
    timers = {"TRAWLER_LEASE_SECONDS": "3", "TRAWLER_BEAT_SECONDS": "0.5"}
    logs = tmp_path_factory.mktemp("fleet")
    with Fleet(module_database_url, module_redis_url, NO_PROVIDER, logs, **SETTINGS, **timers) as fleet:
        fleet.reconciler()
        fleet.worker()
        yield fleet


@pytest.fixture
def connection(rows, fleet):
    """The module's database; afterwards every process must still be the first one."""
    yield rows
    assert [process.poll() for process in fleet.processes] == [None, None]
    assert rows.execute("SELECT count(*) FROM worker.group_leases").fetchone() == (0,)


def put_in(connection, odd: dict | None = None, **columns) -> tuple[str, list[str]]:
    """Many ordinary jobs, and one that is odd among them, in one transaction; give its id and the others'."""
    with connection.transaction():
        jobs = [insert_background_job(connection, "grouped") for _ in range(MANY // 2)]
        odd_one = insert_background_job(connection, "grouped", odd or {}, **columns)
        jobs += [insert_background_job(connection, "grouped") for _ in range(MANY // 2)]
    for job_id in (odd_one, *jobs):
        eventually(lambda job_id=job_id: background_is_final(connection, job_id))
    return odd_one, jobs


def assert_grouped(connection, jobs) -> None:
    """Each ran once, in a group, and says so."""
    for job_id in jobs:
        row = background_job(connection, job_id)
        assert (row["status"], row["result"], row["error"]) == ("completed", {"alone": False}, None)
        assert row["created_at"] <= row["started_at"] <= row["completed_at"] <= row["updated_at"]
        assert (row["failed_at"], row["retry_count"]) == (None, 0)
        assert attempts(connection, job_id) == IN_GROUP
    (groups,) = connection.execute(
        "SELECT count(DISTINCT a.xmin::text) FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id"
        " WHERE t.job_id = ANY (%s) AND a.evidence ? 'group'",
        (jobs,),
    ).fetchone()
    assert 1 <= groups < len(jobs) / 2


def test_many_jobs_are_done_once_each_by_few_statements(connection):
    odd, jobs = put_in(connection)
    assert_grouped(connection, [odd, *jobs])


def test_jobs_of_users_run_by_themselves_beside_them(connection):
    odd, jobs = put_in(connection, {"userId": "user_1"})
    assert_grouped(connection, jobs)
    assert background_job(connection, odd)["result"] == {"alone": True}
    assert "group" not in evidence(connection, odd)


def test_a_job_of_a_user_need_not_wait_until_nobody_wants_a_group(connection):
    # Given a backlog of many groups, and behind it one job that is for no group
    put = connection.execute(
        "INSERT INTO background_jobs (job_type, payload)"
        " SELECT 'grouped', CASE g WHEN %s THEN '{\"userId\": \"user_2\"}' ELSE '{}' END::jsonb"
        "   FROM generate_series(1, %s) g RETURNING id, payload <> '{}'",
        (BACKLOG, BACKLOG),
    ).fetchall()
    (odd,) = [job_id for job_id, is_odd in put if is_odd]
    jobs = [job_id for job_id, _ in put]
    # When all are done
    left = "SELECT count(*) FROM background_jobs WHERE id = ANY (%s) AND status <> 'completed'"
    eventually(lambda: connection.execute(left, (jobs,)).fetchone() == (0,))
    # Then it was not among the last
    (sooner,) = connection.execute(
        "SELECT count(*) FROM background_jobs b, background_jobs odd"
        " WHERE b.id = ANY (%s) AND odd.id = %s AND b.completed_at < odd.completed_at",
        (jobs, odd),
    ).fetchone()
    assert sooner < BACKLOG / 2


class TestAnOddOne:
    def test_that_fails_is_retried_and_given_up_as_by_itself(self, connection):
        odd, jobs = put_in(connection, {"does": "fail"}, max_retries=2)
        assert_grouped(connection, jobs)
        row = background_job(connection, odd)
        assert (row["status"], row["retry_count"]) == ("failed", 2)
        assert "RuntimeError: the mail server is on fire" in row["error"]
        assert attempts(connection, odd) == [("retry", "handler_failed")] * 2 + [("error", "handler_failed")]
        # Its run in the group is no attempt.
        assert task(connection, odd)["failures"] == 3

    def test_that_fails_in_the_group_alone_costs_it_no_attempt(self, connection):
        odd, jobs = put_in(connection, {"does": "fail", "only_in_group": True}, max_retries=0)
        assert_grouped(connection, jobs)
        assert background_job(connection, odd)["result"] == {"alone": True}
        assert attempts(connection, odd) == [("completed", "done")]

    def test_whose_payload_is_wrong_fails_and_says_which_field(self, connection):
        odd, jobs = put_in(connection, {"does": "fly"})
        assert_grouped(connection, jobs)
        row = background_job(connection, odd)
        assert row["status"] == "failed"
        assert "$.does" in row["error"]

    def test_whose_result_postgres_cannot_hold_fails_alone(self, connection):
        odd, jobs = put_in(connection, {"does": "nul"})
        assert "Postgres cannot hold the result" in background_job(connection, odd)["error"]
        # The whole group was refused for it, so the others ran once more.
        assert {background_job(connection, job_id)["status"] for job_id in jobs} == {"completed"}
        assert all(attempts(connection, job_id) == [("completed", "done")] for job_id in jobs)

    def test_that_asks_for_a_transaction_of_its_own_gets_it_by_itself(self, connection):
        odd, jobs = put_in(connection, {"does": "settle"})
        assert_grouped(connection, jobs)
        assert background_job(connection, odd)["result"] == {"settled": "by its own transaction"}
        assert attempts(connection, odd) == [("completed", "done")]

    def test_that_hangs_holds_up_the_others_until_the_lease_is_nearly_over(self, connection, fleet):
        odd, jobs = put_in(connection, {"does": "hang", "only_in_group": True})
        assert background_job(connection, odd)["result"] == {"alone": True}
        # Those before it are done in the group, those behind it by themselves; nobody is done twice.
        for job_id in jobs:
            assert background_job(connection, job_id)["status"] == "completed"
            assert attempts(connection, job_id) == [("completed", "done")]
        assert "group_hung" in fleet.log()


def evidence(connection, job_id) -> dict:
    (found,) = connection.execute(
        "SELECT a.evidence FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id WHERE t.job_id = %s",
        (job_id,),
    ).fetchone()
    return found
