"""Serving the application on a loopback port: in this process's main thread, or in a thread beside it."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from platforms.simulator.app import create_app
from platforms.simulator.controls import Controls
from platforms.simulator.settings import Settings
from platforms.simulator.wire import Connections
from worker.errors import ConfigurationError

_HOST = "127.0.0.1"

_KEEP_ALIVE_SECONDS = 300
"""Longer than any client keeps an idle connection, so that no call meets one that is just being closed."""

_START_SECONDS = 30


class LoopbackServer(uvicorn.Server):
    """A server of one application. It leaves signals alone and, told to stop, waits for no call in progress."""

    def __init__(self, app: Starlette, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=_protocol_noting(app.state.connections),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=0,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: who runs the server decides what a signal means."""
        yield


class Simulator(Controls):
    """A simulator in a thread of this process; a context manager. ``url`` is known from the start."""

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        app = create_app(settings)
        self._socket = listening_socket(port)
        super().__init__(url_of(self._socket))
        self._ready = threading.Event()
        self._server = LoopbackServer(app, self._ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="simulator", daemon=True)

    def start(self) -> None:
        """Serve. Returns when calls are answered; raises `ConfigurationError` if that takes 30 s."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise ConfigurationError(f"The simulator did not start to listen within {_START_SECONDS} s.")

    def stop(self) -> None:
        """Stop at once; calls in progress are cut. Does nothing when it is not running."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def listening_socket(port: int) -> socket.socket:
    """A socket bound to the loopback address; port 0 takes a free one. Raises `ConfigurationError` when it is taken."""
    # Named as TCP, since asyncio turns Nagle's delay of 40 ms off only for sockets that say so.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ConfigurationError(f"Port {port} of {_HOST} cannot be used: {error}. Choose another, or 0.") from error
    return bound


def url_of(bound: socket.socket) -> str:
    """The base URL of a bound socket."""
    return f"http://{_HOST}:{bound.getsockname()[1]}"


def _protocol_noting(connections: Connections) -> type[asyncio.Protocol]:
    class NotingProtocol(H11Protocol):
        """Notes each open connection, which the fault ``drop`` cuts."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                connections.by_client[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.by_client.pop(self.client, None)
            super().connection_lost(exc)

    return NotingProtocol
