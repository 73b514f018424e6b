"""One provider call: admitted, sent, judged, and tried again at once for errors that clear within seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_random_exponential

from actors.metering import Meter
from platforms import pace
from platforms.contract import Endpoint
from platforms.outcome import Judgement, Outcome, retry_after
from platforms.pages import Request, Response
from platforms.transport import Transport
from worker.clock import monotonic, utc_now
from worker.errors import BodyTooLarge, ShapeError, TransportFailure
from worker.leases import Lease
from worker.limits.contract import Answered, Call, Hindrance, Limits, Quota, Refusal, Verdict
from worker.metrics import counting

TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 4.0
ONCE_PAUSE = timedelta(seconds=5)
"""Before it is looked whether a request that must not be sent twice had arrived though no answer came."""

T = TypeVar("T")

_VERDICTS = {
    Outcome.RATE_LIMITED: Verdict.SLOW_DOWN,
    Outcome.WAIT: Verdict.FAILING,
    Outcome.RETRY_NOW: Verdict.FAILING,
    Outcome.FALSE_SUCCESS: Verdict.FAILING,
    Outcome.FAIL_OVER: Verdict.FAILING,
    Outcome.FIX_CONFIGURATION: Verdict.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Called(Generic[T]):
    """The judged answer of a call; ``read`` is what was read from it, None where it is not ``ok``."""

    judgement: Judgement
    read: T | None = None


class Caller:
    """Calls one provider for one slice, with a bounded number of calls in flight in this process.

    The wait for a free place is not part of a call's time-out, so many slices at once are slow, never wrong.
    """

    def __init__(
        self,
        provider: str,
        account: str,
        transport: Transport,
        places: asyncio.Semaphore,
        limits: Limits,
        meter: Meter,
        lease: Lease,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.provider = provider
        self.meter = meter
        self._account = account
        self._transport = transport
        self._places = places
        self._limits = limits
        self._lease = lease
        self._sleep = sleep

    async def call(self, endpoint: Endpoint, request: Request, read: Callable[[Response], tuple[T, int]]) -> Called[T]:
        """Send until the answer is not ``retry_now``, at most three times. Never raises for what a provider does.

        A request that is to be sent ``once`` is not tried again at once.

        ``read`` gives what an ok answer holds and what it cost, or raises `ShapeError`.
        """

        async def once() -> Called[T]:
            return await self._once(endpoint, request, read)

        def last(state: RetryCallState) -> Called[T]:
            assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt
            called: Called[T] = state.outcome.result()
            return called

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda called: called.judgement.outcome is Outcome.RETRY_NOW and not request.once),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            sleep=self._sleep,
            retry_error_callback=last,
        )
        return await retrying(once)

    def call_of(self, endpoint: Endpoint) -> Call:
        """What the limits are told of a call to this endpoint."""
        return Call(
            self.provider,
            self._account,
            endpoint.endpoint,
            endpoint.credits,
            self._lease.tenant,
            self._lease.job_id,
            pace.group_of(self.provider, endpoint.endpoint),
        )

    async def _once(self, endpoint: Endpoint, request: Request, read: Callable[[Response], tuple[T, int]]) -> Called[T]:
        permit = await self._limits.admit(self.call_of(endpoint))
        if isinstance(permit, Refusal):
            return Called(_refused(permit))
        response, found, judgement, cost, began = None, None, None, 0, monotonic()
        try:
            async with self._places:
                response = await self._transport.fetch(request)
            judgement = endpoint.judge(response)
            if judgement.outcome is Outcome.OK:
                found, cost = read(response)
            else:
                cost = endpoint.charged(response)
        except BodyTooLarge as error:
            # Another answer of the same size is likelier than a small one: not at once.
            judgement = Judgement(Outcome.FALSE_SUCCESS, error.code, str(error))
        except TransportFailure as error:
            judgement = Judgement(Outcome.RETRY_NOW, error.code, str(error), wait=ONCE_PAUSE if request.once else None)
        except ShapeError as error:
            judgement = Judgement(Outcome.FALSE_SUCCESS, error.reason, str(error))
            cost = endpoint.charged(response) if response else 0
        finally:
            # Also when the slice is ended in mid-call: the provider may have done its work.
            self.meter.add(self.provider, self._account, endpoint.endpoint, cost)
            counting.called(self.provider, endpoint.endpoint, judgement.outcome if judgement else None, cost, began)
        wait = await self._limits.answered(permit, _answered(self.provider, judgement, cost, response))
        return Called(judgement if wait is None else replace(judgement, wait=wait), found)


def _answered(provider: str, judgement: Judgement, cost: int, response: Response | None) -> Answered:
    """What the limits are told of an answer; a rule's own short wait is no word of the provider."""
    headers = response.headers if response else {}
    told = retry_after(headers, utc_now())
    quota_used_up = pace.long_wait(judgement)
    return Answered(
        Verdict.SLOW_DOWN if quota_used_up else _VERDICTS.get(judgement.outcome, Verdict.GOOD),
        judgement.rule,
        judgement.message,
        cost,
        told if told is not None or not quota_used_up else judgement.wait,
        Quota(*pace.pace_of(provider, headers)),
        # No such endpoint: others of the account may be well.
        endpoint_alone=response is not None and response.status == 404,
    )


def _refused(refusal: Refusal) -> Judgement:
    """A limit's refusal as a judgement: the breaker says that the provider is out of order, the others say wait."""
    outcome = Outcome.FAIL_OVER if refusal.hindrance is Hindrance.BREAKER else Outcome.WAIT
    return Judgement(outcome, refusal.hindrance, refusal.detail, refusal.wait)
