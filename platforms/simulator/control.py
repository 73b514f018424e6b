"""The control endpoints below ``/_simulator``: what was called, accounts, limits, faults, runs, and the gate."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from platforms.simulator.exchange import kinds_of
from platforms.simulator.faults import Fault, FaultPlan
from platforms.simulator.ledger import Ledger
from platforms.simulator.limits import Limit, Limits
from platforms.simulator.table import Table
from platforms.simulator.wire import Gate

_LONGEST_WAIT_SECONDS = 60.0
T = TypeVar("T")


class Account(msgspec.Struct, forbid_unknown_fields=True):
    """A wish about one account."""

    account: str
    credits: int


class _Wrong(Exception):
    """A wish that cannot be met; the text says why."""


def control_routes(table: Table, ledger: Ledger, limits: Limits, plan: FaultPlan, gate: Gate) -> list[Route]:
    """The routes."""

    async def calls(request: Request) -> Response:
        if request.method == "DELETE":
            ledger.forget()
        return _json({**ledger.report(), "limits": limits.report()})

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            plan.clear()
            return _json({"released": gate.open()})
        fault = await _wish(request, Fault)
        meant = [endpoint for path, endpoint in table.endpoints.items() if fault.covers(path)]
        if not meant:
            raise _Wrong(f"no endpoint {fault.path!r}; there are {sorted(table.endpoints)}")
        if not any(fault.kind in kinds_of(endpoint) for endpoint in meant):
            raise _Wrong(f"{fault.path} has no fault {fault.kind.value!r}")
        plan.add(fault)
        return _json({"planned": fault})

    async def limit(request: Request) -> Response:
        if request.method == "DELETE":
            limits.reset()
        if request.method == "POST":
            wished = await _wish(request, Limit)
            names = {provider.name for provider in table.providers}
            if wished.path not in names and not wished.path.startswith("/"):
                raise _Wrong(f"no provider {wished.path!r}; there are {sorted(names)}, or give what paths begin with")
            if wished.per_second is None and wished.per_day is None:
                raise _Wrong("a limit needs per_second or per_day")
            if min(wished.per_second or 0, wished.per_day or 0, wished.burst or 0) < 0 or wished.burst == 0:
                raise _Wrong("per_second and per_day must not be negative, and burst at least 1")
            limits.set(wished)
        return _json({"limits": limits.report()})

    async def new_day(request: Request) -> Response:
        limits.new_day()
        return _json({"limits": limits.report()})

    async def account(request: Request) -> Response:
        wished = await _wish(request, Account)
        ledger.set_balance(wished.account, wished.credits)
        return _json({"account": wished.account, "credits_remaining": wished.credits})

    async def expire(request: Request) -> Response:
        what = request.path_params["what"]
        voided = [provider.name for provider in table.providers if provider.expire(what)]
        if not voided:
            raise _Wrong(f"nothing called {what!r} expires; there are tokens and cursors")
        return _json({"expired": what, "providers": voided})

    async def runs(request: Request) -> Response:
        hold = request.query_params.get("hold") == "true"
        return _json({"held": hold, "providers": [one.name for one in table.providers if one.hold_runs(hold)]})

    async def gate_state(request: Request) -> Response:
        try:
            wanted = int(request.query_params.get("calls", "0"))
            seconds = float(request.query_params.get("timeout_seconds", "10"))
        except ValueError:
            return _json({"message": "calls and timeout_seconds must be numbers"}, 400)
        return _json({"waiting": await gate.until_holding(wanted, min(seconds, _LONGEST_WAIT_SECONDS))})

    async def gate_open(request: Request) -> Response:
        return _json({"released": gate.open()})

    routes = {
        "calls": (calls, ["GET", "DELETE"]),
        "faults": (faults, ["POST", "DELETE"]),
        "limits": (limit, ["GET", "POST", "DELETE"]),
        "new_day": (new_day, ["POST"]),
        "accounts": (account, ["POST"]),
        "expire/{what}": (expire, ["POST"]),
        "runs": (runs, ["POST"]),
        "gate": (gate_state, ["GET"]),
        "gate/open": (gate_open, ["POST"]),
    }
    return [
        Route(f"/_simulator/{name}", _refusing(answer), methods=methods) for name, (answer, methods) in routes.items()
    ]


def _refusing(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def refusing(request: Request) -> Response:
        try:
            return await answer(request)
        except _Wrong as wrong:
            return _json({"message": str(wrong)}, 400)

    return refusing


async def _wish(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise _Wrong(str(error)) from None


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=datetime.isoformat), status, media_type="application/json")
