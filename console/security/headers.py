"""What every answer tells the browser, and by which name it may ask at all."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.console_settings import ConsoleSettings, is_loopback

LONG: Final = "public, max-age=31536000, immutable"
"""For assets, whose addresses hold a fingerprint of their content."""


def content_policy(picture_sources: tuple[str, ...]) -> str:
    """Only our own files; no script or style that stands in a page; nobody may frame us."""
    pictures = " ".join(("'self'", "data:", *picture_sources))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
        f"img-src {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class SafeHeaders:
    """Adds the headers, and refuses names of the host that are not ours."""

    def __init__(self, app: ASGIApp, settings: ConsoleSettings) -> None:
        self._app = app
        self._settings = settings
        self._headers = {
            "Content-Security-Policy": content_policy(settings.picture_sources),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                asset = scope["path"].startswith("/static/") and message["status"] == 200
                headers.setdefault("Cache-Control", LONG if asset else "no-store")
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if not host_allowed(self._settings, host):
            refusal = PlainTextResponse(
                f"The host is asked for as {host[:200]!r}, which is not one of its names. Expected: "
                f"{', '.join(self._settings.hosts) or 'localhost, 127.0.0.1 or [::1]'}. Use one of them, or add the "
                "name to CONSOLE_ALLOWED_HOSTS; without CONSOLE_PASSWORD only names of this machine are allowed.\n",
                status_code=400,
            )
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def host_allowed(settings: ConsoleSettings, host: str) -> bool:
    """Whether a browser may ask by this name.

    Without a password only names of this machine: a page of somebody else, whose name was bent to 127.0.0.1, must not
    be served as if it were ours.
    """
    name = _without_port(host).casefold()
    if settings.hosts and name in settings.hosts:
        return settings.secured or is_loopback(name)
    if not settings.secured:
        return is_loopback(name) or not settings.on_loopback
    return not settings.hosts or is_loopback(name)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
