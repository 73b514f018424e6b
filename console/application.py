"""The application: pages for people, and, where they are there, the HTTP API and what monitoring asks."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from console.attachments import attachments
from console.pages import (
    background,
    bulk,
    charts,
    configuration,
    creators,
    job,
    jobs,
    login,
    overview,
    providers,
    quarantine,
    schedules,
)
from console.redis_view import RedisView
from console.rendering import STATIC, page
from console.security.access import LoginNeeded, Refused, reader, session_of
from console.security.headers import SafeHeaders
from console.security.login_limit import LoginLimit
from console.security.sessions import Sessions
from console.security.setting_cookies import SessionCookies
from db.session import connection_lost, make_pool
from worker.console_settings import ConsoleSettings, load_console_settings
from worker.redaction import redact
from worker.settings import Settings

log = structlog.get_logger()

CONNECTIONS: Final = 8
PAGES: Final = (
    *(login, overview, charts, jobs, bulk, job, creators, background, schedules, quarantine, providers),
    configuration,
)
MACHINES: Final = ("/api/", "/v2/", "/metrics", "/healthz", "/readyz")
"""What asks here is no browser, and gets no page."""


def make_application(
    settings: Settings, database_url: str, redis_url: str, console: ConsoleSettings | None = None
) -> FastAPI:
    """The application of one console process. Its pool opens when it starts to serve and closes at the end.

    ``app.state`` has ``pool``, ``settings``, ``console`` (its own settings), ``database_url``, ``redis_url``,
    ``sessions``, and ``logged_in``, which says of a request whether somebody may see pages.
    """
    console = console or load_console_settings()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = make_pool(database_url, "trawler console", CONNECTIONS)
        await app.state.pool.open()
        try:
            yield
        finally:
            await app.state.pool.close()

    app = FastAPI(
        title="Trawler",
        lifespan=life,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # The API has a document of its own.
        openapi_url=None,
        middleware=[
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
            Middleware(SafeHeaders, settings=console),
            Middleware(SessionCookies),
        ],
    )
    app.state.settings = settings
    app.state.console = console
    app.state.database_url = database_url
    app.state.redis_url = redis_url
    app.state.sessions = Sessions(console)
    app.state.login_limit = LoginLimit()
    app.state.redis = RedisView(redis_url)
    app.state.streams = set()
    app.state.charts = OrderedDict()
    app.state.logged_in = _logged_in
    for module in PAGES:
        app.include_router(module.router)
    for router in attachments():
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(LoginNeeded, _login_first)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(psycopg.Error, _database_error)
    return app


async def _logged_in(request: Request) -> bool:
    try:
        reader(request, session_of(request))
    except (LoginNeeded, Refused):
        return False
    return True


async def _login_first(request: Request, _: Exception) -> Response:
    if request.headers.get("hx-request") or request.url.path.startswith("/streams/"):
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse(login.login_address(request), status_code=303)


async def _refused(request: Request, error: Exception) -> Response:
    return problem(request, 403, "Not allowed", str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    title = {404: "Not found", 405: "Not possible"}.get(error.status_code, "It did not work")
    return problem(request, error.status_code, title, str(error.detail), error.headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    told = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
    return problem(request, 422, "That cannot be read", f"{told}. Go back, correct it and send it again.")


async def _database_error(request: Request, error: Exception) -> Response:
    text = redact(str(error)).strip()
    log.warning("console_database_error", path=request.url.path, error=text)
    away = isinstance(error, psycopg.OperationalError) and connection_lost(error)
    title = "The database does not answer" if away else "The database refused"
    return problem(request, 503 if away else 500, title, f"{text}. Jobs are not touched by this; try again.")


def problem(
    request: Request, status: int, title: str, text: str, headers: "dict[str, str] | object | None" = None
) -> Response:
    """What went wrong: a page for people, problem+json for machines."""
    if request.url.path.startswith(MACHINES):
        content = {"type": "about:blank", "title": title, "status": status, "detail": text}
        response: Response = JSONResponse(content, status, media_type="application/problem+json")
    else:
        response = page(request, "problem.html", code=status, title=title, text=text)
    if isinstance(headers, dict):
        response.headers.update(headers)
    return response
