"""Instagram profile: ``GET /v1/instagram/profile``. It tells bio, links, business e-mail, exact counts.

The answer also holds the related profiles, which `related` reads. An account that does not exist is a 404, or a 200
whose ``user`` is null.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.normalise.instagram_hit import Hit, handle_of
from platforms.normalise.instagram_similar import flag
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.pages import Item, Request, Response
from platforms.profile import Profile
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.instagram.links import BioLink, links_of
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError


class Counted(msgspec.Struct):
    """A list of which only the count is read."""

    count: Any = None


class User(msgspec.Struct):
    """The account. A private one tells all of this too."""

    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    bio_links: list[BioLink] | None = None
    external_url: str | None = None
    business_email: str | None = None
    category_name: str | None = None
    is_verified: Any = None
    profile_pic_url: str | None = None
    profile_pic_url_hd: str | None = None
    edge_followed_by: Counted | None = None
    edge_follow: Counted | None = None
    edge_owner_to_timeline_media: Counted | None = None


class Data(msgspec.Struct):
    """``user`` is null for an account that does not exist."""

    user: User | None


class ProfileAnswer(Answer):
    """The answer."""

    data: Data | None = None


_ANSWER = msgspec.json.Decoder(ProfileAnswer)


class ProfileLookup(Endpoint):
    """Looks one handle up."""

    endpoint = "instagram/profile"
    rules = TARGET_RULES
    most: Final = 1

    def wanted(self, item: Item) -> bool:
        """Whether there is a handle to ask for, and more to learn than the search told."""
        hit: Hit = item.raw
        return bool(item.handle) and not hit.whole

    def request(self, items: Sequence[Item]) -> Request:
        """The call for one handle, without ``@``."""
        return Request(f"/v1/{self.endpoint}", {"handle": items[0].handle})

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profile and its cost in credits.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_user``.
        """
        try:
            answer = decode(_ANSWER, response.body)
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_profile_shape", f"expected an Instagram profile: {error}") from error
        if answer.data is None:
            raise ShapeError("missing_user", f"expected data.user, seen no data ({said(answer)})")
        user = answer.data.user
        profile = Profile(status="gone") if user is None else _found(user)
        return {items[0].key: profile}, credits_of(answer, self.credits)


def _found(user: User) -> Profile:
    bio = safe_text(user.biography or "")
    links = links_of(user.bio_links, user.external_url)
    return Profile(
        status="found",
        bio=bio,
        emails=emails(f"{safe_text(user.business_email or '')}\n{bio}", links),
        verified=flag(user.is_verified),
        followers=_told(user.edge_followed_by),
        avatar_url=safe_text(user.profile_pic_url or user.profile_pic_url_hd or ""),
        links=links,
        handle=handle_of(user.username),
        name=safe_text(user.full_name or "").strip(),
        following=_told(user.edge_follow),
        posts=_told(user.edge_owner_to_timeline_media),
        category=safe_text(user.category_name or ""),
    )


def _told(counted: Counted | None) -> int | None:
    return count(counted.count) if counted else None
