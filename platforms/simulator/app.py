"""The simulator as one ASGI application."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from platforms.simulator.calls import Answer, Call, Refused
from platforms.simulator.control import control_routes
from platforms.simulator.exchange import Exchange
from platforms.simulator.faults import Fault, FaultKind, FaultPlan
from platforms.simulator.ledger import Ledger
from platforms.simulator.limits import Limits
from platforms.simulator.providers import BUILT_IN_LIMITS, providers_of
from platforms.simulator.settings import Settings
from platforms.simulator.table import Table
from platforms.simulator.wire import WIRE_FAULTS, Connections, Gate, Held, response_of, slowly, wire_fault

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def create_app(settings: Settings | None = None) -> Starlette:
    """The application, ready to serve. Each has its own balances, calls, limits, faults, gate and runs.

    Under a server that is not ours the fault ``drop`` raises `ConnectionResetError`, for want of a connection to cut.
    Raises `ConfigurationError` when the folder to replay cannot be used.
    """
    settings = settings or Settings()
    ledger, plan, gate, connections = Ledger(settings.credits), FaultPlan(), Gate(), Connections()
    limits = Limits(BUILT_IN_LIMITS)
    table = Table(providers_of(settings), settings.replay)
    recorded = settings.replay is not None
    exchange = Exchange(
        ledger, limits, plan, envelope=not recorded, padding=settings.page_bytes == "real" and not recorded
    )

    async def answered(call: Call) -> Response:
        endpoint, provider, places = table.find(call.method, call.path)
        if endpoint is None:
            answer = provider.nowhere(call.method, call.path)
            ledger.record(call, answer.status, provider.name)
            return response_of(answer)
        call = Call(call.method, call.path, call.params, call.headers, call.body, places)
        account, fault = "", None
        try:
            account, fault = exchange.admit(provider, endpoint, call)
            if fault and fault.kind in WIRE_FAULTS:
                status, response = wire_fault(fault, connections, provider.error)
            else:
                if endpoint.ready:
                    await endpoint.ready(call)
                answer = exchange.answer(provider, endpoint, call, account, fault)
                status, response = answer.status, _delayed(fault, answer, gate) or response_of(answer)
        except Refused as refused:
            status, response = refused.answer.status, response_of(refused.answer)
        # Kept before it is sent: the provider has done its work, whether or not the client waits for the answer.
        ledger.record(call, status, provider.name, account)
        return response

    async def call(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Call(request.method, request.url.path, dict(request.query_params), headers, await request.body())
        response = await answered(asked)
        if settings.latency:
            await asyncio.sleep(settings.latency.total_seconds())
        return response

    app = Starlette(
        routes=[
            *control_routes(table, ledger, limits, plan, gate),
            Route("/{path:path}", call, methods=_METHODS),
        ],
    )
    app.router.redirect_slashes = False
    app.state.connections = connections
    return app


def _delayed(fault: Fault | None, answer: Answer, gate: Gate) -> Response | None:
    if fault and fault.kind is FaultKind.GATE:
        return Held(answer, gate)
    return slowly(answer, fault.seconds) if fault and fault.kind is FaultKind.SLOW else None
