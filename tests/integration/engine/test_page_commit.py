"""The page commit: all of a page or nothing of it, once, and only by the lease's holder."""

import json
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from db.queries.claiming import seen_keys
from db.queries.committing import commit_page
from db.session import connect, make_pool
from tests.fleet import eventually
from tests.integration.engine.steps import (
    adopted_job,
    blocked_backends,
    claim,
    claim_on,
    claimed_job,
    everything,
    in_loop,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.jobs import assert_counters_are_true, job, ledger, stored_creators, task
from worker.committing import commit
from worker.errors import AuthorityLost, PageRefused

pytestmark = pytest.mark.usefixtures("lanes")


def ids(connection, job_id):
    return [creator["creator"]["id"] for creator in stored_creators(connection, job_id)]


async def test_one_page_changes_everything_it_concerns(connection, pool):
    # Given a leased task with old errors, crashes and waits, whose lease is nearly over
    job_id, claimed = await claimed_job(connection, pool, target_results=8)
    set_task(connection, claimed.id, "failures = 2, crashes = 1, waits = 3, expires_at = now() + interval '1 s'")
    lease = lease_of(claimed)
    lease.failures, lease.waits = 2, 3
    # When a page with two creators and one unreadable item is committed
    answer = await commit(
        pool,
        lease,
        page_of(
            claimed, items=3, unreadable=1, credits=2, bad_reasons=["no_id"], bad_messages=["no id"], bad_raws=["{}"]
        ),
    )
    # Then the answer, row, ledger, keys, checkpoint, quarantine, counts and lease all tell of it
    assert (answer.owned, answer.row_open, answer.page_new, answer.stored, answer.cut) == (True, True, True, 2, False)
    assert (answer.results_before, answer.target_results, answer.overdue) == (0, 8, False)
    row, leased = job(connection, job_id), task(connection, job_id)
    assert ids(connection, job_id) == ["a", "b"]
    assert (row["processed_runs"], row["processed_results"], row["cursor"], row["progress"]) == (1, 2, 10, 25)
    assert row["status"] == "processing"
    page = connection.execute("SELECT seq, epoch, word, cursor, items, stored, unreadable, credits FROM worker.pages")
    assert page.fetchall() == [(1, 1, "lamp", "10", 3, 2, 1, 2)]
    assert connection.execute("SELECT seq, envelope FROM worker.checkpoints").fetchall() == [(1, {"page": 2})]
    aside = connection.execute(
        "SELECT seq, provider, endpoint, adapter_version, reason, message, raw FROM worker.quarantine"
    )
    assert aside.fetchall() == [(1, "simulator", "search", 1, "no_id", "no id", "{}")]
    assert (leased["failures"], leased["crashes"], leased["waits"]) == (0, 0, 0)
    assert value(connection, "SELECT expires_at - clock_timestamp() > '55 s' FROM worker.tasks")
    assert (lease.failures, lease.waits) == (0, 0)
    async with pool.connection() as own:
        assert await seen_keys(own, claimed.id, ["a", "b", "c"]) == {"a", "b"}
    assert_counters_are_true(connection, job_id)


async def test_a_wrong_token_writes_nothing_and_costs_the_lease(connection, pool):
    _, claimed = await claimed_job(connection, pool)
    lease, before = lease_of(claimed), everything(connection)
    with pytest.raises(AuthorityLost):
        await commit(pool, lease, page_of(claimed, token=uuid4()))
    assert everything(connection) == before
    assert not lease.held


async def test_the_holder_before_writes_nothing_once_another_has_the_task(connection, pool):
    # Given a task that was swept and claimed by another
    _, zombie = await claimed_job(connection, pool)
    set_task(connection, zombie.id, "state = 'ready', token = NULL, expires_at = NULL, owner = NULL")
    (owner,) = await claim(pool)
    before = everything(connection)
    # When the first comes back
    with pytest.raises(AuthorityLost):
        await commit(pool, lease_of(zombie), page_of(zombie))
    # Then nothing happened, and the owner goes on
    assert everything(connection) == before
    assert (await commit(pool, lease_of(owner), page_of(owner))).page_new


async def test_an_expired_lease_that_nobody_took_still_commits_and_lives_again(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, "expires_at = now() - interval '5 min'")
    assert (await commit(pool, lease_of(claimed), page_of(claimed))).page_new
    assert value(connection, "SELECT expires_at > clock_timestamp() FROM worker.tasks")
    assert_counters_are_true(connection, job_id)


@pytest.mark.parametrize(
    "change",
    [
        *(f"UPDATE scraping_jobs SET status = '{status}'" for status in ("completed", "error", "timeout", "cancelled")),
        "UPDATE scraping_jobs SET status = 'pending'",
        "DELETE FROM scraping_jobs",
    ],
)
async def test_a_row_the_application_took_away_takes_no_page(connection, pool, change):
    _, claimed = await claimed_job(connection, pool)
    connection.execute(change.encode())
    before = everything(connection)
    answer = await commit(pool, lease_of(claimed), page_of(claimed))
    assert (answer.owned, answer.row_open, answer.page_new) == (True, False, False)
    assert everything(connection) == before


async def test_a_page_committed_again_changes_nothing_and_tells_what_it_stored(connection, pool):
    # Given a page whose reply was lost
    _, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed))
    before = everything(connection)
    # When it is committed again
    answer = await commit(pool, lease_of(claimed), page_of(claimed))
    # Then the answer says so
    assert (answer.page_new, answer.stored_before, answer.results_before) == (False, 2, 2)
    assert everything(connection) == before


