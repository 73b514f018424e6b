"""Instagram by Apify: starting once, waiting, and reading what a run left."""

import json
from datetime import timedelta

import msgspec
import pytest

from platforms import cursor, paging
from platforms.apify.instagram_similar import ACTOR
from platforms.apify.items import LIMIT
from platforms.apify.outcomes import AFTER_AN_ERROR
from platforms.apify.pricing import credits_of
from platforms.outcome import Outcome
from platforms.pages import OPENED, Page
from tests.conformance.kit import answer
from tests.conformance.kits.apify_instagram import (
    DATASET,
    ITEMS,
    RUN,
    START,
    START_ANSWERS,
    STORE,
    WAIT,
    dataset,
    entry,
    many,
    one,
    reading,
    run,
)
from tests.conformance.kits.scrapecreators_instagram import TARGET, related
from tests.conformance.test_sources import NOW
from worker.errors import ShapeError

LATER = "2026-02-20T07:40:00.000Z"
RUNS = f"/v2/acts/{ACTOR}/runs"


class Search:
    """One job's walks, led through answers."""

    def __init__(self):
        self.envelope = cursor.start(START.query, START.adapter, NOW)

    @property
    def walk(self):
        return self.envelope.walks[cursor.next_walk(self.envelope)]

    @property
    def request(self):
        return START.adapter.sources[self.walk.source].request(START.query, self.walk)

    def step(self, response) -> Page:
        index = cursor.next_walk(self.envelope)
        source = START.adapter.sources[self.walk.source]
        assert source.judge(response).outcome is Outcome.OK
        page = source.parse(response, START.query, self.walk)
        if page.not_ready is None and page.judgement is None:
            following = paging.advance(self.walk, page, len(page.items))
            self.envelope = cursor.with_walk(self.envelope, index, following, NOW, page.walks)
        return page

    def another_slice(self):
        saved = cursor.read(cursor.encode(self.envelope))
        self.envelope = cursor.resume(saved, START.query, START.adapter, NOW)


@pytest.fixture
def search():
    return Search()


