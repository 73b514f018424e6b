"""Pages from templates: everything that stands in one is escaped, and every asset is one of ours."""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console import words
from console.security.access import is_secure, session_of
from console.security.passwords import Role
from console.security.sessions import FLASH, Sessions

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

NAVIGATION: Final = (
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/background", "Background"),
    ("/schedules", "Schedules"),
    ("/quarantine", "Quarantine"),
    ("/providers", "Providers"),
    ("/configuration", "Configuration"),
)


@cache
def asset(path: str) -> str:
    """The address of a file of ours, with a fingerprint, so that browsers may keep it for ever."""
    return f"/static/{path}?v={hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]}"


def as_time(at: datetime | None, *, absolute: bool = False) -> Markup:
    """A time as an element: near for people, exact on hovering and for machines."""
    if at is None:
        return Markup('<span class="dim">never</span>')
    exact = words.moment(at)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        words.aware(at).isoformat(), exact, exact if absolute else words.relative(at)
    )


def pretty_json(value: Any) -> str:
    """JSON for people; what JSON does not know becomes text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def make_environment() -> Environment:
    """Templates that escape everything, and fail for a name that nobody gave."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": asset, "navigation": NAVIGATION, "utc_now": lambda: datetime.now(UTC)}
    environment.filters |= {
        "ago": as_time,
        "at": lambda at: as_time(at, absolute=True),
        "distance": lambda span: words.distance(span.total_seconds()),
        "initials": words.initials,
        "moment": words.moment,
        "number": words.number,
        "plain": words.plain,
        "pretty": pretty_json,
        "relative": words.relative,
        "safe_link": words.safe_link,
        "short_number": words.short_number,
        "size": words.size,
        "tone": words.tone,
    }
    return environment


ENVIRONMENT: Final = make_environment()


def fragment(name: str, **content: Any) -> str:
    """A piece of a page as text."""
    return ENVIRONMENT.get_template(name).render(**content)


def page(request: Request, name: str, *, code: int = 200, **content: Any) -> Response:
    """A whole page, or a piece of one, for whoever asks."""
    session = session_of(request)
    sessions: Sessions = request.app.state.sessions
    told = sessions.told(request.cookies.get(FLASH))
    html = fragment(
        name,
        request=request,
        session=session,
        may_change=session.role is Role.OPERATOR,
        secured=request.app.state.console.secured,
        form_token=lambda: sessions.form_token(session),
        told=told,
        **content,
    )
    response = HTMLResponse(html, status_code=code)
    if told is not None:
        response.delete_cookie(FLASH, path="/", httponly=True, samesite="strict", secure=is_secure(request))
    return response


def done(request: Request, to: str, text: str, *, good: bool = True) -> Response:
    """The answer to a change: the browser goes to a page that tells what was done."""
    response = RedirectResponse(to, status_code=303)
    request.app.state.sessions.tell(response, text, good=good, secure=is_secure(request))
    return response
