"""What a route asks of a request before it answers: a session, a role, the token of a form."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request

from console.security.passwords import Role
from console.security.sessions import Session, Sessions
from worker.console_settings import ConsoleSettings


class LoginNeeded(Exception):
    """Raised when nobody is logged in."""


class Refused(Exception):
    """Raised when somebody may not do what is asked; the text says why and what to do."""


def session_of(request: Request) -> Session:
    """The browser's session; a new one, whose cookie is set with the answer, where it has none."""
    known: Session | None = getattr(request.state, "session", None)
    if known is not None:
        return known
    sessions: Sessions = request.app.state.sessions
    settings: ConsoleSettings = request.app.state.console
    session = sessions.read(request.cookies.get(Sessions.cookie_name(is_secure(request))))
    if session is None or (session.role is None and not settings.secured):
        session = sessions.new() if settings.secured else sessions.new(Role.OPERATOR, "somebody on this machine")
        request.state.new_session = session
    request.state.session = session
    return session


def reader(request: Request, session: Annotated[Session, Depends(session_of)]) -> Session:
    """Whoever may see pages. Raises `LoginNeeded`, or `Refused` where no login can help."""
    settings: ConsoleSettings = request.app.state.console
    if not settings.secured and not settings.on_loopback:
        raise Refused(
            "This console can be reached from other machines and has no password, so its pages are off. Set "
            "CONSOLE_PASSWORD and start it again; the API works with its tokens."
        )
    if session.role is None:
        raise LoginNeeded
    return session


def operator(
    request: Request,
    session: Annotated[Session, Depends(reader)],
    form_token: Annotated[str, Form()] = "",
) -> Session:
    """Whoever may change things, by a form of ours. Raises `LoginNeeded` and `Refused`."""
    check_form(request, session, form_token)
    if session.role is not Role.OPERATOR:
        raise Refused("You are logged in to read. Log in with the operators' password to change things.")
    return session


def check_form(request: Request, session: Session, token: str) -> None:
    """Raise `Refused` unless a form of this session was sent from a page of ours."""
    origin = request.headers.get("origin")
    if origin not in (None, "null") and urlsplit(origin or "").netloc != request.headers.get("host"):
        raise Refused("The form came from another site. Open the page here and try again.")
    sessions: Sessions = request.app.state.sessions
    if not sessions.good_token(session, token):
        raise Refused("The form is too old, or was not one of this page. Go back, reload the page and try again.")


def is_secure(request: Request) -> bool:
    """Whether the browser speaks https, to us or to a proxy that we trust."""
    return request.url.scheme == "https"


def who(session: Session) -> str:
    """How changes by this session are signed."""
    return f"console: {session.name}"


Reader = Annotated[Session, Depends(reader)]
Operator = Annotated[Session, Depends(operator)]
