"""Sessions in signed cookies, and the tokens that forms carry.

Nothing is kept on the server: a cookie says who it is for, and its signature that we said so. Keys come from the
session secret and the passwords, so that a changed password ends every session.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import Response

from console.security.passwords import Role
from worker.console_settings import ConsoleSettings

FLASH: Final = "trawler_told"
FLASH_SECONDS: Final = 60
LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Session:
    """One browser: its random id, its role (None before the login), and the name it gave."""

    id: str
    role: Role | None
    name: str


class Sessions:
    """Writes and reads the cookies of one console."""

    def __init__(self, settings: ConsoleSettings) -> None:
        secret = settings.session_secret.get_secret_value() or secrets.token_hex(32)
        told = (settings.password.get_secret_value(), settings.read_password.get_secret_value())
        self._key = hashlib.sha256("\0".join((secret, *told)).encode()).digest()
        self._cookies = URLSafeTimedSerializer(self._key, salt="session")
        self._told = URLSafeTimedSerializer(self._key, salt="told")
        self._seconds = int(settings.session_hours * 3600)

    @staticmethod
    def cookie_name(secure: bool) -> str:
        """Over https the name has the prefix with which browsers refuse one that another host set."""
        return "__Host-trawler_console" if secure else "trawler_console"

    def new(self, role: Role | None = None, name: str = "") -> Session:
        """A session with a new id: made at each login too, so that nobody can plant one."""
        return Session(secrets.token_urlsafe(18), role, " ".join(name.split())[:LONGEST_NAME])

    def read(self, cookie: str | None) -> Session | None:
        """The session that a cookie holds; None when it is not ours or too old."""
        content = self._content(self._cookies, cookie, self._seconds)
        try:
            return Session(content["id"], Role(content["role"]) if content["role"] else None, content["name"])
        except (TypeError, KeyError, ValueError):
            return None

    def write(self, response: Response, session: Session, *, secure: bool) -> None:
        """Set the session's cookie."""
        content = {"id": session.id, "role": session.role, "name": session.name}
        self._set(response, self.cookie_name(secure), self._cookies.dumps(content), self._seconds, secure)

    def tell(self, response: Response, text: str, *, good: bool, secure: bool) -> None:
        """Leave a sentence for the next page."""
        self._set(response, FLASH, self._told.dumps({"text": text[:1500], "good": good}), FLASH_SECONDS, secure)

    def told(self, cookie: str | None) -> dict[str, Any] | None:
        """The sentence that was left, with whether it is a good one."""
        found = self._content(self._told, cookie, FLASH_SECONDS)
        return found if isinstance(found, dict) else None

    def form_token(self, session: Session) -> str:
        """A token for a form of this session; each is another text, so that a compressed page gives none away."""
        nonce = secrets.token_hex(8)
        return f"{nonce}.{self._mac(session, nonce)}"

    def good_token(self, session: Session, token: str) -> bool:
        """Whether a form's token is one of this session."""
        nonce, _, mac = token.partition(".")
        return hmac.compare_digest(self._mac(session, nonce).encode(), mac.encode("utf-8", "replace"))

    def _mac(self, session: Session, nonce: str) -> str:
        return hmac.new(self._key, f"form\0{session.id}\0{nonce}".encode("utf-8", "replace"), "sha256").hexdigest()

    @staticmethod
    def _content(serializer: URLSafeTimedSerializer, cookie: str | None, seconds: int) -> Any:
        if not cookie:
            return None
        try:
            return serializer.loads(cookie, max_age=seconds)
        except BadSignature:
            return None

    @staticmethod
    def _set(response: Response, name: str, value: str, seconds: int, secure: bool) -> None:
        response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure, path="/")
