"""Whatever a provider answers: nothing is lost, nothing is stored twice, no worker dies, and the row says why."""

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import psutil
import pytest
import redis

from platforms.simulator.catalogue import author_at, creators_of, page_starts, video_at
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import Fleet, eventually, fleet_of
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    insert_job,
    is_final,
    job,
    ledger,
    state,
    stored_creators,
    stored_ids,
    task,
)
from worker.limits.overview import let_go

SEED = 1
ITEMS = 80
ATTEMPTS = 3
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class BadAnswer:
    """A fault, and how the engine names it: the stable reason, and words of the text for people."""

    kind: str
    reason: str
    words: str
    wishes: dict[str, Any] = field(default_factory=dict)


PASSING = {
    # Faults that are worth another try, by the word that is searched.
    "html": BadAnswer("html", "not_json_with_2xx", "not JSON: Checking"),
    "cut json": BadAnswer("cut_json", "not_json", "expected complete JSON"),
    "huge": BadAnswer("huge", "body_too_large", "the cap", {"bytes": 60 * MEGABYTE}),
    "missing list": BadAnswer("missing_list", "missing_list", "seen neither"),
    "list is an object": BadAnswer("wrong_shape", "wrong_page_shape", "Expected `array | null`, got `object`"),
    "drop": BadAnswer("drop", "transport", "closed the connection"),
    "500": BadAnswer("status", "server_error", "HTTP 500", {"status": 500}),
    "503 with text": BadAnswer("status", "server_error", "HTTP 503", {"status": 503, "body": "overloaded"}),
    "408": BadAnswer("status", "request_timeout", "HTTP 408", {"status": 408}),
    "204": BadAnswer("status", "not_json_with_2xx", "empty body", {"status": 204, "body": ""}),
}
REFUSALS = {
    # Faults that no second try would mend.
    "400": BadAnswer("status", "bad_request", "HTTP 400", {"status": 400}),
    "403 for a search": BadAnswer("status", "search_refused", "HTTP 403", {"status": 403, "body": {"error": "no"}}),
    "418": BadAnswer("status", "client_error", "HTTP 418", {"status": 418}),
}
WAITS = {
    # Faults that concern the whole provider, and that somebody mends.
    "401": BadAnswer("status", "bad_key", "refused the API key", {"status": 401}),
    "402": BadAnswer("status", "out_of_credits", "out of credits", {"status": 402}),
    "404 page": BadAnswer("status", "unknown_route", "no such endpoint", {"status": 404, "body": "<html>Cannot GET"}),
    "items are numbers": BadAnswer("wrong_shape", "drift", "answers in another shape", {"shape": "numbers"}),
    "302": BadAnswer("status", "redirect", "check the base URL", {"status": 302, "headers": {"Location": "/x"}}),
}


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def module_fleet(module_database_url, module_redis_url, running, tmp_path_factory):
    settings = {
        "TRAWLER_MAX_ATTEMPTS": str(ATTEMPTS),
        "TRAWLER_RETRY_BASE_SECONDS": "0.1",
        "TRAWLER_RETRY_CAP_SECONDS": "0.2",
        "TRAWLER_SLOTS": "24",
        # Here jobs fail by the dozen at once, and each is to be seen to its end.
        "TRAWLER_BREAKER_FAILURES": "100000",
    }
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, running, logs, **settings) as fleet:
        yield fleet


@pytest.fixture
def simulator(running):
    running.clear_calls()
    yield running
    running.clear_faults()


@pytest.fixture
def fleet(module_fleet, rows, module_redis_url):
    """The module's fleet, held back by nothing; afterwards every process must still be the first one and live."""
    reopen(rows, module_redis_url)
    yield module_fleet
    assert [process.poll() for process in module_fleet.processes] == [None, None]
    assert "slice_failed" not in module_fleet.log(), "an answer of a provider was an unexpected error"


def reopen(rows, redis_url: str) -> None:
    """Let all waits be over, as an operator does who mended what they were for."""
    with redis.Redis.from_url(redis_url) as client:
        let_go(client)
    rows.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE state = 'waiting'")


