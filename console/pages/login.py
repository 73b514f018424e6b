"""Logging in and out."""

from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from console.rendering import page
from console.security.access import check_form, is_secure, session_of
from console.security.login_limit import LoginLimit
from console.security.passwords import role_of
from console.security.sessions import Session, Sessions

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


def login_address(request: Request) -> str:
    """The login, from which the browser comes back to where it was."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?next={quote(here)}" if request.method == "GET" and here != "/" else "/login"


@router.get("/login")
def show(request: Request, next: str = "/") -> Response:  # noqa: A002 - it is the name in addresses
    """The form."""
    session = session_of(request)
    if session.role is not None:
        return RedirectResponse(_ours(next), status_code=303)
    return page(request, "login.html", next=_ours(next), problem=None)


@router.post("/login")
def log_in(
    request: Request,
    session: Annotated[Session, Depends(session_of)],
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - it is the name in the form
) -> Response:
    """Begin a session for who knows a password."""
    check_form(request, session, form_token)
    limit: LoginLimit = request.app.state.login_limit
    address = request.client.host if request.client else "-"
    if wait := limit.wait(address):
        told = f"Too many wrong passwords. Try again in {wait} s."
        response = page(request, "login.html", code=429, next=_ours(next), problem=told)
        response.headers["Retry-After"] = str(wait)
        return response
    role = role_of(request.app.state.console, password)
    if role is None or not name.strip():
        if role is None:
            limit.failed(address)
            log.warning("console_login_failed", address=address)
        told = "Wrong password." if role is None else "Say who you are: your name stands beside what you change."
        return page(request, "login.html", code=401, next=_ours(next), problem=told)
    limit.passed(address)
    log.info("console_login", name=name.strip()[:60], role=role.value, address=address)
    sessions: Sessions = request.app.state.sessions
    response = RedirectResponse(_ours(next), status_code=303)
    sessions.write(response, sessions.new(role, name), secure=is_secure(request))
    request.state.new_session = None
    return response


@router.post("/logout")
def log_out(
    request: Request,
    session: Annotated[Session, Depends(session_of)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """End the session of this browser."""
    check_form(request, session, form_token)
    response = RedirectResponse("/login", status_code=303)
    secure = is_secure(request)
    response.delete_cookie(Sessions.cookie_name(secure), path="/", httponly=True, samesite="strict", secure=secure)
    return response


def _ours(path: str) -> str:
    """The path when it is one of this console, else the first page."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine else "/"
