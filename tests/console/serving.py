"""The console's application as a test asks it: in the test's own process, without a socket."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import psycopg

from console.application import make_application
from worker.console_settings import load_console_settings
from worker.settings import load_settings

PASSWORD = "correct horse battery"
READ_PASSWORD = "only for looking"
HOME = "http://127.0.0.1:8600"


def actions(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """What operators did, and who."""
    return connection.execute(
        "SELECT event_data ->> 'action', event_data ->> 'actor' FROM events WHERE event_type = 'admin_action'"
        " ORDER BY timestamp, event_data ->> 'action'"
    ).fetchall()


class Browser(httpx.AsyncClient):
    """Keeps cookies, and sends forms with the token of a page."""

    async def token(self, path: str = "/login") -> str:
        """A form's token, as a page of this session has it."""
        page = await self.get(path)
        found = re.search(r'name="form_token" value="([^"]+)"', page.text)
        assert found, f"no form on {path}: {page.status_code}"
        return found[1]

    async def submit(self, path: str, page: str = "/schedules", **fields: object) -> httpx.Response:
        """Send a form whose token comes from ``page``."""
        told = {name: value for name, value in fields.items() if value is not None}
        return await self.post(path, data={"form_token": await self.token(page), **told})

    async def log_in(self, password: str = PASSWORD, name: str = "Alice") -> httpx.Response:
        """Log in as people do."""
        return await self.submit("/login", "/login", name=name, password=password)


@asynccontextmanager
async def served(
    database_url: str, redis_url: str, home: str = HOME, *, provider_key: str = "key", **console: object
) -> AsyncIterator[Browser]:
    """A console with these settings, and a browser of it; ``console`` are fields of its own settings."""
    settings = load_settings(SCRAPECREATORS_API_KEY=provider_key)
    app = make_application(settings, database_url, redis_url, load_console_settings(**console))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), Browser(transport=transport, base_url=home) as browser:
        yield browser
