"""What the engine forgot, or what a fail-over took back: nothing is stored twice, and nothing is left out for it."""

import json

import pytest

from db.queries.adopting import adopt_missed
from tests.integration.engine.steps import (
    OWNER,
    adopt,
    attempts,
    claim,
    claimed_job,
    doc,
    lease_of,
    make_lanes,
    page_of,
    set_row,
    value,
)
from tests.jobs import insert_job, job, stored_ids, task
from worker.committing import commit
from worker.errors import AuthorityLost
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")


def take_back(connection, claimed, seq: int) -> None:
    """What a fail-over to a copy does that never heard of the pages after ``seq``."""
    connection.execute("DELETE FROM worker.pages WHERE task_id = %s AND seq > %s", (claimed.id, seq))
    kept = "b" if seq else ""
    connection.execute("DELETE FROM worker.seen_creators WHERE task_id = %s AND key > %s", (claimed.id, kept))
    connection.execute("DELETE FROM scraping_results WHERE creators -> 0 -> 'creator' ->> 'id' > %s", (kept,))
    if seq:
        connection.execute("UPDATE worker.checkpoints SET seq = %s WHERE task_id = %s", (seq, claimed.id))
    else:
        connection.execute("DELETE FROM worker.checkpoints WHERE task_id = %s", (claimed.id,))
    set_row(connection, claimed.job_id, f"processed_runs = {seq}, processed_results = {2 * seq}")


def forget_everything(connection, job_id: str) -> None:
    """What pruning does to an old task, and a dropped schema to all."""
    connection.execute("DELETE FROM worker.tasks WHERE job_id = %s", (job_id,))


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_holder_whose_last_page_was_lost_may_not_store_the_next_one(connection, pool, kept):
    # Given a slice that has stored two pages, of which a fail-over lost the newest
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    pages = [page_of(claimed, 1), page_of(claimed, 2, keys=("c", "d")), page_of(claimed, 3, keys=("e",))]
    await commit(pool, lease, pages[0])
    await commit(pool, lease, pages[1])
    take_back(connection, claimed, kept)
    # When it goes on with its third, under a token that is still good
    with pytest.raises(AuthorityLost, match="lost the page before this one"):
        await commit(pool, lease, pages[2])
    # Then nothing of it is stored, so the next holder asks for what was lost
    assert stored_ids(connection, job_id) == ["a", "b"][: 2 * kept]
    assert value(connection, "SELECT count(*) FROM worker.pages") == kept
    assert not lease.held


@pytest.mark.parametrize("ending", [Ending.COMPLETED, Ending.TIMEOUT, Ending.ERROR])
async def test_a_holder_whose_last_page_was_lost_may_not_end_the_job(connection, pool, ending):
    # Given a slice that has stored its last page, which a fail-over lost
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    await commit(pool, lease, page_of(claimed, 1))
    await commit(pool, lease, page_of(claimed, 2, keys=("c", "d")))
    take_back(connection, claimed, 1)
    # When it settles what it thinks finished
    await settle(pool, lease, OWNER, Decision(ending, "exhausted", "for a test"))
    # Then the job is not ended: its lease runs out, and the next holder asks for the page again
    assert (job(connection, job_id)["status"], task(connection, job_id)["state"]) == ("processing", "leased")
    assert attempts(connection, claimed.id) == []


@pytest.mark.parametrize("way", ["inbox", "sweep"])
@pytest.mark.parametrize(
    ("dedupe", "known"), [(None, ["a", "b"]), ("creator", ["a", "b"]), (" Video", ["1", "2", "3"])]
)
async def test_a_job_whose_record_is_gone_stores_no_creator_again(connection, pool, way, dedupe, known):
    # Given a job with results, of which the engine has forgotten all
    job_id, claimed = await claimed_job(connection, pool, search_params=dedupe and {"dedupe": dedupe})
    stored = [{"creator": {"id": "a"}, "video": {"id": "1"}}, {"creator": {"id": "b"}, "video": {"id": "2"}}]
    if dedupe == " Video":
        stored.append({"creator": {"id": "b"}, "video": {"id": "3"}})
    keys = [one["video" if dedupe == " Video" else "creator"]["id"] for one in stored]
    await commit(pool, lease_of(claimed), page_of(claimed, keys=keys, docs=[json.dumps(one) for one in stored]))
    forget_everything(connection, job_id)
    assert value(connection, "SELECT count(*) FROM worker.seen_creators") == 0
    # When it is set back to pending, and adopted
    set_row(connection, job_id, "status = 'pending'")
    if way == "inbox":
        adopt(connection)
    else:
        adopt_missed(connection, "scraping_jobs", 10)
    # Then what is stored is known, and the same page adds nothing but what is new
    assert sorted(key for (key,) in connection.execute("SELECT key FROM worker.seen_creators")) == known
    (again,) = await claim(pool)
    answer = await commit(pool, lease_of(again), page_of(again, keys=[*keys, "z"], docs=[*map(doc, keys), doc("z")]))
    assert (answer.stored, answer.duplicates) == (1, len(keys))
    assert job(connection, job_id)["processed_results"] == len(stored) + 1


async def test_results_that_are_not_as_ours_do_not_stop_the_adoption_of_others(connection):
    # Given a row that says it has results, stored in shapes that are not ours
    make_lanes(connection)
    job_id = insert_job(connection, processed_results=4)
    for creators in ('{"a": 1}', '[1, "x", null, {"creator": 5}, {"creator": {"id": 7}}]', "null"):
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, %s::jsonb)", (job_id, creators)
        )
    # When it is adopted
    adopt(connection)
    # Then it is, with what could be read
    assert task(connection, job_id)["state"] == "ready"
    assert connection.execute("SELECT key FROM worker.seen_creators").fetchall() == [("7",)]
