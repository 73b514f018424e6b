"""What the settings of the console say, read by the console alone, and whether they fit each other.

A worker does not refuse to start because of them, so they are not among `worker.settings.Settings`.
"""

import os
import re
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import ConfigurationError
from worker.settings import ROOT

SHORTEST_PASSWORD: Final = 8
SHORTEST_SECRET: Final = 32
_SOURCE: Final = re.compile(r"https://(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?")
"""What may stand in a Content-Security-Policy: a host, or all below one."""


class ConsoleSettings(BaseSettings):
    """The settings of the console, each ``CONSOLE_...`` in the environment or ``.env``."""

    model_config = SettingsConfigDict(
        env_prefix="CONSOLE_",
        env_file=os.environ.get("TRAWLER_ENV_FILE", str(ROOT / ".env")) or None,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    host: str = "127.0.0.1"
    """The address it listens on. Beyond this machine it needs a password or an API token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8600
    """0 takes a free one, which the log names."""
    with_up: bool = True
    """Whether `./run up` starts it."""
    password: SecretStr = SecretStr("")
    """Who knows it may see and change everything."""
    read_password: SecretStr = SecretStr("")
    """Who knows it may see everything and change nothing."""
    session_secret: SecretStr = SecretStr("")
    """Signs the cookies of sessions; empty makes one up at each start, so that a restart logs everybody out."""
    session_hours: Annotated[float, Field(gt=0, le=720, allow_inf_nan=False)] = 12
    """After this a login is asked for again."""
    allowed_hosts: str = ""
    """Names by which browsers may ask for it, with commas between; empty is any where a password is set."""
    trusted_proxies: str = ""
    """Addresses whose X-Forwarded-For and X-Forwarded-Proto count, with commas between; empty is none."""
    picture_hosts: str = ""
    """Where browsers may load pictures of creators from, as ``https://*.cdn.example``, with blanks between."""
    export_to: str = ""
    """Where exports go that are asked for here: a folder or ``s3://bucket/prefix``; empty is below TRAWLER_HOME."""

    @cached_property
    def secured(self) -> bool:
        """Whether a page asks who is there."""
        return bool(self.password.get_secret_value() or self.read_password.get_secret_value())

    @cached_property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The names that are allowed; none when any is."""
        return tuple(name.strip().casefold() for name in self.allowed_hosts.split(",") if name.strip())

    @cached_property
    def picture_sources(self) -> tuple[str, ...]:
        """Hosts of pictures, as a Content-Security-Policy names them."""
        return tuple(self.picture_hosts.split())


def load_console_settings(**overrides: object) -> ConsoleSettings:
    """Read them. Raises `ConfigurationError` that names every wrong variable and what it should hold."""
    try:
        settings = ConsoleSettings(**overrides)  # type: ignore[arg-type]  # checked like the environment
    except ValidationError as error:
        told = "\n".join(f"  CONSOLE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"settings are wrong; mend them in the environment or in .env:\n{told}") from None
    if misfits := console_misfits(settings):
        told = "\n".join(f"  {misfit}" for misfit in misfits)
        raise ConfigurationError(f"settings are wrong; mend them in the environment or in .env:\n{told}")
    return settings


def console_misfits(settings: ConsoleSettings) -> list[str]:
    """All that is wrong, each with what to do; no secret is repeated."""
    misfits = []
    password, reader = settings.password.get_secret_value(), settings.read_password.get_secret_value()
    for name, value in (("CONSOLE_PASSWORD", password), ("CONSOLE_READ_PASSWORD", reader)):
        if value and len(value) < SHORTEST_PASSWORD:
            misfits.append(f"{name} is {len(value)} characters long; expected {SHORTEST_PASSWORD} or more; lengthen it")
    if password and password == reader:
        misfits.append("CONSOLE_READ_PASSWORD is the same as CONSOLE_PASSWORD; expected another; change one of them")
    secret = settings.session_secret.get_secret_value()
    if secret and len(secret) < SHORTEST_SECRET:
        misfits.append(
            f"CONSOLE_SESSION_SECRET is {len(secret)} characters long; expected {SHORTEST_SECRET} or more; lengthen it"
        )
    addresses = [one.strip() for one in settings.trusted_proxies.split(",") if one.strip()]
    misfits += [
        f"CONSOLE_TRUSTED_PROXIES names {address!r}; expected IP addresses; correct it"
        for address in addresses
        if not _is_address(address)
    ]
    misfits += [
        f"CONSOLE_PICTURE_HOSTS names {source!r}; expected https://host or https://*.host, blanks between; correct it"
        for source in settings.picture_sources
        if not _SOURCE.fullmatch(source)
    ]
    if settings.export_to and not settings.export_to.startswith(("/", "s3://")):
        misfits.append(
            f"CONSOLE_EXPORT_TO is {settings.export_to!r}; expected a folder's absolute path or s3://bucket/prefix"
        )
    return misfits


def exposure_misfit(settings: ConsoleSettings, *, has_api_tokens: bool) -> str | None:
    """Why it may not listen where it is told to; None when it may."""
    if settings.on_loopback or settings.secured or has_api_tokens:
        return None
    return (
        f"CONSOLE_HOST is {settings.host!r}, which others than this machine can reach, and nothing keeps them out; "
        "expected CONSOLE_PASSWORD or an API token beside it; set one, or CONSOLE_HOST=127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
