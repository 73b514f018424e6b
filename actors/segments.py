"""Which provider a job is with: the next one begins a segment of its own when one cannot go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import structlog

from actors.calling import Caller
from platforms import cursor as cursors
from platforms.contract import Adapter, Query
from platforms.cursor import Envelope
from platforms.outcome import Judgement, Outcome
from worker.clock import utc_now
from worker.errors import InvalidJob
from worker.leases import Lease
from worker.limits.contract import Hindrance

log = structlog.get_logger()

AT_ONCE = {Outcome.FAIL_OVER, Outcome.FIX_CONFIGURATION}
AFTER_A_RETRY = {Outcome.FALSE_SUCCESS, Outcome.RETRY_NOW}
"""Outcomes that may be a moment's fault: the same provider is asked once more, at a distance, before the next one."""

WAITS = {Outcome.WAIT, Outcome.RATE_LIMITED}
"""Outcomes that pass by themselves; the next provider is asked only where that is too late for the job."""


@dataclass(slots=True)
class Segment:
    """A stretch of a job with one provider."""

    adapter: Adapter
    caller: Caller
    envelope: Envelope

    @property
    def provider(self) -> str:
        """Whose pages it reads."""
        return self.adapter.capability.provider


@dataclass(frozen=True, slots=True)
class FailedOver:
    """A job's move to another provider. ``number`` counts the segments before it."""

    before: str
    to: str
    reason: str
    detail: str
    number: int


class Segments:
    """A job's providers in order, and the segment it is in.

    A provider that gave up is asked again only when none is left that was not asked yet, once a slice, and from where
    it stopped. Raises `InvalidJob` when no provider can be asked for this.
    """

    def __init__(
        self,
        query: Query,
        adapters: Sequence[Adapter],
        caller_of: Callable[[str], Caller],
        saved: Envelope | None,
        pages_before: int,
        deadline: datetime | None = None,
    ) -> None:
        self._query = query
        self._adapters = {adapter.capability.provider: adapter for adapter in adapters}
        self._caller_of = caller_of
        self._pages = pages_before
        self._deadline = deadline
        self._refusals: dict[str, Judgement] = {}
        self.moved: FailedOver | None = None
        """The move that no page has followed yet."""
        self.current = self._first(saved)

    @property
    def more_than_one(self) -> bool:
        """Whether the job may meet a creator again by another provider."""
        return len(self._adapters) > 1

    @property
    def asked(self) -> list[str]:
        """Every provider that was asked, in order."""
        return [*self.current.envelope.given_up, self.current.provider]

    def stored(self) -> None:
        """A page of the current segment is stored."""
        self.moved = None
        self._pages += 1

    def fail_over(self, judgement: Judgement, lease: Lease) -> bool:
        """Begin the next provider's segment when this answer is a reason to; False when it is none, or none is left."""
        if not self._is_a_reason(judgement, lease):
            return False
        self._refusals[self.current.provider] = judgement
        return self.next_segment(judgement.rule, judgement.message)

    def may_fail_over(self, judgement: Judgement, lease: Lease) -> bool:
        """Whether this answer is a reason to, and a provider is left that was not asked yet."""
        gone = {*self.current.envelope.given_up, self.current.provider}
        return self._is_a_reason(judgement, lease) and any(name not in gone for name in self._adapters)

    def verdict(self, judgement: Judgement) -> Judgement:
        """What the job leaves by: of all providers that refused it in this slice the one that is ready soonest.

        What passes by itself comes before errors, which spend attempts. The message tells of every provider.
        """
        if self._refusals.get(self.current.provider) is not judgement or len(self._refusals) == 1:
            return judgement
        soonest = min(self._refusals.values(), key=_waiting_first)
        told = "; ".join(f"{provider}: {one.message}" for provider, one in self._refusals.items())
        return replace(soonest, message=told)

    def begin_again(self) -> None:
        """Walk the current provider's pages once more from the start."""
        envelope = self.current.envelope
        again = cursors.start(self._query, self.current.adapter, utc_now(), envelope.given_up)
        self.current.envelope = msgspec.structs.replace(again, rechecked=True, earlier=envelope.earlier)

    def next_segment(self, reason: str, detail: str = "") -> bool:
        """Begin the next provider's segment; False when none is left."""
        before = self.current.envelope
        given_up = [*before.given_up, before.provider]
        open_before = [before] if cursors.next_walk(before) is not None else []
        earlier = [one for one in before.earlier if one.provider != before.provider]
        earlier += [msgspec.structs.replace(one, earlier=[], given_up=[]) for one in open_before]
        for following in self._candidates(given_up, earlier):
            adapter = self._adapters[following]
            place = next((one for one in earlier if one.provider == following), None)
            try:
                envelope = cursors.resume(place, self._query, adapter, utc_now(), self._pages)
            except InvalidJob as error:
                # What one provider can be asked for, another may not.
                log.info("provider_passed_over", provider=following, reason=str(error))
                given_up.append(following)
                continue
            log.warning("failed_over", provider=before.provider, to=following, reason=reason, detail=detail)
            rest = [one for one in earlier if one is not place]
            envelope = msgspec.structs.replace(envelope, given_up=given_up, earlier=rest)
            first = self.moved.before if self.moved else before.provider
            self.moved = FailedOver(first, following, reason, detail, len(given_up))
            self.current = Segment(adapter, self._caller_of(following), envelope)
            return True
        return False

    def _first(self, saved: Envelope | None) -> Segment:
        """The segment that a slice begins with: that of the last page, else the first provider that can be asked."""
        given_up = set(saved.given_up if saved else ())
        names = sorted(self._adapters, key=lambda name: name in given_up)
        if saved and saved.provider in self._adapters:
            names = [saved.provider, *(name for name in names if name != saved.provider)]
        refusal: InvalidJob | None = None
        for name in names:
            adapter = self._adapters[name]
            try:
                envelope = cursors.resume(saved, self._query, adapter, utc_now(), self._pages)
            except InvalidJob as error:
                refusal = refusal or error
                continue
            return Segment(adapter, self._caller_of(name), envelope)
        raise refusal or InvalidJob("no provider is named for this search; name one and set the job to pending again.")

    def _candidates(self, given_up: Sequence[str], earlier: Sequence[Envelope]) -> list[str]:
        """Providers not asked yet, then those that stopped midway and were not asked in this slice."""
        untouched = [name for name in self._adapters if name not in given_up]
        return untouched + [
            one.provider
            for one in earlier
            if one.provider in self._adapters
            and one.provider not in self._refusals
            and one.provider != self.current.provider
        ]

    def _is_a_reason(self, judgement: Judgement, lease: Lease) -> bool:
        if judgement.rule == Hindrance.CREDIT_LIMIT:
            return False
        if judgement.outcome in AT_ONCE:
            return True
        if judgement.outcome in AFTER_A_RETRY:
            return lease.failures > 0
        if judgement.outcome not in WAITS or judgement.wait is None or self._deadline is None:
            return False
        return utc_now() + judgement.wait >= self._deadline


def _waiting_first(judgement: Judgement) -> tuple[bool, timedelta]:
    return judgement.outcome in AFTER_A_RETRY, judgement.wait or timedelta(minutes=1)
