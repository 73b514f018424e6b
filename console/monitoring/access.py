"""Who may read metrics, and the details of readiness."""

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from fastapi import HTTPException, Request

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers of a proxy: then the other end of the connection is not the one that asks."""


async def allow_scrape(request: Request) -> None:
    """Let the request pass, or raise a 401.

    With ``METRICS_TOKEN`` set it must come as bearer token, from wherever. Without one, who asks on this machine may.
    ``app.state.logged_in``, where the application sets it, is asked too: an async function of the request that says
    whether somebody is logged in who may look.
    """
    if not await may_scrape(request):
        raise HTTPException(
            401,
            "metrics are for the scraper; expected `Authorization: Bearer` with the METRICS_TOKEN of this deployment, "
            "or a request on this machine where none is set",
            headers={"WWW-Authenticate": "Bearer"},
        )


async def may_scrape(request: Request) -> bool:
    """Whether `allow_scrape` lets the request pass."""
    token = request.app.state.settings.metrics_token.get_secret_value()
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        allowed = scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
    else:
        allowed = _on_this_machine(request.scope, request.headers)
    logged_in = getattr(request.app.state, "logged_in", None)
    return allowed or (logged_in is not None and bool(await logged_in(request)))


def _on_this_machine(scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """Whether both ends of the connection are loopback, and no proxy stands before us."""
    if any(name in headers for name in _FORWARDED):
        return False
    ends = [scope.get("server"), scope.get("client")]
    return all(end is not None and _is_loopback(str(end[0])) for end in ends)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
