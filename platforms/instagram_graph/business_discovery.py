"""Instagram profile by exact name: ``GET /{own account}?fields=business_discovery.username(...)``.

Only professional accounts are told. A personal account and a name that does not exist give the same error.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.instagram_graph.client import VERSION
from platforms.instagram_graph.endpoint import Endpoint
from platforms.normalise.instagram_hit import handle_of
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.pages import ACCOUNT, Item, Request, Response
from platforms.profile import Profile
from worker.errors import ShapeError

_FIELDS: Final = "username,name,biography,website,profile_picture_url,followers_count,follows_count,media_count"
_HANDLE = re.compile(r"[A-Za-z0-9._]{1,30}")
"""The name stands inside an expression, so nothing else may be in it."""


class Discovered(msgspec.Struct):
    """The account; what is empty is left out."""

    id: str | int | None = None
    username: str | None = None
    name: str | None = None
    biography: str | None = None
    website: str | None = None
    profile_picture_url: str | None = None
    followers_count: Any = None
    follows_count: Any = None
    media_count: Any = None


class DiscoveryAnswer(msgspec.Struct):
    """The answer; its own ``id`` is our account."""

    business_discovery: Discovered | None = None


_ANSWER = msgspec.json.Decoder(DiscoveryAnswer)


class BusinessDiscovery(Endpoint):
    """Looks one handle up."""

    endpoint = "business_discovery"
    most: Final = 1

    def wanted(self, item: Item) -> bool:
        """Whether there is a handle that Instagram could have."""
        return _HANDLE.fullmatch(item.handle) is not None

    def request(self, items: Sequence[Item]) -> Request:
        """The call for one handle."""
        fields = f"business_discovery.username({items[0].handle}){{{_FIELDS}}}"
        return Request(f"/{VERSION}/{ACCOUNT}", {"fields": fields})

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profile and its cost, one call.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_account``.
        """
        try:
            found = decode(_ANSWER, response.body).business_discovery
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_profile_shape", f"expected an Instagram account: {error}") from error
        if found is None:
            raise ShapeError("missing_account", "expected business_discovery with an account, seen none")
        return {items[0].key: _profile(found)}, self.credits


def _profile(found: Discovered) -> Profile:
    bio, link = safe_text(found.biography or ""), safe_text(found.website or "").strip()
    links = [link] if link else []
    return Profile(
        status="found",
        bio=bio,
        emails=emails(bio, links),
        followers=count(found.followers_count),
        avatar_url=safe_text(found.profile_picture_url or ""),
        links=links,
        handle=handle_of(found.username),
        name=safe_text(found.name or "").strip(),
        following=count(found.follows_count),
        posts=count(found.media_count),
    )