def test_a_page_committed_again_while_the_first_try_still_waits_is_no_loss_of_authority(connection, database_url):
    # Given a page commit that waits for a row the application has locked
    async def claim_it():
        pool = make_pool(database_url, "test pool", 1)
        async with pool:
            return await claimed_job(connection, pool)

    job_id, claimed = in_loop(claim_it).result(20)

    async def try_it():
        pool = make_pool(database_url, "test pool", 1)
        async with pool:
            return await commit(pool, lease_of(claimed), page_of(claimed))

    with connect(database_url, autocommit=False) as application:
        set_row(application, job_id, "region = 'DE'")
        first = in_loop(try_it)
        wait_until_blocked(connection, 1)
        # When its client loses the connection, and asks again
        second = in_loop(try_it)
        wait_until_blocked(connection, 2)
        application.commit()
        answers = first.result(20), second.result(20)
    # Then the page is in once, and both know
    assert [answer.page_new for answer in answers] == [True, False]
    assert answers[1].stored_before == 2
    assert_counters_are_true(connection, job_id)


async def test_a_page_number_that_another_epoch_stored_is_refused(connection, pool):
    # Given a page of the epoch before
    _, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed))
    set_task(connection, claimed.id, "epoch = epoch + 1")
    before = everything(connection)
    # Then the same number is not taken for a lost reply
    with pytest.raises(AuthorityLost, match="another epoch"):
        await commit(pool, lease_of(claimed), page_of(claimed, keys=("x",)))
    assert everything(connection) == before


async def test_creators_the_task_has_are_left_out_and_other_tasks_have_their_own(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    other_id, other = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed, 1, ["a", "b"]))
    answer = await commit(pool, lease_of(claimed), page_of(claimed, 2, ["b", "c", "a"], items=5))
    await commit(pool, lease_of(other), page_of(other, 1, ["a"]))
    assert (answer.stored, answer.duplicates) == (1, 4)
    assert ids(connection, job_id) == ["a", "b", "c"]
    assert ids(connection, other_id) == ["a"]
    assert_counters_are_true(connection, job_id)


async def test_the_target_cuts_a_page_and_the_cursor_stays_on_it(connection, pool):
    # Given room for one more
    job_id, claimed = await claimed_job(connection, pool, target_results=3)
    await commit(pool, lease_of(claimed), page_of(claimed, 1, ["a", "b"]))
    # When a page brings three new ones
    answer = await commit(pool, lease_of(claimed), page_of(claimed, 2, ["b", "c", "d", "e"]))
    # Then the first of them is stored, the others neither stored nor marked as seen, and the page can be had again
    assert (answer.stored, answer.cut, answer.duplicates) == (1, True, 1)
    assert ids(connection, job_id) == ["a", "b", "c"]
    assert value(connection, "SELECT envelope FROM worker.checkpoints") == {"page": 2}
    assert value(connection, "SELECT count(*) FROM worker.seen_creators") == 3
    assert job(connection, job_id)["progress"] == 99
    # And when the application raises the target, the rest of the page goes in
    set_row(connection, job_id, "target_results = 10")
    await commit(pool, lease_of(claimed), page_of(claimed, 3, ["b", "c", "d", "e"]))
    assert ids(connection, job_id) == ["a", "b", "c", "d", "e"]
    assert_counters_are_true(connection, job_id)


@pytest.mark.parametrize(("target", "stored"), [(3, 1), (2, 0), (1, 0), (0, 0)])
async def test_a_target_lowered_in_mid_slice_is_never_passed(connection, pool, target, stored):
    job_id, claimed = await claimed_job(connection, pool, target_results=100)
    await commit(pool, lease_of(claimed), page_of(claimed, 1, ["a", "b"]))
    set_row(connection, job_id, f"target_results = {target}")
    answer = await commit(pool, lease_of(claimed), page_of(claimed, 2, ["c", "d"]))
    assert (answer.stored, answer.target_results, answer.results_before) == (stored, target, 2)
    assert len(ids(connection, job_id)) == 2 + stored
    assert_counters_are_true(connection, job_id)


