"""One provider call: sent, judged, and tried again at once for errors that clear within seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_random_exponential

from platforms.contract import Request, Response
from platforms.outcome import Judgement, Outcome
from platforms.transport import Transport
from worker.errors import BodyTooLarge, TransportFailure

TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Called:
    """The judged answer of a call; ``response`` is None when none came."""

    response: Response | None
    judgement: Judgement


class Caller:
    """Calls one provider with a bounded number of calls in flight in this process.

    The wait for a free place is not part of a call's time-out, so many slices at once are slow, never wrong.
    """

    def __init__(
        self,
        transport: Transport,
        places: asyncio.Semaphore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._places = places
        self._sleep = sleep

    async def call(self, request: Request, judge: Callable[[Response], Judgement]) -> Called:
        """Send until the answer is not ``retry_now``, at most three times. Never raises for what a provider does."""

        async def once() -> Called:
            return await self._once(request, judge)

        def last(state: RetryCallState) -> Called:
            assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt
            called: Called = state.outcome.result()
            return called

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda called: called.judgement.outcome is Outcome.RETRY_NOW),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            sleep=self._sleep,
            retry_error_callback=last,
        )
        return await retrying(once)

    async def _once(self, request: Request, judge: Callable[[Response], Judgement]) -> Called:
        try:
            async with self._places:
                response = await self._transport.fetch(request)
        except BodyTooLarge as error:
            # Another answer of the same size is likelier than a small one: not at once.
            return Called(None, Judgement(Outcome.FALSE_SUCCESS, error.code, str(error)))
        except TransportFailure as error:
            return Called(None, Judgement(Outcome.RETRY_NOW, error.code, str(error)))
        return Called(response, judge(response))
