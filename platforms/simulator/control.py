"""The control endpoints below ``/_simulator``: what was called, which faults come, and the gate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from platforms.simulator.faults import Fault, FaultKind, FaultPlan
from platforms.simulator.ledger import Ledger
from platforms.simulator.wire import WIRE_FAULTS, Gate

_ANYWHERE = WIRE_FAULTS | {FaultKind.CUT_JSON, FaultKind.GATE}
_LONGEST_WAIT_SECONDS = 60.0


def control_routes(
    ledger: Ledger, plan: FaultPlan, gate: Gate, mutations: Mapping[str, frozenset[FaultKind]]
) -> list[Route]:
    """The routes; ``mutations`` names the answer-bending faults each endpoint has."""

    async def calls(request: Request) -> Response:
        if request.method == "DELETE":
            ledger.forget()
        return _json(ledger.report())

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            plan.clear()
            return _json({"released": gate.open()})
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.DecodeError as error:
            return _json({"message": str(error)}, 400)
        if fault.path not in mutations:
            return _json({"message": f"no endpoint {fault.path!r}; there are {sorted(mutations)}"}, 400)
        if fault.kind not in _ANYWHERE | mutations[fault.path]:
            return _json({"message": f"{fault.path} has no fault {fault.kind.value!r}"}, 400)
        plan.add(fault)
        return _json({"planned": fault})

    async def gate_state(request: Request) -> Response:
        try:
            wanted = int(request.query_params.get("calls", "0"))
            seconds = float(request.query_params.get("timeout_seconds", "10"))
        except ValueError:
            return _json({"message": "calls and timeout_seconds must be numbers"}, 400)
        return _json({"waiting": await gate.until_holding(wanted, min(seconds, _LONGEST_WAIT_SECONDS))})

    async def gate_open(request: Request) -> Response:
        return _json({"released": gate.open()})

    return [
        Route("/_simulator/calls", calls, methods=["GET", "DELETE"]),
        Route("/_simulator/faults", faults, methods=["POST", "DELETE"]),
        Route("/_simulator/gate", gate_state, methods=["GET"]),
        Route("/_simulator/gate/open", gate_open, methods=["POST"]),
    ]


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=datetime.isoformat), status, media_type="application/json")