def told(rows, job_id: str) -> str:
    """What the job's first slice said."""
    (detail,) = rows.execute(
        "SELECT a.detail FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id WHERE t.job_id = %s"
        " ORDER BY a.id LIMIT 1",
        (job_id,),
    ).fetchone()
    return detail


def put_in(rows, word: str, **columns) -> str:
    params = {"enrich": "none", **columns.pop("search_params", {})}
    return insert_job(
        rows,
        **{"user_id": f"user of {word}", "keywords": [word], "target_results": 20_000, **columns},
        search_params=params,
    )


def walk(rows, word: str, **columns) -> str:
    """Id of a job over this word that has ended."""
    job_id = put_in(rows, word, **columns)
    eventually(lambda: is_final(rows, job_id))
    return job_id


def cursors_asked(simulator, word: str) -> list[int]:
    calls = simulator.calls(SEARCH_PATH)
    return [int(call["params"]["cursor"]) for call in calls if call["params"]["query"] == word]


def assert_complete(rows, job_id: str, word: str) -> None:
    assert job(rows, job_id)["status"] == "completed"
    assert stored_ids(rows, job_id) == list(creators_of(SEED, word, ITEMS))
    assert_counters_are_true(rows, job_id)


@pytest.fixture(scope="module")
def passed(module_fleet, running, rows, module_redis_url) -> dict[str, str]:
    """Jobs by word whose second page was spoilt until two attempts were spent, then fine; all have ended."""
    reopen(rows, module_redis_url)
    running.clear_calls()
    for word, bad in PASSING.items():
        # Outcomes that are tried again at once take three calls an attempt.
        calls = 6 if bad.reason in ("transport", "server_error", "request_timeout") else 2
        running.set_fault(bad.kind, match={"query": f"{word} twice"}, after=1, times=calls, **bad.wishes)
    ids = {word: put_in(rows, f"{word} twice") for word in PASSING}
    eventually(lambda: all(is_final(rows, job_id) for job_id in ids.values()))
    running.clear_faults()
    return ids


@pytest.fixture(scope="module")
def given_up(module_fleet, running, rows, module_redis_url) -> dict[str, str]:
    """Jobs by word whose second page is spoilt for ever; all have ended."""
    reopen(rows, module_redis_url)
    running.clear_calls()
    everything = {**PASSING, **REFUSALS}
    for word, bad in everything.items():
        running.set_fault(bad.kind, match={"query": word}, after=1, **bad.wishes)
    ids = {word: put_in(rows, word) for word in everything}
    eventually(lambda: all(is_final(rows, job_id) for job_id in ids.values()))
    running.clear_faults()
    return ids


@pytest.mark.usefixtures("fleet")
class TestAnAnswerThatIsNoPage:
    @pytest.mark.parametrize("word", PASSING)
    def test_is_asked_for_again_and_the_job_completes(self, rows, passed, word):
        job_id = passed[word]
        assert_complete(rows, job_id, f"{word} twice")
        assert attempts(rows, job_id) == [
            *[("retry", PASSING[word].reason)] * (ATTEMPTS - 1),
            ("completed", "exhausted"),
        ]
        assert task(rows, job_id)["failures"] == 0, "a page gives attempts back"

    @pytest.mark.parametrize("word", PASSING)
    def test_for_ever_ends_the_job_after_its_attempts_with_the_reason(self, rows, given_up, word):
        bad, job_id = PASSING[word], given_up[word]
        row = job(rows, job_id)
        assert row["status"] == "error"
        assert f"gave up after {ATTEMPTS} attempts" in row["error"]
        assert bad.words in row["error"]
        assert attempts(rows, job_id) == [*[("retry", bad.reason)] * (ATTEMPTS - 1), ("error", bad.reason)]
        assert task(rows, job_id)["end_reason"] == bad.reason

    @pytest.mark.parametrize("word", REFUSALS)
    def test_that_is_a_refusal_ends_the_job_at_once(self, rows, given_up, word):
        bad, job_id = REFUSALS[word], given_up[word]
        row = job(rows, job_id)
        assert row["status"] == "error"
        assert bad.words in row["error"]
        assert attempts(rows, job_id) == [("error", bad.reason)]

    @pytest.mark.parametrize("word", {**PASSING, **REFUSALS})
    def test_keeps_what_came_before_it(self, rows, given_up, word):
        job_id = given_up[word]
        first_page = page_starts(SEED, word, ITEMS)[1]
        assert stored_ids(rows, job_id) == list(creators_of(SEED, word, first_page))
        assert_counters_are_true(rows, job_id)
        assert 0 < job(rows, job_id)["progress"] < 100

    def test_for_ever_tells_the_owner_what_to_do(self, rows, given_up):
        errors = {word: job(rows, job_id)["error"] for word, job_id in given_up.items()}
        advice = re.compile(r"\b(retry|check|set|correct|create|wait)\b", re.IGNORECASE)
        assert {word: error for word, error in errors.items() if not advice.search(error)} == {}


