"""What the tests of limits share: a clean Redis, scripts on it, calls."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from worker.limits.contract import Answered, Call, Verdict
from worker.limits.scripts import Scripts


@pytest.fixture
async def scripts(redis_url: str) -> AsyncIterator[Scripts]:
    """The scripts on an empty Redis."""
    scripts = Scripts(redis_url)
    yield scripts
    await scripts.aclose()


def call(**changes: Any) -> Call:
    """A call that costs one credit."""
    fields = {
        "provider": "provider",
        "account": "account",
        "endpoint": "search",
        "credits": 1,
        "tenant": "tenant",
        "job_id": "job",
    }
    return Call(**{**fields, **changes})


def answered(verdict: Verdict = Verdict.GOOD, detail: str = "what was told", **changes: Any) -> Answered:
    """An answer that charged one credit."""
    return Answered(verdict, "a_reason", detail, **{"credits": 1, **changes})
