"""What the settings of e-mails say, and whether they fit each other."""

import re
from dataclasses import dataclass
from email.utils import getaddresses
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

SMTP_EXPECTED: Final = (
    "expected smtp://user:password@host:port (upgraded by STARTTLS) or smtps://user:password@host:port, with special "
    "characters of user and password percent-encoded"
)
SENDER_EXPECTED: Final = "expected one address, such as Trawler <hello@example.com>"

_PORTS: Final = {"smtp": 587, "smtps": 465}
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
LONGEST_ADDRESS: Final = 254
"""Characters of an address, as RFC 5321 limits a path."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed over. ``tls`` means from the first byte; without it STARTTLS is used."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None

    @property
    def needs_starttls(self) -> bool:
        """Whether to refuse a server that offers no STARTTLS: a password must not cross a network in the clear."""
        return not self.tls and self.password is not None and not _is_here(self.host)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom mails are from. ``name`` may be empty."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


def is_address(text: str) -> bool:
    """Whether the text is one plain e-mail address that may stand in a header."""
    return bool(_ADDRESS.fullmatch(text)) and text.isprintable() and len(text) <= LONGEST_ADDRESS


def read_smtp_url(url: str) -> SmtpServer:
    """What the URL names. Raises `ValueError` that says what was expected and never repeats the URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # The library's own words may hold a piece of the password.
        raise ValueError(f"cannot be read; {SMTP_EXPECTED}") from None
    if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"is no address of a mail server; {SMTP_EXPECTED}")
    if (parts.username is None) != (parts.password is None):
        raise ValueError(f"has a user without a password, or the reverse; {SMTP_EXPECTED}")
    user, password = _credentials(parts)
    return SmtpServer(host, port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)


def read_sender(text: str) -> Sender:
    """The name and address of ``MAIL_FROM``. Raises `ValueError` that says what was seen and expected."""
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    if not (is_address(address) and address.isascii() and text.isprintable()):
        raise ValueError(f"is {text!r}; {SENDER_EXPECTED}")
    return Sender(" ".join(name.split()), address)


def mail_misfits(smtp_url: str, resend_api_key: str, mail_from: str) -> list[str]:
    """All that is wrong with the settings of e-mails, each with what to do; no secret is repeated."""
    misfits = []
    if smtp_url and resend_api_key:
        misfits.append("SMTP_URL and RESEND_API_KEY are both set; expected one way to send mails; unset the other")
    if smtp_url:
        try:
            read_smtp_url(smtp_url)
        except ValueError as error:
            misfits.append(f"SMTP_URL {error}")
    if not (resend_api_key.isascii() and resend_api_key.isprintable()):
        misfits.append("RESEND_API_KEY holds a line end or a non-ASCII character; correct its value")
    if mail_from:
        try:
            read_sender(mail_from)
        except ValueError as error:
            misfits.append(f"MAIL_FROM {error}")
    elif smtp_url or resend_api_key:
        misfits.append(f"MAIL_FROM is not set, and mails are to be sent; {SENDER_EXPECTED}; set it")
    return misfits


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None or parts.password is None:
        return None, None
    return unquote(parts.username), unquote(parts.password)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