class TestStarting:
    def test_asks_looks_starts_waits_and_reads(self, search):
        # When the newest run was looked at, Then ours is started, with its input and an end.
        search.step(many(run("SUCCEEDED")))
        assert (search.request.path, dict(search.request.params)) == (RUNS, {"timeout": "600"})
        assert json.loads(search.request.body or b"") == {"usernames": [TARGET]}
        assert search.request.once
        # When it was started, Then its id is told and it is waited for.
        assert search.step(one(run(), 201)).run_id == RUN
        assert search.request.path == f"/v2/actor-runs/{RUN}"
        # When it has ended, Then it is read.
        search.step(one(run("SUCCEEDED", finishedAt=LATER)))
        assert search.request.path == f"/v2/datasets/{DATASET}/items"
        page = search.step(dataset([entry([related(1), related(2)])]))
        assert len(page.items) == 2
        assert [walk.end_reason for walk in search.envelope.walks] == [OPENED, OPENED, "exhausted"]

    @pytest.mark.parametrize("name", [TARGET, TARGET.upper()])
    def test_finds_a_run_whose_answer_was_lost(self, search, name):
        # Given a start that nobody heard of
        search.step(many(run("SUCCEEDED", id="old")))
        search.another_slice()
        # When the next slice looks
        assert (search.request.path, dict(search.request.params)) == (RUNS, {"desc": "1", "limit": "50"})
        search.step(many(run(id="ours", startedAt=LATER), run("SUCCEEDED", id="old")))
        assert search.request.path == f"/v2/key-value-stores/{STORE}/records/INPUT"
        page = search.step(answer({"usernames": [name], "resultsLimit": 1}))
        # Then it goes on with it
        assert page.run_id == "ours"
        assert search.request.path == "/v2/actor-runs/ours"

    @pytest.mark.parametrize(
        "theirs",
        [
            answer({"usernames": ["somebody"]}),
            answer({"usernames": [TARGET, "somebody"]}),
            answer({"search": "x"}),
            answer([]),
            START_ANSWERS["no_input"],
        ],
        ids=["another name", "more names", "no names", "a list", "no longer kept"],
    )
    def test_does_not_take_another_s_run_for_ours(self, search, theirs):
        search.step(many())
        search.another_slice()
        search.step(many(run(id="theirs")))
        search.step(theirs)
        assert search.request.body is not None

    def test_compares_names_as_instagram_does_in_any_case(self, search):
        # Given
        walk = msgspec.structs.replace(START.walk, word=TARGET.title(), cursor=0)
        search.envelope = cursor.with_walk(search.envelope, 0, walk)
        search.step(many())
        search.another_slice()
        # When
        search.step(many(run()))
        # Then
        assert search.step(answer({"usernames": [TARGET]})).run_id == RUN

    @pytest.mark.parametrize("status", ["FAILED", "TIMED-OUT", "ABORTED", "ABORTING", "TIMING-OUT"])
    def test_does_not_go_on_with_a_run_that_failed(self, search, status):
        search.step(many())
        search.another_slice()
        search.step(many(run(status)))
        assert search.request.body is not None

    def test_checks_every_newer_run_the_oldest_first_and_no_older_one(self, search):
        # Given
        search.step(many(run("SUCCEEDED", id="old")))
        search.another_slice()
        stores = {"b": LATER, "a": "2026-02-20T07:39:00Z", "old": run()["startedAt"], "older": "2026-01-01T00:00:00Z"}
        newer = [run(id=name, startedAt=began, defaultKeyValueStoreId=f"store{name}") for name, began in stores.items()]
        # When
        search.step(many(*newer))
        asked = []
        while search.request.body is None:
            asked.append(search.request.path)
            search.step(answer({"usernames": ["somebody"]}))
        # Then
        assert asked == [f"/v2/key-value-stores/store{name}/records/INPUT" for name in "ab"]

    def test_looks_again_in_every_slice_until_a_run_is_known(self, search):
        for _ in range(3):
            search.step(many())
            assert search.request.body is not None
            search.another_slice()
            assert search.request.body is None
        search.step(many())
        search.step(one(run(), 201))
        search.another_slice()
        assert search.request.path == f"/v2/actor-runs/{RUN}"

    def test_waits_after_an_error_until_a_run_would_be_listed(self):
        assert START.read.judge(START_ANSWERS["server_error"]).wait == AFTER_AN_ERROR

    def test_refuses_an_id_that_would_change_the_path(self, search):
        search.step(many())
        with pytest.raises(ShapeError) as caught:
            search.step(one(run(id="../users/me"), 201))
        assert caught.value.reason == "wrong_id"

    def test_takes_a_missing_actor_for_a_wrong_setting(self):
        response = answer({"error": {"type": "record-not-found", "message": "Actor was not found"}}, 404)
        assert START.read.judge(response).outcome is Outcome.FIX_CONFIGURATION


class TestWaiting:
    @pytest.mark.parametrize("status", ["READY", "RUNNING", "TIMING-OUT", "ABORTING"])
    def test_goes_on_while_the_run_is_at_work(self, status):
        page = WAIT.read.parse(one(run(status)), WAIT.query, WAIT.walk)
        assert page.not_ready == timedelta(seconds=5)

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"])
    def test_ends_with_the_run_whose_dataset_is_then_read(self, status):
        page = WAIT.read.parse(one(run(status, exitCode=0)), WAIT.query, WAIT.walk)
        assert json.loads(str(page.walks[0].cursor))["status"] == status
        assert (page.credits, page.run_id) == (3, RUN)

    @pytest.mark.parametrize(
        ("told", "cost"),
        [(0.0023, 3), (0.003, 3), (0, 0), (1.25, 1250), (None, 3), ("0.1", 3), (-1, 3), (1e300, 3), (True, 3)],
    )
    def test_a_run_costs_what_it_tells_in_thousandths_of_a_dollar(self, told, cost):
        assert credits_of(told, 3) == cost