async def test_progress_grows_with_results_never_falls_and_leaves_100_to_the_end(connection, pool):
    job_id, claimed = await claimed_job(connection, pool, target_results=3)
    seen = []
    for seq, (keys, target) in enumerate([(["a"], 3), (["b"], 3), ([], 300), (["c"], 4), (["d"], 4)], start=1):
        set_row(connection, job_id, f"target_results = {target}")
        await commit(pool, lease_of(claimed), page_of(claimed, seq, keys))
        seen.append(float(job(connection, job_id)["progress"]))
    assert seen == [33.33, 66.67, 66.67, 75, 99]


async def test_a_page_with_nothing_new_counts_but_writes_no_batch(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed, 1, ["a"]))
    await commit(pool, lease_of(claimed), page_of(claimed, 2, ["a"]))
    await commit(pool, lease_of(claimed), page_of(claimed, 3, []))
    assert value(connection, "SELECT count(*) FROM scraping_results") == 1
    assert ledger(connection, job_id) == [(1, 1), (2, 0), (3, 0)]
    assert job(connection, job_id)["processed_runs"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"docs": ['{"creator": {"id": "a\\u0000"}}', "{}"]},
        {"docs": ["{", "{}"]},
        {"keys": ["a\x00", "b"]},
        {"keys": ["a\ud800", "b"]},
        {"docs": ['{"bio": "\ud800"}', "{}"]},
        {"cursor_shown": 2**31},
        {"envelope_next": "{"},
    ],
    ids=["escaped NUL", "cut JSON", "NUL in a key", "surrogate in a key", "surrogate", "big cursor", "bad envelope"],
)
async def test_data_that_postgres_refuses_is_told_and_writes_nothing(connection, pool, changes):
    _, claimed = await claimed_job(connection, pool)
    lease, before = lease_of(claimed), everything(connection)
    with pytest.raises(PageRefused):
        await commit(pool, lease, page_of(claimed, **changes))
    assert everything(connection) == before
    # And the lease is good for the next try
    assert (await commit(pool, lease, page_of(claimed))).page_new


def test_a_backend_that_dies_inside_the_commit_leaves_nothing_and_the_repeat_stores_it_once(connection, database_url):
    # Given a page commit that waits for the row, its creators already written inside the statement or not
    async def claim_it():
        async with make_pool(database_url, "test pool", 1) as pool:
            return await claimed_job(connection, pool)

    job_id, claimed = in_loop(claim_it).result(20)
    before = everything(connection)

    async def commit_it():
        async with make_pool(database_url, "test pool", 2) as pool:
            return await commit(pool, lease_of(claimed), page_of(claimed))

    with connect(database_url, autocommit=False) as application:
        application.execute("SELECT FROM scraping_jobs FOR UPDATE")
        committing = in_loop(commit_it)
        (pid,) = wait_until_blocked(connection)
        # When its backend is ended
        assert value(connection, "SELECT pg_terminate_backend(%s)", pid)
        # Then the commit comes again by itself
        eventually(lambda: set(blocked_backends(connection)) - {pid}, seconds=10)
        assert everything(connection) == before
        application.rollback()
    assert committing.result(20).page_new
    assert_counters_are_true(connection, job_id)
    assert ids(connection, job_id) == ["a", "b"]


async def test_times_in_the_application_s_tables_are_utc_in_every_session(connection, database_url):
    adopted_job(connection)
    async with await AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None) as own:
        await own.execute("SET TIME ZONE 'America/New_York'")
        (claimed,) = await claim_on(own)
        await commit_page(own, page_of(claimed))
    assert value(
        connection,
        "SELECT r.created_at BETWEEN worker.utc_now() - interval '1 min' AND worker.utc_now()"
        " AND j.updated_at BETWEEN worker.utc_now() - interval '1 min' AND worker.utc_now()"
        " FROM scraping_results r JOIN scraping_jobs j ON j.id = r.job_id",
    )


@pytest.mark.parametrize(("minutes", "overdue"), [(-1, True), (1, False)])
async def test_the_answer_tells_whether_the_deadline_has_passed(connection, pool, minutes, overdue):
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, f"timeout_at = worker.utc_now() + interval '{minutes} min'")
    assert (await commit(pool, lease_of(claimed), page_of(claimed))).overdue is overdue


async def test_a_constraint_of_the_application_refuses_the_page_and_nothing_is_written(connection, pool):
    # Given a rule that the application added to its results
    _, claimed = await claimed_job(connection, pool)
    connection.execute("ALTER TABLE scraping_results ADD CONSTRAINT theirs CHECK (jsonb_array_length(creators) < 2)")
    before = everything(connection)
    # When a page breaks it
    with pytest.raises((PageRefused, psycopg.IntegrityError)):
        await commit(pool, lease_of(claimed), page_of(claimed))
    # Then nothing of the page is there, and one that keeps it goes in
    assert everything(connection) == before
    assert (await commit(pool, lease_of(claimed), page_of(claimed, keys=["a"]))).stored == 1
    assert json.loads(value(connection, "SELECT creators::text FROM scraping_results")) == [{"creator": {"id": "a"}}]
