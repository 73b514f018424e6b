"""Who may use the HTTP API, as ``API_TOKENS`` says; read by the console alone.

A worker does not refuse to start because of it, so it is not among `worker.settings.Settings`.
"""

import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import ConfigurationError
from worker.settings import ROOT

SCOPES: Final = ("read", "enqueue", "control")
"""What a token may be for: looking, putting jobs in, and cancelling and retrying them."""
SHORTEST_TOKEN: Final = 20
EXPECTED: Final = "expected entries name:scope+scope:token with commas between, such as app:read+enqueue:<token>"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,18}")
"""Shorter than any token, so that one that stands in a name's place is never repeated in an error."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What may follow ``Bearer`` in a header, by RFC 6750."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One entry. Two may have one name, so that a token is replaced without a gap."""

    name: str
    scopes: frozenset[str]
    digest: bytes = field(repr=False)
    """SHA-256 of the token, so that comparing takes as long for every length."""


class ApiSettings(BaseSettings):
    """The settings of the HTTP API, from the environment or ``.env``."""

    model_config = SettingsConfigDict(
        env_file=os.environ.get("TRAWLER_ENV_FILE", str(ROOT / ".env")) or None,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    api_tokens: SecretStr = Field(SecretStr(""), validation_alias="API_TOKENS")
    """``name:scope+scope:token`` entries with commas between; empty turns the API off."""

    @cached_property
    def tokens(self) -> tuple[ApiToken, ...]:
        """The entries. Raises `ConfigurationError` when one is wrong."""
        return read_tokens(self.api_tokens.get_secret_value())


def load_api_settings(**overrides: object) -> ApiSettings:
    """Read them. Raises `ConfigurationError` that names every wrong entry and what it should hold."""
    settings = ApiSettings(**overrides)  # type: ignore[arg-type]  # checked like the environment
    _ = settings.tokens
    return settings


def read_tokens(text: str) -> tuple[ApiToken, ...]:
    """The entries of ``API_TOKENS``. Raises `ConfigurationError` that tells all that is wrong, and repeats no token."""
    tokens: list[ApiToken] = []
    misfits: list[str] = []
    for number, entry in enumerate(filter(None, (one.strip() for one in text.split(","))), 1):
        name, scopes, token = (part.strip() for part in (*entry.split(":", 2), "", "")[:3])
        asked = frozenset(filter(None, (scope.strip() for scope in scopes.split("+"))))
        misfits += [f"API_TOKENS: entry {number} {wrong}" for wrong in _misfits(entry, name, asked, token)]
        digest = digest_of(token)
        if any(hmac.compare_digest(digest, other.digest) for other in tokens):
            misfits.append(f"API_TOKENS: entry {number} has the token of another one; expected one of its own")
        tokens.append(ApiToken(name, asked, digest))
    if misfits:
        told = "\n".join(f"  {misfit}" for misfit in misfits)
        raise ConfigurationError(f"settings are wrong; mend them in the environment or in .env:\n{told}")
    return tuple(tokens)


def digest_of(token: str) -> bytes:
    """What is kept of a token, and compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _misfits(entry: str, name: str, scopes: frozenset[str], token: str) -> list[str]:
    if entry.count(":") < 2:
        # Not repeated: what stands there may be a token alone.
        return [f"has {entry.count(':')} colons; {EXPECTED}; correct it"]
    if not _NAME.fullmatch(name):
        expected = "up to 19 letters, digits, '.', '_' or '-' before the first colon"
        return [f"has no name that can be told; expected {expected}; correct it"]
    misfits = []
    known = ", ".join(SCOPES)
    if not scopes or scopes - set(SCOPES):
        wrong = "a scope that there is not" if scopes else "no scope"
        misfits.append(f"({name}) has {wrong}; expected some of {known}, with + between; correct it")
    if len(token) < SHORTEST_TOKEN:
        misfits.append(
            f"({name}) has a token of {len(token)} characters; expected {SHORTEST_TOKEN} or more; "
            'make one with python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    elif not _TOKEN.fullmatch(token):
        misfits.append(
            f"({name}) has a token with a character that a header cannot carry; expected letters, digits and -._~+/= "
            "only; make another"
        )
    return misfits
