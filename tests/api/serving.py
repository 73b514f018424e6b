"""The API as the console serves it: an application of its own on a free loopback port, in a thread beside the tests."""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from console.api import make_api, make_qstash
from db.session import make_pool
from platforms.simulator.serving import listening_socket, url_of
from worker.api_settings import ApiSettings
from worker.settings import Settings, load_settings

READ, ENQUEUE, CONTROL, ALL = (f"{name}-token-{'x' * 20}" for name in ("read", "enqueue", "control", "all"))
TOKENS = f"reader:read:{READ},writer:enqueue:{ENQUEUE},boss:control:{CONTROL},app:read+enqueue+control:{ALL}"
POOL = 4


def make_host(database_url: str, tokens: str | None = TOKENS, settings: Settings | None = None) -> FastAPI:
    """An application that includes the API and nothing else, with the state that the console gives it.

    Without ``tokens`` the environment names them.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = make_pool(database_url, "trawler console", POOL)
        await app.state.pool.open()
        try:
            yield
        finally:
            await app.state.pool.close()

    app = FastAPI(lifespan=life, openapi_url=None)
    app.state.settings = settings or load_settings(_env_file=None)
    if tokens is not None:
        app.state.api_settings = ApiSettings(API_TOKENS=tokens)
    app.state.database_url = database_url
    app.state.redis_url = "redis://127.0.0.1:1/0"
    app.include_router(make_api())
    app.include_router(make_qstash())
    return app


class _Server(uvicorn.Server):
    """One that leaves signals alone and tells when it listens."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=5)
        )
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Api:
    """A running API and a client for each token."""

    url: str
    app: FastAPI
    stop: Callable[[], None]
    """Tell it to end."""
    clients: list[httpx.Client] = field(default_factory=list)

    def with_token(self, token: str | None, **options: Any) -> httpx.Client:
        """A client that sends this token, or none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **options)
        self.clients.append(client)
        return client


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[Api]:
    """Serve the application until left."""
    bound = listening_socket(0)
    server = _Server(app)
    thread = threading.Thread(target=server.run, args=([bound],), name="api", daemon=True)
    thread.start()
    api = Api(url_of(bound), app, lambda: setattr(server, "should_exit", True))
    try:
        assert server.ready.wait(30), "the API did not start"
        yield api
    finally:
        api.stop()
        for client in api.clients:
            client.close()
        thread.join(20)
        bound.close()
        assert not thread.is_alive(), "the API did not stop"