class TestSecondsLongFaults:
    def test_cost_no_attempt(self, fleet, rows, simulator):
        # Given a provider that fails twice and then answers
        simulator.set_fault("status", status=500, match={"query": "hiccup"}, times=2)
        # When a job walks
        job_id = walk(rows, "hiccup")
        # Then the call is made again within the slice
        assert_complete(rows, job_id, "hiccup")
        assert cursors_asked(simulator, "hiccup")[:4] == [0, 0, 0, 30]
        assert attempts(rows, job_id) == [("completed", "exhausted")]

    @pytest.mark.parametrize("kind", ["drop", "status"])
    def test_make_three_calls_an_attempt_and_no_more(self, fleet, rows, simulator, kind):
        # Given a provider that may charge for each call it does not answer
        word = f"three calls {kind}"
        simulator.set_fault(kind, match={"query": word}, after=1)
        # When a job gives up on its second page
        job_id = walk(rows, word)
        # Then it made the calls it knows of
        assert len(attempts(rows, job_id)) == ATTEMPTS
        assert cursors_asked(simulator, word) == [0, *[30] * 3 * ATTEMPTS]

    @pytest.mark.slow
    def test_a_provider_that_hangs_is_left_after_the_total_time_out(
        self, database_url, redis_url, running, connection, tmp_path
    ):
        # Given a time-out of a second, and a provider that sends headers and then nothing
        settings = {
            "TRAWLER_PROVIDER_READ_SECONDS": "1",
            "TRAWLER_PROVIDER_TOTAL_SECONDS": "1",
            "TRAWLER_MAX_ATTEMPTS": "1",
        }
        running.set_fault("hang", match={"query": "hang"})
        running.set_fault("hang", match={"query": "pause"}, times=1)
        with fleet_of(database_url, redis_url, running, tmp_path, **settings):
            # When one job meets it for ever and another once
            stuck, paused = put_in(connection, "hang"), put_in(connection, "pause")
            eventually(lambda: is_final(connection, stuck) and is_final(connection, paused))
        running.clear_faults()
        # Then the first gives up with the reason, and the second has everything
        assert job(connection, stuck)["status"] == "error"
        assert "1 s" in job(connection, stuck)["error"]
        assert attempts(connection, stuck) == [("error", "transport")]
        assert_complete(connection, paused, "pause")


class TestAnAnswerThatIsTooLarge:
    def test_is_cut_off_and_the_workers_memory_stays_small(self, fleet, rows, simulator):
        # Given four jobs at once, each of whose pages is 300 MB long
        worker = psutil.Process(fleet.processes[1].pid)
        words = [f"too large {number}" for number in range(4)]
        for word in words:
            simulator.set_fault("huge", match={"query": word})
        ids = [put_in(rows, word) for word in words]
        seen: list[int] = []

        def over() -> bool:
            seen.append(worker.memory_info().rss)
            return all(is_final(rows, job_id) for job_id in ids)

        # When they have given up
        eventually(over)
        # Then the worker lives and never held more than the caps allow
        assert {job(rows, job_id)["status"] for job_id in ids} == {"error"}
        assert max(seen) < 400 * MEGABYTE


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


