"""The simulator as one ASGI application."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from platforms.simulator.catalogue import Catalogue
from platforms.simulator.control import control_routes
from platforms.simulator.faults import FaultKind, FaultPlan
from platforms.simulator.ledger import Ledger
from platforms.simulator.replay import Replay
from platforms.simulator.scrapecreators import KEY_HEADER, ScrapeCreators, Source, unknown_route
from platforms.simulator.settings import Settings
from platforms.simulator.wire import WIRE_FAULTS, Connections, Gate, Held, response_of, wire_fault


def create_app(settings: Settings | None = None) -> Starlette:
    """The application, ready to serve. Each has its own balance, calls, faults and gate.

    Under a server that is not ours the fault ``drop`` raises `ConnectionResetError`, for want of a connection to cut.
    Raises `ConfigurationError` when the folder to replay cannot be used.
    """
    settings = settings or Settings()
    source: Source = Catalogue(settings) if settings.replay is None else Replay(settings.replay)
    ledger, plan, gate, connections = Ledger(settings.credits), FaultPlan(), Gate(), Connections()
    recorded = settings.replay is not None
    padding = settings.page_bytes == "real" and not recorded
    provider = ScrapeCreators(source, ledger, envelope=not recorded, padding=padding)

    async def call(request: Request) -> Response:
        path, params = request.url.path, dict(request.query_params)
        fault = plan.take(path, params)
        if fault and fault.kind in WIRE_FAULTS:
            status, response = wire_fault(fault, connections)
        else:
            answer = provider.answer(path, params, request.headers.get(KEY_HEADER), fault)
            held = fault and fault.kind is FaultKind.GATE
            status, response = answer.status, Held(answer, gate) if held else response_of(answer)
        # Kept before it is sent: the provider has done its work, whether or not the client waits for the answer.
        ledger.record(path, params, status)
        if settings.latency:
            await asyncio.sleep(settings.latency.total_seconds())
        return response

    async def no_route(request: Request, error: Exception) -> Response:
        ledger.record(request.url.path, dict(request.query_params), 404)
        return response_of(unknown_route(request.method, request.url.path))

    app = Starlette(
        routes=[
            *(Route(path, call, methods=["GET"]) for path in provider.mutations),
            *control_routes(ledger, plan, gate, provider.mutations),
        ],
        exception_handlers={404: no_route, 405: no_route},
    )
    app.router.redirect_slashes = False
    app.state.connections = connections
    return app
