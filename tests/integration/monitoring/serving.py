"""The routes for machines as a server on loopback, and what it answers, read by Prometheus' own parser."""

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from console.monitoring import make_monitoring
from db.session import make_pool
from tests.fleet import eventually
from worker.settings import load_settings


def application(database_url: str, redis_url: str, **settings: Any) -> FastAPI:
    """An application with the state that the console has, and these routes alone."""

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = make_pool(database_url, "test console", 4)
        await app.state.pool.open()
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=life)
    app.state.settings = load_settings(**settings)
    app.state.database_url, app.state.redis_url = database_url, redis_url
    app.include_router(make_monitoring())
    return app


@dataclass
class Monitored:
    """A running server."""

    url: str
    app: FastAPI

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What it answers."""
        return httpx.get(self.url + path, headers=headers, timeout=20)

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample of a scrape."""
        answer = self.get("/metrics")
        assert answer.status_code == 200, answer.text
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all samples of a name with at least these labels."""
        wanted = set(labels.items())
        return sum(value for (found, of), value in self.samples().items() if found == name and wanted <= set(of))


@contextlib.contextmanager
def monitored(database_url: str, redis_url: str, host: str = "127.0.0.1", **settings: Any) -> Iterator[Monitored]:
    """Serve until left."""
    app = application(database_url, redis_url, **settings)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Monitored(f"http://127.0.0.1:{port}", app)
    finally:
        server.should_exit = True
        thread.join(20)
