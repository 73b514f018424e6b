"""Eight processes against a provider that allows 5 calls a second, then 2: hardly a refusal, hardly a call unused."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from platforms.simulator.running import RunningSimulator, running_simulator
from tests.fleet import ROOT, eventually
from tests.processes import ForkedProcess

PROCESSES = 8
CALLERS = 4
ACCOUNT = "busy"


@contextlib.contextmanager
def fleet(provider_url: str, redis_url: str, logs: Path) -> Iterator[None]:
    program, words = "tests.integration.limits.busy_process", [provider_url, redis_url, str(CALLERS)]
    started = [ForkedProcess(program, words, os.environ, ROOT, logs / str(number)) for number in range(PROCESSES)]
    try:
        yield
        assert [process.poll() for process in started] == [None] * PROCESSES
    finally:
        for process in started:
            process.kill()
            process.wait(10)


def counts(provider: RunningSimulator) -> tuple[int, int]:
    account = provider.limits()["scrapecreators"]["accounts"].get(ACCOUNT, {"allowed": 0, "refused": 0})
    return account["allowed"], account["refused"]


def stretch(provider: RunningSimulator, answers: int, rate: float) -> tuple[float, float]:
    """Part refused, and part of the allowance used, of the next so many answers."""
    began, (allowed, refused) = time.monotonic(), counts(provider)
    eventually(lambda: sum(counts(provider)) - allowed - refused >= answers, seconds=3 * answers / rate)
    seconds, (allowed_then, refused_then) = time.monotonic() - began, counts(provider)
    good, bad = allowed_then - allowed, refused_then - refused
    told = (bad / (good + bad), good / (seconds * rate))
    print(f"\n{rate:g} a second: {good + bad} answers in {seconds:.0f} s, {told[0]:.2%} refused, {told[1]:.1%} used")  # noqa: T201
    return told


@pytest.mark.slow(minutes=8)
@pytest.mark.timeout(1500)
def test_eight_processes_find_the_rate_a_provider_allows_and_a_lower_one_after_it(redis_url, tmp_path):
    with running_simulator() as provider:
        provider.set_limit("scrapecreators", per_second=5)
        with fleet(provider.url, redis_url, tmp_path):
            for rate, settling, measured in ((5, 300, 500), (2, 160, 500)):
                provider.set_limit("scrapecreators", per_second=rate)
                # When the fleet has settled
                stretch(provider, settling, rate)
                # Then hardly a call is refused, and hardly one that was allowed is not made
                refused, used = stretch(provider, measured, rate)
                assert refused < 0.01
                assert used > 0.9
