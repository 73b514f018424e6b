"""What the settings of an S3-compatible store say, judged when a job wants it.

The names are those that all tools of such stores read, so that an environment may hold them for another tool's sake:
no process refuses to start for what they hold.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""It becomes a part of a host's name."""
ENDPOINT_EXPECTED: Final = (
    "expected https://host:port with nothing behind it, or nothing for the store of AWS; correct it"
)


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """How to reach a store. ``endpoint`` is empty for the store of AWS; ``seconds`` is its longest silence.

    ``ca_bundle`` is a file with certificates of authorities, in place of the public ones; empty where those serve.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    region: str
    endpoint: str
    ca_bundle: str
    seconds: float

    def without_secrets(self, text: str) -> str:
        """The text without the credentials, wherever it repeats them."""
        for secret in (self.secret, self.token, self.key_id):
            text = text.replace(secret, "[cut]") if secret else text
        return text


def store_misfits(access: StoreAccess, http_allowed: bool) -> list[str]:
    """All that is wrong with the settings of the store, each with what to do; no secret is repeated."""
    misfits = []
    for name, value in (("AWS_ACCESS_KEY_ID", access.key_id), ("AWS_SECRET_ACCESS_KEY", access.secret)):
        if not value:
            misfits.append(f"{name} is not set; expected the store's; set it")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", access.key_id),
        ("AWS_SECRET_ACCESS_KEY", access.secret),
        ("AWS_SESSION_TOKEN", access.token),
    ):
        if not (value.isascii() and value.isprintable()) or " " in value:
            misfits.append(f"{name} holds a blank, a line end or a non-ASCII character; correct its value")
    if not REGION.fullmatch(access.region):
        misfits.append(f"AWS_REGION is {access.region!r}; expected a region's name, such as us-east-1; correct it")
    if access.ca_bundle and not Path(access.ca_bundle).is_file():
        misfits.append(f"AWS_CA_BUNDLE is {access.ca_bundle!r}; expected a file of PEM certificates; correct it")
    if access.endpoint:
        misfits += _endpoint_misfits(access.endpoint, http_allowed)
    return misfits


def _endpoint_misfits(endpoint: str, http_allowed: bool) -> list[str]:
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [f"AWS_ENDPOINT_URL cannot be read; {ENDPOINT_EXPECTED}"]
    if parts.username is not None or parts.password is not None:
        return [f"AWS_ENDPOINT_URL holds a user; {ENDPOINT_EXPECTED}"]
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        return [f"AWS_ENDPOINT_URL is {endpoint!r}; {ENDPOINT_EXPECTED}"]
    if parts.scheme == "http" and not http_allowed and not _is_here(host):
        told = f"AWS_ENDPOINT_URL is {endpoint!r}, so that creators would cross the network unencrypted; expected https"
        return [f"{told}; change it, or set TRAWLER_OBJECT_STORE_HTTP=true where the network is your own"]
    return []


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
