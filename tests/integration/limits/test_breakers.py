"""Breakers of several processes on one Redis."""

import asyncio
from datetime import timedelta

import pytest
import redis

from tests.integration.limits.conftest import answered, call
from worker.limits.circuit_breaker import CACHE_SECONDS, CircuitBreaker
from worker.limits.contract import Hindrance, Permit, Refusal, Verdict
from worker.limits.overview import open_breakers
from worker.limits.pauses import Pauses
from worker.limits.scripts import Scripts

FAILURES = 5


class Clock:
    """Whether what a process heard is still young: moved by the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """Some processes with a breaker each."""

    def __init__(self, scripts, redis_url, processes=3, opened=None) -> None:
        self.clock = Clock()
        self.client = redis.Redis.from_url(redis_url, decode_responses=True)
        self.breakers = [CircuitBreaker(scripts, FAILURES, 30, 120, 90, self.clock, opened) for _ in range(processes)]

    def forget(self) -> None:
        """What processes heard is too old to be trusted."""
        self.clock.now += 2 * CACHE_SECONDS

    def let_cool(self) -> None:
        """The time of the next probe has come for every breaker."""
        self.forget()
        for key in self.client.scan_iter("trawler:limits:breaker:*"):
            if self.client.hexists(key, "probe_at"):
                self.client.hset(key, "probe_at", 1)

    async def fail(self, times=1, process=0, **about) -> None:
        for _ in range(times):
            told = await self.breakers[process].admit(Permit(call(**about)))
            assert isinstance(told, Permit)
            await self.breakers[process].answered(told, answered(Verdict.FAILING))


@pytest.fixture
def world(scripts, redis_url):
    world = World(scripts, redis_url)
    yield world
    world.client.close()


async def test_failures_in_a_row_of_the_whole_fleet_open_one_endpoint(world):
    # When processes fail in turn
    for number in range(FAILURES):
        await world.fail(process=number % 3)
    world.forget()
    # Then each refuses that endpoint, with the reason and a time
    for breaker in world.breakers:
        told = await breaker.admit(Permit(call()))
        assert isinstance(told, Refusal)
        assert told.hindrance is Hindrance.BREAKER
        assert "what was told" in told.detail
        assert timedelta(seconds=20) < told.wait <= timedelta(seconds=33)
    # And lets the account's others pass
    assert isinstance(await world.breakers[0].admit(Permit(call(endpoint="profile"))), Permit)


async def test_a_good_answer_in_between_begins_the_count_again(world):
    await world.fail(FAILURES - 1)
    good = await world.breakers[0].admit(Permit(call()))
    await world.breakers[0].answered(good, answered())
    await world.fail(FAILURES - 1)
    world.forget()
    assert isinstance(await world.breakers[1].admit(Permit(call())), Permit)


async def test_an_account_that_is_closed_to_us_is_closed_for_all_its_endpoints_at_once(world):
    told = await world.breakers[0].admit(Permit(call()))
    wait = await world.breakers[0].answered(told, answered(Verdict.CLOSED, detail="out of credits"))
    assert wait == timedelta(seconds=30)
    for endpoint in ("search", "profile", "other"):
        assert isinstance(await world.breakers[1].admit(Permit(call(endpoint=endpoint))), Refusal)
    # And another account's are open
    assert isinstance(await world.breakers[1].admit(Permit(call(account="other"))), Permit)


async def test_an_endpoint_that_does_not_exist_is_closed_alone(world):
    told = await world.breakers[0].admit(Permit(call()))
    await world.breakers[0].answered(told, answered(Verdict.CLOSED, endpoint_alone=True))
    assert isinstance(await world.breakers[1].admit(Permit(call())), Refusal)
    assert isinstance(await world.breakers[1].admit(Permit(call(endpoint="profile"))), Permit)


async def close(world, **about):
    told = await world.breakers[0].admit(Permit(call(**about)))
    await world.breakers[0].answered(told, answered(Verdict.CLOSED))


async def ask_all_at_once(world, times=10):
    told = await asyncio.gather(*(breaker.admit(Permit(call())) for breaker in world.breakers * times))
    return [one for one in told if isinstance(one, Permit)], [one for one in told if isinstance(one, Refusal)]


async def test_of_many_calls_at_once_one_probes_and_a_good_answer_brings_all_back(world):
    await close(world)
    world.let_cool()
    passed, refused = await ask_all_at_once(world)
    assert (len(passed), len(refused)) == (1, 29)
    await world.breakers[1].answered(passed[0], answered())
    world.forget()
    assert (await ask_all_at_once(world))[1] == []
    assert open_breakers(world.client) == []


async def test_each_probe_that_fails_doubles_the_pause_up_to_the_cap(world):
    await close(world)
    waits = []
    for _ in range(4):
        world.let_cool()
        (probe,), _ = await ask_all_at_once(world)
        waits.append(await world.breakers[0].answered(probe, answered(Verdict.CLOSED)))
    assert [wait.total_seconds() for wait in waits] == [60, 120, 120, 120]


async def test_late_answers_of_calls_from_before_neither_close_nor_lengthen(world):
    early = [await world.breakers[0].admit(Permit(call())) for _ in range(3)]
    await close(world)
    await world.breakers[0].answered(early[0], answered())
    wait = await world.breakers[0].answered(early[1], answered(Verdict.CLOSED))
    assert timedelta(seconds=25) < wait <= timedelta(seconds=30)
    world.forget()
    assert isinstance(await world.breakers[0].admit(Permit(call())), Refusal)


async def test_a_probe_that_was_not_sent_is_given_back(world):
    await close(world)
    world.let_cool()
    (probe,), _ = await ask_all_at_once(world)
    await world.breakers[0].release(probe)
    world.forget()
    assert len((await ask_all_at_once(world))[0]) == 1


async def test_a_probe_whose_process_died_is_given_to_the_next_after_a_while(world):
    await close(world)
    world.let_cool()
    await ask_all_at_once(world)
    for key in world.client.scan_iter("trawler:limits:breaker:*"):
        world.client.hset(key, "probing_until", 1)
    world.forget()
    assert len((await ask_all_at_once(world))[0]) == 1


async def test_a_breaker_can_be_opened_for_one_endpoint_by_hand_and_is_listed(world):
    await world.breakers[0].open(call(), "drift", "every item lost its author")
    (told,) = open_breakers(world.client)
    assert (told.provider, told.account, told.endpoint) == ("provider", "account", "search")
    assert (told.reason, told.detail) == ("drift", "every item lost its author")
    assert told.next_probe > told.since


async def test_a_redis_that_is_away_lets_calls_pass(world):
    away = Scripts("redis://127.0.0.1:1/0")
    breaker = CircuitBreaker(away, FAILURES, 30, 120, 90)
    told = await breaker.admit(Permit(call()))
    assert isinstance(told, Permit)
    assert await breaker.answered(told, answered(Verdict.CLOSED)) is None
    await away.aclose()


def pauses(connection):
    return connection.execute(
        "SELECT aggregate_id, event_data->>'endpoint', event_data->>'reason', event_data->>'detail' FROM events"
        " WHERE event_type = 'provider_paused' ORDER BY timestamp"
    ).fetchall()


async def test_each_opening_is_told_once_by_whose_call_opened_it(scripts, redis_url, pool, connection):
    world = World(scripts, redis_url, opened=Pauses(pool))
    for number in range(FAILURES + 2):
        await world.breakers[number % 3].answered(Permit(call()), answered(Verdict.FAILING))
    assert pauses(connection) == [("provider", "search", "a_reason", "what was told")]
    # And a probe that fails is no new pause, but one after the breaker has closed is
    world.let_cool()
    await world.fail()
    assert len(pauses(connection)) == 1
    world.let_cool()
    probe = await world.breakers[0].admit(Permit(call()))
    await world.breakers[0].answered(probe, answered())
    await world.breakers[1].answered(Permit(call()), answered(Verdict.CLOSED, detail="out of credits"))
    assert [detail for *_, detail in pauses(connection)] == ["what was told", "out of credits"]


async def test_a_pause_that_cannot_be_told_is_a_pause_all_the_same(scripts, redis_url, pool, connection):
    world = World(scripts, redis_url, opened=Pauses(pool))
    connection.execute("ALTER TABLE events RENAME TO events_of_before")
    await world.fail(FAILURES)
    world.forget()
    assert isinstance(await world.breakers[1].admit(Permit(call())), Refusal)