def items(status="SUCCEEDED", **place):
    return msgspec.structs.replace(ITEMS.walk, cursor=reading(status, **place))


def read(response, walk=ITEMS.walk):
    return ITEMS.read.parse(response, ITEMS.query, walk)


class TestReading:
    def test_moves_by_the_limit_and_not_by_what_came(self):
        # Given a page of two entries where ten were asked for, and more to come
        page = read(dataset([entry([related(1)]), entry([related(2)])], total=12))
        # Then
        assert (page.ended, len(page.items)) == (False, 2)
        following = paging.advance(ITEMS.walk, page, 2)
        assert dict(ITEMS.read.request(ITEMS.query, following).params)["offset"] == str(LIMIT)
        # And at the end of the list
        last = read(dataset([entry([related(3)]), entry([related(4)])], total=12), following)
        assert (last.ended, last.end_reason) == (True, "exhausted")

    def test_an_empty_page_further_on_is_the_end(self):
        page = read(dataset([], total=40), items(offset=LIMIT, found=2))
        assert (page.ended, page.end_reason) == (True, "exhausted")

    def test_without_totals_a_page_that_is_not_full_is_the_last(self):
        response = answer([entry([related(1)])])
        assert read(response).ended
        assert not read(answer([entry([related(number)]) for number in range(LIMIT)])).ended

    @pytest.mark.parametrize(
        ("date", "lags"),
        [("Fri, 20 Feb 2026 07:34:40 GMT", True), ("Fri, 20 Feb 2026 07:35:40 GMT", False), ("soon", False)],
    )
    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
    def test_an_empty_page_right_after_the_run_is_asked_again(self, date, lags, status):
        page = read(dataset([], total=0, date=date), items(status))
        assert (page.not_ready is not None) is lags

    def test_no_related_account_is_a_clear_end(self):
        for none in ([], None):
            page = read(dataset([entry([], relatedProfiles=none)]))
            assert (page.items, page.ended, page.end_reason) == ((), True, "no_related")

    def test_the_target_is_no_result_of_its_own(self):
        page = read(
            dataset([entry([{**related(5), "username": TARGET.upper()}, {**related(6), "id": "99"}, related(1)])])
        )
        assert ([item.handle for item in page.items], page.dropped) == (["barista1"], 2)

    @pytest.mark.parametrize(
        ("error", "outcome", "rule"),
        [
            ("not_found", Outcome.STOP_JOB, "target_not_found"),
            ("Page does not exist", Outcome.STOP_JOB, "target_not_found"),
            ("no_items", Outcome.FAIL_OVER, "actor_error"),
        ],
    )
    def test_an_error_among_the_entries_says_why_there_is_no_target(self, error, outcome, rule):
        told = {"username": TARGET, "error": error, "errorDescription": "Post does not load"}
        judgement = read(dataset([told])).judgement
        assert judgement is not None
        assert (judgement.outcome, judgement.rule) == (outcome, rule)
        assert TARGET in judgement.message

    def test_a_private_target_ends_the_job_with_a_text(self):
        judgement = read(dataset([entry([], private=True)])).judgement
        assert judgement is not None
        assert (judgement.outcome, judgement.rule) == (Outcome.STOP_JOB, "target_private")

    @pytest.mark.parametrize(
        ("status", "reason"), [("FAILED", "run_failed"), ("TIMED-OUT", "run_timed_out"), ("ABORTED", "run_aborted")]
    )
    def test_what_a_failed_run_left_is_read_and_its_end_told(self, status, reason):
        page = read(dataset([entry([related(1)])]), items(status))
        assert (len(page.items), page.ended, page.end_reason, page.judgement) == (1, True, reason, None)
        for nothing in (dataset([], total=0), dataset([entry([])])):
            judgement = read(nothing, items(status)).judgement
            assert judgement is not None
            assert (judgement.outcome, judgement.rule) == (Outcome.FAIL_OVER, reason)
