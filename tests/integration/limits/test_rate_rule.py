"""The rule by which a rate is learned: the real script on a real Redis, with a clock of the test's own."""

import heapq
import itertools
import random

import pytest
import redis

from worker.limits.rate_limiter import PATIENCE_SECONDS
from worker.settings import ROOT

SCRIPT = (ROOT / "worker" / "limits" / "rate_limiter.lua").read_text(encoding="utf-8")
START = 1_000_000_000.0


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


class Group:
    """The script's one group, driven at moments that the test chooses."""

    def __init__(self, client) -> None:
        self._script = client.register_script(SCRIPT)

    def admit(self, at, *, ceiling="", generation=0, good=0, cap=("", ""), silence=0, owner="a", known="", held=""):
        """Generation, seconds to wait, whether admitted, whether queued, and the rate."""
        told = self._run("admit", at, (ceiling, generation, good, *cap, silence, owner, known, held), PATIENCE_SECONDS)
        return int(told[0]), float(told[1]), bool(told[2]), bool(told[3]), float(told[4]) if told[4] else None

    def refused(self, at, generation, *, told=0, good=0, jitter=0.5):
        answer = self._run("slow", at, ("", generation, good, "", "", 0, "a", "", ""), generation, told, jitter)
        return int(answer[0]), float(answer[1]), float(answer[4]) if answer[4] else None

    def _run(self, what, at, common, *more):
        return self._script(keys=["group", "processes"], args=[what, repr(START + at), *common, *more])


def taught(group, at=0.0, calls=20):
    """A group whose rate a refusal has taught; the moment from which on it may call, and its generation."""
    for number in range(calls):
        group.admit(at + number / 10, good=1)
    generation, wait, _ = group.refused(at + calls / 10, 1)
    return at + calls / 10 + wait, generation


def test_without_a_ceiling_or_a_refusal_every_call_passes_at_once(client):
    group = Group(client)
    assert {group.admit(0)[1:3] for _ in range(100)} == {(0.0, True)}


def test_a_ceiling_spaces_calls_from_the_first_and_sends_back_what_would_wait_too_long(client):
    group = Group(client)
    told = [group.admit(0, ceiling=4) for _ in range(12)]
    waits = [wait for _, wait, admitted, *_ in told if admitted]
    assert waits == pytest.approx([number / 4 for number in range(9)])
    assert [admitted for _, _, admitted, *_ in told] == [True] * 9 + [False] * 3


def test_those_sent_back_are_told_moments_of_their_own(client):
    group = Group(client)
    told = [group.admit(0, ceiling=4) for _ in range(60)]
    comes_back = [wait for _, wait, admitted, *_ in told if not admitted]
    assert comes_back == sorted(comes_back)
    assert len(set(comes_back)) == len(comes_back)


def test_a_refusal_teaches_a_rate_below_what_passed_and_rests_first(client):
    group = Group(client)
    goes_on_at, generation = taught(group)
    assert generation == 2
    _, _, _, _, rate = group.admit(goes_on_at, generation=2)
    assert rate < 10.5
    assert goes_on_at > 2


def test_refusals_of_calls_sent_before_the_lesson_teach_nothing_more(client):
    group = Group(client)
    goes_on_at, _ = taught(group)
    rate = group.admit(goes_on_at)[4]
    for _ in range(30):
        group.refused(goes_on_at, 1)
    assert group.admit(goes_on_at + 3)[4] == rate


def test_refusals_in_a_row_rest_longer_each_time(client):
    group = Group(client)
    at, generation = taught(group)
    rests, rates = [], []
    for _ in range(4):
        generation, rest, rate = group.refused(at, generation)
        rests.append(rest)
        rates.append(rate)
        at += rest
    assert rests == sorted(rests)
    assert rests[-1] > 2 * rests[0]
    assert rates == sorted(rates, reverse=True)


def test_only_good_answers_to_calls_that_had_to_queue_let_the_rate_grow(client):
    group = Group(client)
    at, generation = taught(group)
    rate = group.admit(at)[4]
    # Many calls whose answers say nothing good, e.g. errors: no growth however long it lasts
    for number in range(200):
        assert group.admit(at + number, generation=generation)[4] == rate
    # Answers of an older lesson: none either
    assert group.admit(at + 201, generation=generation - 1, good=5)[4] == rate
    # Good ones: growth
    assert group.admit(at + 202, generation=generation, good=5)[4] > rate


def test_a_told_wait_is_kept_to_the_second_by_the_whole_group(client):
    group = Group(client)
    group.admit(0)
    group.refused(1, 1, told=1800)
    _, wait, admitted, *_ = group.admit(2)
    assert not admitted
    assert wait == pytest.approx(1799, abs=0.1)
    assert group.admit(1801.1)[2]


def test_a_wait_so_long_that_it_is_a_quota_teaches_no_rate(client):
    group = Group(client)
    group.admit(0, good=1)
    group.refused(1, 1, told=1800)
    assert group.admit(1801.1)[4] is None


def test_a_quota_slows_the_group_for_its_time_and_no_longer(client):
    group = Group(client)
    assert group.admit(0, cap=(0.5, 60))[4] == 0.5
    assert group.admit(59)[4] == 0.5
    assert group.admit(61)[4] is None


