"""Gives the browser the cookie of a session that an answer began."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.security.access import is_secure
from console.security.sessions import Session


class SessionCookies:
    """Sets the cookie of ``request.state.new_session``, where a route or page made one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            session: Session | None = scope.get("state", {}).get("new_session")
            if message["type"] == "http.response.start" and session is not None:
                cookies = Response()
                scope["app"].state.sessions.write(cookies, session, secure=is_secure(Request(scope)))
                headers = MutableHeaders(scope=message)
                for name, value in cookies.raw_headers:
                    if name == b"set-cookie":
                        headers.append("set-cookie", value.decode("latin-1"))
            await send(message)

        await self._app(scope, receive, send_with_cookie)
