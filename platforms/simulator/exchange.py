"""From a call to its answer: who calls, whether they may, what the endpoint finds, what it costs, how it is spoiled."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from platforms.simulator.bending import bends_of, escape_marks, repeated_cursor
from platforms.simulator.calls import Answer, Call, Good, Refused
from platforms.simulator.endpoint import Endpoint, Provider, Why
from platforms.simulator.faults import Fault, FaultKind, FaultPlan
from platforms.simulator.ledger import Ledger
from platforms.simulator.limits import Exceeded, Limits
from platforms.simulator.wire import WIRE_FAULTS
from worker.clock import utc_now

_DATE_AHEAD = timedelta(seconds=5)

REFUSING = {
    FaultKind.RATE_LIMITED: Why.TOO_FAST,
    FaultKind.QUOTA_GONE: Why.QUOTA,
    FaultKind.BALANCE_GONE: Why.BALANCE,
    FaultKind.BAD_KEY: Why.BAD_KEY,
    FaultKind.EXPIRED_CURSOR: Why.STALE_CURSOR,
}
"""Faults that are a refusal in the provider's own words; an expired cursor needs a call that sends one."""

ANYWHERE = WIRE_FAULTS | REFUSING.keys() | {FaultKind.CUT_JSON, FaultKind.GATE, FaultKind.SLOW}
"""Faults that every endpoint has."""


def kinds_of(endpoint: Endpoint) -> frozenset[FaultKind]:
    """Every fault that can be planned for an endpoint."""
    own = {FaultKind.REPEAT_CURSOR} if endpoint.shape.cursor else set()
    return ANYWHERE | frozenset(bends_of(endpoint)) | own


class Exchange:
    """Answers calls, counts them against limits, and charges for those that were answered."""

    def __init__(self, ledger: Ledger, limits: Limits, plan: FaultPlan, *, envelope: bool, padding: bool) -> None:
        self._ledger = ledger
        self._limits = limits
        self._plan = plan
        self._envelope = envelope
        self._padding = padding

    def admit(self, provider: Provider, endpoint: Endpoint, call: Call) -> tuple[str, Fault | None]:
        """Who calls, and which fault they meet. Raises `Refused` for a bad key, or when a limit is passed.

        A call that a limit refuses meets no fault, so that faults spoil answers only.
        """
        account = provider.account_of(call)
        path = provider.prefix + endpoint.path
        try:
            self._limits.admit(provider.name, path, account, endpoint.price)
        except Exceeded as exceeded:
            answer = provider.refusal(exceeded.why, exceeded.wait)
            raise Refused(_with(answer, exceeded.headers)) from None
        return account, self._plan.take(path, call.facts)

    def answer(self, provider: Provider, endpoint: Endpoint, call: Call, account: str, fault: Fault | None) -> Answer:
        """The answer to an admitted call. Raises `Refused`."""
        if fault and (why := REFUSING.get(fault.kind)) and _applies(why, endpoint, call):
            raise Refused(_with(provider.refusal(why), _retry_after(fault)))
        if provider.prepaid and self._ledger.balance(account) < endpoint.price:
            raise Refused(provider.refusal(Why.BALANCE))
        good = endpoint.answer(call, account)
        price = endpoint.price if good.price is None else good.price
        self._ledger.charge(provider.name, account, price, prepaid=provider.prepaid)
        if self._envelope or good.status != HTTPStatus.OK:
            used = self._limits.used(provider.name, provider.prefix + endpoint.path, account)
            good = provider.dressed(good, price, self._ledger.balance(account) if provider.prepaid else 0, used)
        return Answer(good.status, self._encoded(good, endpoint, call, fault), headers=good.headers)

    def _encoded(self, good: Good, endpoint: Endpoint, call: Call, fault: Fault | None) -> bytes:
        body = good.body
        if fault:
            body = _bent(body, endpoint, call, fault)
        encoded = msgspec.json.encode(endpoint.bulky(body) if self._padding and endpoint.bulky else body)
        if fault and fault.kind is FaultKind.NUL_AND_SURROGATES:
            return escape_marks(encoded)
        return encoded[: len(encoded) // 2] if fault and fault.kind is FaultKind.CUT_JSON else encoded


def _bent(body: Any, endpoint: Endpoint, call: Call, fault: Fault) -> Any:
    # A copy, since a recorded answer is served again.
    copy = msgspec.json.decode(msgspec.json.encode(body))
    if mutation := bends_of(endpoint).get(fault.kind):
        return mutation(copy, fault)
    if fault.kind is FaultKind.REPEAT_CURSOR:
        return repeated_cursor(copy, endpoint.shape, call)
    return body


def _applies(why: Why, endpoint: Endpoint, call: Call) -> bool:
    return why is not Why.STALE_CURSOR or call.facts.get(endpoint.shape.asked or "", "0") not in ("", "0")


def _retry_after(fault: Fault) -> Mapping[str, str]:
    if fault.kind is not FaultKind.RATE_LIMITED or fault.retry_after is None:
        return {}
    if fault.retry_after == "date":
        return {"Retry-After": format_datetime(utc_now() + _DATE_AHEAD, usegmt=True)}
    return {"Retry-After": str(fault.retry_after)}


def _with(answer: Answer, headers: Mapping[str, str]) -> Answer:
    return Answer(answer.status, answer.body, answer.media_type, {**answer.headers, **headers})