def test_a_silence_that_a_quota_asks_for_holds_the_group(client):
    group = Group(client)
    _, wait, admitted, *_ = group.admit(0, silence=60)
    assert (wait, admitted) == (pytest.approx(60), False)


def test_a_redis_that_lost_everything_is_told_what_a_process_remembers(client):
    group = Group(client)
    taught(group)
    client.flushdb()
    _, wait, admitted, _, rate = group.admit(100, known=3.5, held=40)
    assert (rate, admitted) == (3.5, False)
    assert wait == pytest.approx(40)


def lone(client, *, good_before=0, refusals=3, good=60, answer_seconds=0.05):
    """The rates that one job meets which calls one by one: at each of its good answers after so many refusals."""
    group, now, generation, heard, rates = Group(client), 0.0, 0, 0, []
    for number in range(good_before + refusals + good):
        generation, wait, admitted, queued, rate = group.admit(now, generation=generation, good=heard)
        while not admitted:
            now += wait
            generation, wait, admitted, queued, rate = group.admit(now, generation=generation)
        now, heard = now + wait + answer_seconds, 0
        if good_before <= number < good_before + refusals:
            generation, _, rate = group.refused(now, generation)
        else:
            heard = int(queued or rate is None)
        if number >= good_before + refusals:
            rates.append(rate)
    return rates


def test_a_lone_job_that_meets_three_refusals_in_a_row_is_fast_again_within_sixty_good_answers(client):
    rates = lone(client)
    assert rates[0] < 1
    assert max(rates) > 5


def test_refusals_in_a_row_are_soon_forgotten_by_a_rate_that_was_known(client):
    rates = lone(client, good_before=200, answer_seconds=0.19)
    assert rates[0] < 2.5
    assert max(rates) > 5


def test_a_confirmed_rate_grows_by_little(client):
    group = Group(client)
    at, generation = taught(group)
    # Given a rate at which two long stretches ended with a refusal
    for _ in range(2):
        for _ in range(60):
            generation, wait, *_ = group.admit(at, generation=generation)
            at += wait
        generation, rest, rate = group.refused(at, generation)
        at += rest
    # When many good answers follow
    for _ in range(60):
        _, wait, _, _, grown = group.admit(at, generation=generation, good=1)
        at += wait
    # Then it is hardly another
    assert rate < grown < 1.05 * rate


class Bucket:
    """A provider that allows some calls a second, by turns."""

    def __init__(self, rates) -> None:
        self._rates = rates
        self._tokens, self._at = 5.0, 0.0

    def allows(self, now) -> bool:
        rate = next(rate for since, rate in reversed(self._rates) if since <= now)
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def play(client, seed, rates, end, processes=8, callers=4):
    """Moments and fates of all calls of a fleet that always has more to ask than it may."""
    group, bucket, chance = Group(client), Bucket(rates), random.Random(seed)  # noqa: S311
    told: dict[int, list[int]] = {process: [0, 0] for process in range(processes)}
    number, log = itertools.count(), []
    queue = [(chance.random() / 10, next(number), "ask", process, None) for process in range(processes)] * callers

    def later(moment, what, process, call=None):
        heapq.heappush(queue, (moment, next(number), what, process, call))

    heapq.heapify(queue)
    while queue[0][0] < end:
        now, _, what, process, call = heapq.heappop(queue)
        if what == "ask":
            generation, good = told[process]
            told[process] = [generation, 0]
            generation, wait, admitted, queued, _ = group.admit(
                now, generation=generation, good=good, owner=str(process)
            )
            if admitted:
                later(now + wait + 0.002 + chance.expovariate(100), "send", process, (generation, queued))
            else:
                later(now + wait + chance.random() / 20, "ask", process)
        elif what == "send":
            allowed = bucket.allows(now)
            log.append((now, allowed))
            later(now + 0.03 + chance.random() / 30, "hear", process, (*call, allowed))
        else:
            generation, queued, allowed = call
            if not allowed:
                group.refused(now, generation, jitter=chance.random())
            elif told[process][0] != generation:
                told[process] = [generation, int(queued)]
            else:
                told[process][1] += queued
            later(now + 0.001, "ask", process)
    return log


def measured(log, since, until, rate):
    fates = [allowed for at, allowed in log if since <= at < until]
    return 1 - sum(fates) / len(fates), sum(fates) / (rate * (until - since))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_fleet_settles_within_a_minute_at_over_nine_tenths_with_under_one_refusal_in_a_hundred(client, seed):
    log = play(client, seed, ((0, 5.0), (400, 2.0)), 1000)
    for since, until, rate in ((90, 400, 5.0), (460, 1000, 2.0)):
        refused, used = measured(log, since, until, rate)
        assert refused < 0.01, (since, refused)
        assert used > 0.9, (since, used)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_provider_that_allows_more_again_is_used_again_within_six_hundred_calls(client, seed):
    log = play(client, seed, ((0, 2.0), (300, 5.0)), 900)
    raised = next(number for number, (at, _) in enumerate(log) if at >= 300)
    used_again = log[raised + 600][0]
    refused, used = measured(log, used_again, 900, 5.0)
    assert (refused < 0.01, used > 0.9) == (True, True), (refused, used)