class TestAProviderThatHasToBeWaitedFor:
    def test_waits_as_long_as_the_provider_says_and_goes_on_by_itself(self, fleet, rows, simulator):
        # Given a provider that asks for two seconds, once, in mid-walk
        simulator.set_fault(
            "status", status=429, headers={"Retry-After": "2"}, match={"query": "slow down"}, after=1, times=1
        )
        # When a job meets it
        job_id = put_in(rows, "slow down")
        eventually(lambda: state(rows, job_id) == "waiting")
        # Then the task says why, and the row stays as it is
        assert task(rows, job_id)["wait_reason"] == "rate_limited"
        assert "asked to slow down" in told(rows, job_id)
        assert job(rows, job_id)["status"] == "processing"
        assert job(rows, job_id)["error"] is None
        # And it goes on when the time is over, with no attempt spent
        eventually(lambda: is_final(rows, job_id))
        assert_complete(rows, job_id, "slow down")
        assert attempts(rows, job_id) == [("wait", "rate_limited"), ("completed", "exhausted")]
        times = [call["at"] for call in simulator.calls(SEARCH_PATH) if call["params"]["query"] == "slow down"]
        (apart,) = rows.execute(
            "SELECT extract(epoch FROM %s::timestamptz - %s::timestamptz)", (times[2], times[1])
        ).fetchone()
        assert apart >= 2

    @pytest.mark.slow
    def test_goes_on_by_itself_where_it_names_no_time(self, fleet, rows, simulator):
        simulator.set_fault("status", status=429, match={"query": "too fast"}, after=1, times=3)
        job_id = walk(rows, "too fast")
        assert_complete(rows, job_id, "too fast")
        assert {outcome for outcome, _ in attempts(rows, job_id)} == {"wait", "completed"}
        assert task(rows, job_id)["failures"] == 0

    @pytest.mark.parametrize("name", WAITS)
    def test_says_why_holds_every_job_and_goes_on_when_it_is_mended(
        self, fleet, rows, simulator, module_redis_url, name
    ):
        bad, word, other = WAITS[name], f"wait {name}", f"also {name}"
        # Given a provider that refuses everybody, from the second page on
        simulator.set_fault(bad.kind, match={"query": word}, after=1, **bad.wishes)
        # When a job meets it
        job_id = put_in(rows, word)
        eventually(lambda: state(rows, job_id) == "waiting")
        # Then its task says why
        assert task(rows, job_id)["wait_reason"] == bad.reason
        assert bad.words in told(rows, job_id)
        # And a job that comes now waits too, without a call, and says the same
        held = put_in(rows, other)
        eventually(lambda: state(rows, held) == "waiting")
        assert attempts(rows, held)[0] == ("wait", "breaker_open")
        assert bad.words in told(rows, held)
        assert cursors_asked(simulator, other) == []
        # When it is looked at again and nothing was mended
        reopen(rows, module_redis_url)
        eventually(lambda: attempts(rows, job_id).count(("wait", bad.reason)) == 2)
        # Then it waits on, and no attempt is spent
        assert {outcome for outcome, _ in attempts(rows, job_id)} == {"wait"}
        assert task(rows, job_id)["failures"] == 0
        # When it is mended
        simulator.clear_faults()
        reopen(rows, module_redis_url)
        eventually(lambda: is_final(rows, job_id) and is_final(rows, held))
        # Then nothing was lost
        assert_complete(rows, job_id, word)
        assert_complete(rows, held, other)
        assert task(rows, job_id)["waits"] == 0

    def test_hears_of_an_empty_balance_while_profiles_are_looked_up(
        self, fleet: Fleet, rows, simulator, module_redis_url
    ):
        # Given a balance that is empty when the first page's profiles are looked up
        simulator.set_fault("status", PROFILE_PATH, status=402)
        # When a job walks
        job_id = put_in(rows, "poor profiles", target_results=20, search_params={"enrich": "inline"})
        eventually(lambda: is_final(rows, job_id) or state(rows, job_id) == "waiting")
        # Then it waits for the balance, as for a search: its creators are not stored thin for good
        assert task(rows, job_id)["wait_reason"] == "out_of_credits"
        simulator.clear_faults()
        reopen(rows, module_redis_url)
        eventually(lambda: is_final(rows, job_id))
        assert {creator["enhancementStatus"] for creator in stored_creators(rows, job_id)} == {"completed"}
