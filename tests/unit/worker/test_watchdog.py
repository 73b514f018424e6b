"""The watchdog ends what is alive but idle, and nothing else."""

from queue import Queue

from worker.watchdog import UNHEALTHY, Watchdog


def test_silence_ends_the_process_with_a_code_of_its_own():
    ended: Queue[int] = Queue()
    Watchdog("ticks", 0.05, ended.put).start()
    assert ended.get(timeout=10) == UNHEALTHY


def test_a_sign_of_life_puts_the_end_off_and_a_stop_takes_it_away():
    # Given
    ended: Queue[int] = Queue()
    dog = Watchdog("ticks", 0.4, ended.put)
    dog.start()
    # When it is fed for longer than its limit
    for _ in range(12):
        dog.alive()
        dog.join(0.05)
    dog.stop()
    dog.join(10)
    # Then
    assert not dog.is_alive()
    assert ended.empty()
