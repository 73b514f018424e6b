"""Pages with items, cursors and counts that no page should have."""

import json
from itertools import pairwise

import pytest

from platforms.simulator.catalogue import author_at, creators_of, page_starts, video_at
from platforms.simulator.settings import PROFILE_PATH
from tests.acceptance.bad_answers.answers import ITEMS, SEED, assert_complete, cursors_asked, walk
from tests.fleet import fleet_of
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    job,
    ledger,
    stored_creators,
    stored_ids,
    task,
)


class TestAnOddPage:
    def test_with_nul_and_half_surrogates_is_stored_whole(self, fleet, rows, simulator):
        # Given texts that JSONB cannot hold, in pages and profiles
        simulator.set_fault("nul_and_surrogates", match={"query": "odd text"})
        simulator.set_fault("nul_and_surrogates", PROFILE_PATH)
        # When a job walks
        job_id = walk(rows, "odd text", search_params={"enrich": "inline"})
        # Then nothing is missing, and what could not be stored is replaced
        assert_complete(rows, job_id, "odd text")
        stored = stored_creators(rows, job_id)
        assert {creator["enhancementStatus"] for creator in stored} == {"completed"}
        assert any("\ufffd" in creator["creator"]["name"] for creator in stored)
        assert any("\ufffd" in creator["creator"]["bio"] for creator in stored)
        assert "\\u0000" not in json.dumps(stored)
        assert attempts(rows, job_id) == [("completed", "exhausted")]

    def test_with_unreadable_items_stores_the_others_and_sets_those_aside_raw(self, fleet, rows, simulator):
        # Given pages of which every third item is odd, two of three of them past reading
        word = "bad items"
        readable, unreadable = [], []
        starts = page_starts(SEED, word, ITEMS)
        for first, following in pairwise(starts):
            for at in range(first, following):
                odd, turn = (at - first) % 3 == 2, (at - first) // 3 % 3
                (unreadable if odd and turn < 2 else readable).append(at)
        simulator.set_fault("bad_items", match={"query": word})
        # When a job walks
        job_id = walk(rows, word)
        # Then it goes on to the end with the readable ones
        assert job(rows, job_id)["status"] == "completed"
        assert stored_ids(rows, job_id) == list(dict.fromkeys(author_at(SEED, word, at).uid for at in readable))
        assert_counters_are_true(rows, job_id)
        # And the others are kept as they came
        kept = rows.execute(
            "SELECT q.reason, q.raw, q.seq FROM worker.quarantine q JOIN worker.tasks t ON t.id = q.task_id"
            " WHERE t.job_id = %s ORDER BY q.id",
            (job_id,),
        ).fetchall()
        raw_ids = [json.loads(raw)["aweme_info"]["aweme_id"] for _, raw, _ in kept]
        assert raw_ids == [video_at(SEED, word, at).id for at in unreadable]
        assert {reason for reason, *_ in kept} == {"wrong_item_shape"}
        # And the ledger counts them
        told = rows.execute(
            "SELECT sum(unreadable) FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id WHERE t.job_id = %s",
            (job_id,),
        ).fetchone()
        assert told == (len(unreadable),)

    @pytest.mark.slow
    def test_with_nulls_for_numbers_is_stored_with_zeros_that_are_named(
        self, database_url, redis_url, simulator, connection, tmp_path
    ):
        # Given a provider that never told the numbers; where it did until now, it would be a drift
        simulator.set_fault("nulls", match={"query": "nulls"})
        simulator.set_fault("nulls", PROFILE_PATH)
        # When a job walks
        with fleet_of(database_url, redis_url, simulator, tmp_path):
            job_id = walk(connection, "nulls", search_params={"enrich": "inline"})
        # Then what is unknown is zero, and named
        assert_complete(connection, job_id, "nulls")
        for creator in stored_creators(connection, job_id):
            unknown = creator["provenance"]["unknown"]
            assert creator["video"]["statistics"]["views"] == 0
            assert "video.statistics.views" in unknown
            assert ("creator.followers" in unknown) == (creator["creator"]["followers"] == 0)
        assert any("creator.followers" in c["provenance"]["unknown"] for c in stored_creators(connection, job_id))

    @pytest.mark.slow
    def test_of_ten_thousand_items_is_stored_whole(self, fleet, rows, simulator):
        # Given one page that holds far more than a page does
        word, items = "many items", 10_000
        first_page = page_starts(SEED, word, ITEMS)[1]
        uids = [int(author_at(SEED, word, at).uid) for at in range(first_page)]
        truth = {str(uids[place % first_page] + place // first_page) for place in range(items)}
        simulator.set_fault("many_items", match={"query": word, "cursor": "0"}, items=items)
        # When a job walks
        job_id = walk(rows, word)
        # Then every one of its creators is there, once
        assert job(rows, job_id)["status"] == "completed"
        assert set(stored_ids(rows, job_id)) == truth | set(creators_of(SEED, word, ITEMS))
        assert_counters_are_true(rows, job_id)
        assert attempts(rows, job_id) == [("completed", "exhausted")]


class TestAWalkThatLeadsNowhere:
    def test_ends_when_the_cursor_repeats(self, fleet, rows, simulator):
        simulator.set_fault("repeat_cursor", match={"query": "circle"})
        job_id = walk(rows, "circle")
        assert cursors_asked(simulator, "circle") == [0]
        assert task(rows, job_id)["end_reason"] == "repeated_cursor"
        assert job(rows, job_id)["status"] == "completed"
        assert stored_ids(rows, job_id) == list(creators_of(SEED, "circle", page_starts(SEED, "circle", ITEMS)[1]))

    def test_ends_after_a_few_empty_pages(self, fleet, rows, simulator):
        simulator.set_fault("empty_list", match={"query": "desert"}, after=1)
        job_id = walk(rows, "desert")
        assert cursors_asked(simulator, "desert") == [0, 30, 60, 90]
        assert task(rows, job_id)["end_reason"] in ("nothing_new", "exhausted")
        assert job(rows, job_id)["status"] == "completed"
        assert_counters_are_true(rows, job_id)

    def test_goes_on_past_a_single_empty_page(self, fleet, rows, simulator):
        simulator.set_fault("empty_list", match={"query": "gap"}, after=1, times=1)
        job_id = walk(rows, "gap")
        assert cursors_asked(simulator, "gap") == [0, 30, 60, *range(90, 30 * len(ledger(rows, job_id)), 30)]
        assert task(rows, job_id)["end_reason"] == "exhausted"
        last = creators_of(SEED, "gap", ITEMS)[-1]
        assert last in stored_ids(rows, job_id)
