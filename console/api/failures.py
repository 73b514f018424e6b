"""What becomes of exceptions: each is a problem with a sentence, and none tells what is inside."""

import json
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

from console.api.gate import too_large
from console.api.problems import Problem, Wrong, answer_problem, invalid, unavailable
from console.api.storable_json import escaped
from db.session import connection_lost
from worker.errors import ConfigurationError
from worker.missing_schema import SCHEMA_MISSING

log = structlog.get_logger()

TRY_AGAIN_SECONDS: Final = 2
SHOWN: Final = 80
"""Characters of a wrong value that are repeated."""


def add_handlers(app: FastAPI) -> None:
    """Answer every exception of the application as a problem."""
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(psycopg.Error, _database_error)
    app.add_exception_handler(Exception, _unforeseen)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        told = f"the body is not JSON: {found[0]['ctx']['error']} at character {found[0]['loc'][-1]}"
        return Problem(400, "invalid_json", f"{told}; expected one JSON object").answer()
    return invalid([_wrong(one) for one in found]).answer()


def _wrong(one: dict[str, Any]) -> Wrong:
    place, *rest = one["loc"]
    below = (one.get("ctx") or {}).get("below", "")
    pointer = "".join(f"/{escaped(str(part))}" for part in rest) + below
    name = (pointer[1:].replace("/", ".") if place == "body" else ".".join(map(str, rest))) or "the body"
    told = one["msg"][:1].lower() + one["msg"][1:]
    if one["type"] == "missing":
        detail = f"{name} is missing; expected a value"
    elif one["type"] == "extra_forbidden":
        detail = f"{name} is not known; leave it out, or correct its spelling"
    elif one["type"] == "unstorable":
        detail = f"{name} {told}"
    else:
        detail = f"{name} is {_seen(one['input'])}; {told}"
    return Wrong(
        detail,
        pointer=pointer if place == "body" else None,
        parameter=name if place in ("query", "path") else None,
        header=name if place == "header" else None,
    )


def _seen(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"an array of {len(value)}"
    if isinstance(value, bytes):
        return "no JSON object"
    text = json.dumps(value[: SHOWN * 2] if isinstance(value, str) else value, default=repr, ensure_ascii=True)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    path = request.scope["path"][:200]
    if error.status_code == 404:
        problem = Problem(404, "not_found", f"there is nothing at {path}; /api/v1/openapi.json lists what there is")
    elif error.status_code == 405:
        allowed = ", ".join(sorted(_methods_of(request)))
        told = f"{path} does not take {request.method[:20]}; expected {allowed}"
        problem = Problem(405, "method_not_allowed", told, headers={"Allow": allowed})
    elif error.status_code == 413:
        problem = too_large()
    elif error.status_code == 400:
        problem = Problem(400, "invalid_json", "the body cannot be read; expected one JSON object, in UTF-8")
    else:
        problem = Problem(error.status_code, "http", str(error.detail), headers=error.headers)
    return problem.answer()


def _methods_of(request: Request) -> set[str]:
    """What all routes of this address take together; the framework tells those of the first."""
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods: set[str] = set()
    for path, taken in request.app.state.paths:
        if path.fullmatch(below):
            methods |= taken
    return methods


def paths_of(routes: Sequence[Any]) -> list[tuple[Any, set[str]]]:
    """Patterns of the addresses there are, each with its methods."""
    return [(compile_path(route.path)[0], set(route.methods or ())) for route in routes if route.path]


async def _database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error)  # noqa: S101 - it is registered for nothing else
    if isinstance(error, PoolTimeout):
        return _away("no connection to the database is free, or it does not answer", error)
    if isinstance(error, psycopg.OperationalError) and connection_lost(error):
        return _away("the database does not answer", error)
    if isinstance(error, SCHEMA_MISSING):
        return _away("the database lacks the tables of the engine until ./run migrate was run", error)
    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
        return _away("somebody else holds the job's row", error)
    return await _unforeseen(request, error)


def _away(what: str, error: psycopg.Error) -> Response:
    log.warning("api_database_away", kind=type(error).__name__, error=str(error).partition("\n")[0])
    return unavailable(f"{what}; nothing was changed; try again", TRY_AGAIN_SECONDS).answer()


async def _unforeseen(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        # Nobody is there to read an answer; the gate lets it pass.
        return Response()
    if isinstance(error, ConfigurationError):
        log.error("api_misconfigured", error=str(error))
        return unavailable("a setting of the server is wrong; its log says which", 30).answer()
    log.error("api_failed", path=request.url.path, exc_info=error)
    return Problem(500, "internal", "something broke that nobody expected; the server's log has it").answer()
