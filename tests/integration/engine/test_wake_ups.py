"""How a worker hears of wake-ups: at once, and without asking again and again."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from dramatiq.errors import ConnectionClosed

from platforms.simulator.running import running_simulator
from tests.faults.servers import own_valkey
from tests.fleet import eventually, fleet_of
from worker.broker import WakeUps, make_broker, make_redis

LANE = "scrape.tiktok"


@pytest.fixture
def redis_url(tmp_path):
    """A server of its own: what it counts is this test's doing alone."""
    with own_valkey(tmp_path) as valkey:
        yield valkey.url


@pytest.fixture
def client(redis_url):
    with make_redis(redis_url) as client:
        yield client


@pytest.fixture
def take():
    """Takes a consumer's next wake-up in a thread, which ends with the test whatever came."""
    over = threading.Event()

    def next_of(consumer):
        while not over.is_set():
            if (message := next(consumer)) is not None:
                return message
        return None

    with ThreadPoolExecutor(1) as threads:
        yield lambda consumer: threads.submit(next_of, consumer)
        over.set()


def calls(client, command: str) -> int:
    """How often this command was called since Redis counts."""
    return client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


def waits(client) -> bool:
    return any(one["cmd"] == "blmove" for one in client.client_list())


def test_a_consumer_waits_in_redis_and_takes_the_wake_up_that_comes(client, take):
    consumer = make_broker(client).consume(LANE, prefetch=1)
    # Given a consumer that has found nothing
    next_one = take(consumer)
    eventually(lambda: waits(client))
    fetched = calls(client, "evalsha")
    # When a wake-up comes
    WakeUps(client).send(LANE)
    # Then it has it, after one more fetch beside the sender's own call
    assert next_one.result(10).args == (LANE,)
    assert calls(client, "evalsha") - fetched <= 4
    assert WakeUps(client).queued(LANE) == 0


def test_a_consumer_whose_places_are_taken_goes_on_when_one_is_acknowledged(client, take, monkeypatch):
    # So long that only the acknowledgement can be what it went on for.
    monkeypatch.setattr("worker.broker.LOOK_SECONDS", 30.0)
    consumer = make_broker(client).consume(LANE, prefetch=1)
    WakeUps(client).send(LANE, 2)
    first = next(consumer)
    second = take(consumer)
    consumer.ack(first)
    assert second.result(10).message_id != first.message_id


def test_wake_ups_keep_their_order_while_others_wait_for_them(client, take):
    broker, sender = make_broker(client), WakeUps(client)
    waiting = take(broker.consume(LANE, prefetch=1))
    eventually(lambda: waits(client))
    sender.send(LANE, 3)
    taken = [waiting.result(10), *(next(broker.consume(LANE, prefetch=1)) for _ in range(2))]
    assert len({message.message_id for message in taken}) == 3
    assert sender.queued(LANE) == 0


def test_a_redis_that_is_gone_is_told_to_dramatiq():
    consumer = make_broker(make_redis("redis://127.0.0.1:1/0", retries=0)).consume(LANE, prefetch=1)
    with pytest.raises(ConnectionClosed):
        next(consumer)


def test_a_worker_without_work_asks_each_lane_once_a_second_and_no_more(
    database_url, redis_url, connection, client, tmp_path
):
    with running_simulator() as simulator, fleet_of(database_url, redis_url, simulator, tmp_path) as fleet:
        eventually(lambda: connection.execute("SELECT count(*) = 2 FROM worker.workers").fetchone()[0])
        eventually(lambda: waits(client))
        waited, fetched = calls(client, "blmove"), calls(client, "evalsha")
        eventually(lambda: calls(client, "blmove") >= waited + 60)
        waited, fetched = calls(client, "blmove") - waited, calls(client, "evalsha") - fetched
        assert fetched <= 2 * waited
        assert fleet.processes[1].poll() is None
