"""Replay of quarantined items: what can be read now is stored once, and row, ledger and batches stay true."""

import json
from dataclasses import replace

import psycopg
import pytest
from psycopg.types.json import Jsonb

from actors.replaying import replay_job
from db.queries import quarantining
from db.queries.committing import commit_page
from db.queries.quarantining import Choice
from db.session import connect
from tests.conformance.kits.scrapecreators_tiktok import KEYWORD
from tests.conformance.kits.scrapecreators_tiktok_similar import KITS as SIMILAR_KITS
from tests.integration.engine.steps import (
    claim,
    claim_on,
    claimed_job,
    everything,
    in_thread,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.jobs import assert_counters_are_true, job, stored_creators

pytestmark = pytest.mark.usefixtures("lanes")

ALL = Choice()
CLOSED = "state = 'closed', token = NULL, expires_at = NULL, closed_at = now()"
ODD = json.dumps({"aweme_info": {"aweme_id": "1"}})


def raw(number: int) -> str:
    """An item as the keyword search tells it."""
    return json.dumps(KEYWORD.item(number))


def aside(*raws: str, **changes):
    """A page's fields for items set aside."""
    return {
        "provider": "scrapecreators",
        "endpoint": "tiktok/search/keyword",
        "unreadable": len(raws),
        "bad_reasons": ["wrong_item_shape"] * len(raws),
        "bad_messages": ["odd"] * len(raws),
        "bad_raws": list(raws),
        "bad_cuts": [False] * len(raws),
        "walk": json.dumps({"word": "lamp", "cursor": 0, "source": "search"}),
        **changes,
    }


async def ended_job(connection, pool, *raws, keys=("a", "b"), page=None, **columns):
    """A job that ended with these items set aside; gives its id and its task's."""
    job_id, claimed = await claimed_job(connection, pool, **columns)
    async with pool.connection() as own:
        await commit_page(own, page_of(claimed, keys=keys, **{**aside(*raws), **(page or {})}))
    set_task(connection, claimed.id, CLOSED)
    set_row(connection, job_id, "status = 'completed', progress = 100")
    return job_id, claimed.id


USED = "SELECT usage_creators_current_month FROM user_usage"


def plan_of(connection, limit):
    """Give the jobs' user a plan."""
    connection.execute("INSERT INTO users (user_id) VALUES ('user_1')")
    connection.execute(
        "INSERT INTO user_usage (user_id, plan_creators_limit, usage_creators_current_month, usage_reset_date)"
        " SELECT id, %s, 0, date_trunc('month', worker.utc_now()) FROM users",
        (limit,),
    )


def replayed(connection, task_id, choice=ALL, dry_run=False):
    told = replay_job(connection, task_id, "job", choice, dry_run=dry_run)
    return told.left or dict(told.verdicts)


def counts(connection):
    """The first page's numbers in the ledger."""
    names = ("items", "stored", "duplicates", "filtered", "dropped", "unreadable")
    row = connection.execute(f"SELECT {', '.join(names)} FROM worker.pages WHERE seq = 1".encode()).fetchone()
    return dict(zip(names, row, strict=True))


async def test_items_that_can_be_read_now_are_stored_once_as_a_batch_of_their_own(connection, pool):
    # Given a job that ended with two creators, and with three items of two others and one odd one set aside
    job_id, task_id = await ended_job(connection, pool, raw(1), raw(2), raw(1), ODD)
    # When they are replayed
    assert replayed(connection, task_id) == {"stored": 2, "duplicate": 1, "unreadable": 1}
    # Then the creators are there as the page would have stored them, and say where they come from
    first, second = stored_creators(connection, job_id)[2:]
    told = first.pop("provenance")
    assert first == KEYWORD.creator(1)
    assert (told["replayed"], told["page"], told["provider"]) == (True, 1, "scrapecreators")
    assert value(connection, "SELECT count(*) FROM scraping_results") == 2
    # And row, ledger and batches tell the same
    assert_counters_are_true(connection, job_id)
    assert (job(connection, job_id)["status"], job(connection, job_id)["progress"]) == ("completed", 100)
    assert counts(connection) == {
        "items": 5, "stored": 4, "duplicates": 1, "filtered": 0, "dropped": 0, "unreadable": 1
    }  # fmt: skip
    assert second["provenance"]["replayed"]


async def test_a_second_replay_changes_nothing_but_looks_at_what_is_still_odd(connection, pool):
    job_id, task_id = await ended_job(connection, pool, raw(1), ODD)
    replayed(connection, task_id)
    creators, row, numbers = stored_creators(connection, job_id), job(connection, job_id), counts(connection)
    assert replayed(connection, task_id) == {"unreadable": 1}
    assert stored_creators(connection, job_id) == creators
    assert (job(connection, job_id), counts(connection)) == (row, numbers)
    # And once its shape is known, it is stored too
    connection.execute("UPDATE worker.quarantine SET raw = %s WHERE verdict = 'unreadable'", (raw(2),))
    assert replayed(connection, task_id) == {"stored": 1}
    assert replayed(connection, task_id) == {}
    assert_counters_are_true(connection, job_id)


async def test_a_dry_run_tells_the_same_and_changes_nothing(connection, pool):
    _, task_id = await ended_job(connection, pool, raw(1), ODD)
    before = everything(connection)
    assert replayed(connection, task_id, dry_run=True) == {"stored": 1, "unreadable": 1}
    assert everything(connection) == before


async def test_a_creator_the_job_has_is_a_duplicate(connection, pool):
    key = KEYWORD.read.reread(raw(1).encode(), KEYWORD.query, KEYWORD.walk).key
    job_id, task_id = await ended_job(connection, pool, raw(1), keys=(key,))
    assert replayed(connection, task_id) == {"duplicate": 1}
    assert len(stored_creators(connection, job_id)) == 1
    assert_counters_are_true(connection, job_id)


async def test_the_target_is_kept_to_and_what_is_beyond_it_waits_for_a_larger_one(connection, pool):
    # Given room for one more creator
    job_id, task_id = await ended_job(connection, pool, raw(1), raw(2), target_results=3)
    assert replayed(connection, task_id) == {"stored": 1, "over_target": 1}
    assert_counters_are_true(connection, job_id)
    # When the application asks for more
    set_row(connection, job_id, "target_results = 10")
    # Then the next replay gives it
    assert replayed(connection, task_id) == {"stored": 1}
    assert_counters_are_true(connection, job_id)


async def test_what_is_stored_counts_against_the_plan_and_waits_where_that_ends(connection, pool):
    # Given a user who may have three creators a month and has two
    plan_of(connection, limit=3)
    job_id, task_id = await ended_job(connection, pool, raw(1), raw(2))
    assert value(connection, USED) == 2
    # Then one of two is stored and counted
    assert replayed(connection, task_id) == {"stored": 1, "over_plan": 1}
    assert value(connection, USED) == 3
    assert_counters_are_true(connection, job_id)
    # And the other with a larger plan, or in the next month, which begins with it
    connection.execute("UPDATE user_usage SET usage_reset_date = usage_reset_date - interval '1 month'")
    assert replayed(connection, task_id) == {"stored": 1}
    assert value(connection, USED) == 1
    assert value(connection, "SELECT count(*) FROM events WHERE event_type = 'usage_reset'") == 1


async def test_the_jobs_filters_are_asked(connection, pool):
    job_id, task_id = await ended_job(connection, pool, raw(1), search_params={"min_views": 10**12})
    assert replayed(connection, task_id) == {"filtered": 1}
    assert replayed(connection, task_id) == {}
    assert_counters_are_true(connection, job_id)


async def test_a_profile_that_was_paid_for_is_used(connection, pool):
    key = KEYWORD.read.reread(raw(1).encode(), KEYWORD.query, KEYWORD.walk).key
    connection.execute(
        "INSERT INTO worker.creator_profiles (platform, creator_id, provider, profile) VALUES ('tiktok', %s, 'x', %s)",
        (key, Jsonb({"status": "found", "bio": "hello", "followers": 7})),
    )
    job_id, task_id = await ended_job(connection, pool, raw(1))
    replayed(connection, task_id)
    creator = stored_creators(connection, job_id)[-1]
    assert (creator["enhancementStatus"], creator["creator"]["bio"]) == ("completed", "hello")


async def test_an_item_that_was_cut_says_so(connection, pool):
    _, task_id = await ended_job(connection, pool, raw(1), page={"bad_cuts": [True]})
    told = replay_job(connection, task_id, "job", ALL, dry_run=False)
    assert dict(told.verdicts) == {"cut": 1}
    assert "only its first" in next(iter(told.messages.values()))


async def test_an_endpoint_that_nothing_reads_is_told_and_kept(connection, pool):
    _, task_id = await ended_job(connection, pool, raw(1), page={"endpoint": "tiktok/gone"})
    assert replayed(connection, task_id) == {"no_parser": 1}


async def test_an_item_of_an_older_release_is_read_with_what_the_ledger_knows(connection, pool):
    job_id, task_id = await ended_job(connection, pool, raw(1), page={"walk": None})
    assert replayed(connection, task_id) == {"stored": 1}
    assert_counters_are_true(connection, job_id)


async def test_the_target_itself_is_dropped(connection, pool):
    kit = next(kit for kit in SIMILAR_KITS if kit.source == "users")
    walk = json.dumps({"word": kit.walk.word, "cursor": kit.walk.cursor, "source": kit.source})
    found = kit.read.reread(json.dumps(kit.item(1)).encode(), kit.query, kit.walk)
    job_id, task_id = await ended_job(
        connection,
        pool,
        json.dumps(kit.item(1)),
        page={"endpoint": kit.read.endpoint, "walk": walk},
        keywords=None,
        target_username=found.handle,
    )
    assert replayed(connection, task_id) == {"dropped": 1}
    assert counts(connection)["dropped"] == 1
    assert_counters_are_true(connection, job_id)


@pytest.mark.parametrize("kit", [kit for kit in SIMILAR_KITS if kit.source != "target"], ids=lambda kit: kit.source)
async def test_an_item_of_a_similar_search_has_its_target_and_word(connection, pool, kit):
    walk = json.dumps({"word": kit.walk.word, "cursor": kit.walk.cursor, "source": kit.source})
    job_id, task_id = await ended_job(
        connection,
        pool,
        json.dumps(kit.item(1)),
        page={"endpoint": kit.read.endpoint, "walk": walk},
        keywords=None,
        target_username=kit.query.target_username,
    )
    assert replayed(connection, task_id) == {"stored": 1}
    creator = stored_creators(connection, job_id)[-1]
    creator.pop("provenance")
    assert creator == kit.creator(1)


async def test_only_what_is_chosen_is_replayed(connection, pool):
    _, task_id = await ended_job(connection, pool, raw(1), raw(2), page={"bad_reasons": ["one", "other"]})
    assert replayed(connection, task_id, replace(ALL, reason="other")) == {"stored": 1}
    assert replayed(connection, task_id, replace(ALL, provider="other")) == {}
    assert quarantining.tasks_with_items(connection, replace(ALL, reason="other")) == []
    assert [one for one, _ in quarantining.tasks_with_items(connection, replace(ALL, reason="one"))] == [task_id]


async def test_a_job_that_a_worker_has_is_left_alone(connection, pool):
    _, claimed = await claimed_job(connection, pool)
    async with pool.connection() as own:
        await commit_page(own, page_of(claimed, **aside(raw(1))))
    before = everything(connection)
    assert replayed(connection, claimed.id) == "running"
    assert everything(connection) == before


async def test_a_row_the_application_deleted_is_told(connection, pool):
    job_id, task_id = await ended_job(connection, pool, raw(1))
    connection.execute("DELETE FROM scraping_results WHERE job_id = %s::uuid", (job_id,))
    connection.execute("DELETE FROM scraping_jobs WHERE id = %s::uuid", (job_id,))
    assert replayed(connection, task_id) == "gone"


async def test_two_replays_at_once_store_each_creator_once(connection, pool, database_url):
    # Given a replay that has the task and has not ended
    job_id, task_id = await ended_job(connection, pool, raw(1), raw(2))
    with connect(database_url, "first") as first, connect(database_url, "second") as second:
        with first.transaction():
            assert replayed(first, task_id) == {"stored": 2}
            # When another begins
            other = in_thread(lambda: replayed(second, task_id))
            wait_until_blocked(connection)
        # Then it waits, and finds nothing left
        assert other.result(timeout=10) == {}
    assert_counters_are_true(connection, job_id)


async def test_a_job_is_not_claimed_while_it_is_replayed_and_goes_on_with_true_numbers(connection, pool, database_url):
    # Given a job that waits for its next slice
    job_id, task_id = await ended_job(connection, pool, raw(1))
    set_task(connection, task_id, "state = 'ready', closed_at = NULL")
    set_row(connection, job_id, "status = 'processing', progress = 2")
    with connect(database_url, "replay") as own, own.transaction():
        assert replayed(own, task_id) == {"stored": 1}
        assert await claim(pool) == []
    # When it goes on, and meets the creator again
    (claimed,) = await claim(pool)
    key = KEYWORD.read.reread(raw(1).encode(), KEYWORD.query, KEYWORD.walk).key
    async with pool.connection() as async_own:
        answer = await commit_page(async_own, page_of(claimed, seq=2, keys=(key, "c")))
    # Then it is a duplicate
    assert (answer.stored, answer.duplicates, answer.results_before) == (1, 1, 3)
    assert job(connection, job_id)["progress"] == 4
    assert_counters_are_true(connection, job_id)


async def test_a_replay_that_dies_leaves_nothing(connection, pool, database_url):
    _, task_id = await ended_job(connection, pool, raw(1))
    before = everything(connection)
    with connect(database_url, "dies", autocommit=False) as dying:
        (pid,) = dying.execute("SELECT pg_backend_pid()").fetchone()
        replayed(dying, task_id)
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            dying.execute("SELECT 1")
    assert everything(connection) == before


async def test_a_claim_that_is_under_way_goes_first(connection, pool, database_url):
    # Given a job that is just being claimed
    job_id, task_id = await ended_job(connection, pool, raw(1))
    set_task(connection, task_id, "state = 'ready', closed_at = NULL")
    set_row(connection, job_id, "status = 'processing'")
    with connect(database_url, "replay") as own:
        async with pool.connection() as claiming, claiming.transaction():
            assert await claim_on(claiming)
            # When a replay begins
            waiting = in_thread(lambda: replayed(own, task_id))
            wait_until_blocked(connection)
        # Then it waits, and leaves the job to the worker
        assert waiting.result(timeout=10) == "running"
    assert len(stored_creators(connection, job_id)) == 2
    assert_counters_are_true(connection, job_id)
