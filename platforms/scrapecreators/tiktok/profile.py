"""TikTok profile: ``GET /v1/tiktok/profile``. It tells what search results lack: bio, link, verified, exact counts.

A private or deactivated account is a 200 with a flag and no ``user`` (recorded answers, July 2025).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.normalise.tiktok import is_jpeg
from platforms.pages import Item, Request, Response
from platforms.profile import Profile
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError


class BioLink(msgspec.Struct):
    """The one link of a profile, often without a scheme."""

    link: str | None = None


class User(msgspec.Struct, rename="camel"):
    """The account. Each avatar is one signed link."""

    id: str | None = None
    unique_id: str | None = None
    nickname: str | None = None
    private_account: Any = None
    region: str | None = None
    signature: str | None = None
    verified: bool | None = None
    bio_link: BioLink | None = None
    avatar_larger: str | None = None
    avatar_medium: str | None = None
    avatar_thumb: str | None = None


class Stats(msgspec.Struct, rename="camel"):
    """Counts: ``stats`` holds rounded numbers that can overflow, ``statsV2`` exact ones as text."""

    follower_count: Any = None
    following_count: Any = None
    video_count: Any = None
    heart_count: Any = None


class ProfileAnswer(Answer):
    """The answer, in its three forms."""

    user: User | None = None
    stats: Stats | None = None
    stats_v2: Stats | None = msgspec.field(default=None, name="statsV2")
    account_private: Any = None
    account_deactivated: Any = None


_ANSWER = msgspec.json.Decoder(ProfileAnswer)


class ProfileLookup(Endpoint):
    """Looks one handle up."""

    endpoint = "tiktok/profile"
    rules = TARGET_RULES
    most: Final = 1

    def wanted(self, item: Item) -> bool:
        """Whether there is a handle to ask for."""
        return bool(item.handle)

    def request(self, items: Sequence[Item]) -> Request:
        """The call for one handle, without ``@``."""
        return Request(f"/v1/{self.endpoint}", {"handle": items[0].handle})

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profile and its cost in credits. An account flagged private that still tells its profile is ``found``.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_user``.
        """
        profile, cost = read_profile(response, self.credits)
        return {items[0].key: profile}, cost


def read_answer(response: Response) -> ProfileAnswer:
    """A profile's answer in any of its forms. Raises `ShapeError` (``not_json``, ``wrong_profile_shape``)."""
    try:
        return decode(_ANSWER, response.body)
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_profile_shape", f"expected a TikTok profile: {error}") from error


def read_profile(response: Response, listed: int) -> tuple[Profile, int]:
    """The profile in an answer, and its cost; ``listed`` is the list price. Raises `ShapeError` as `ProfileLookup`."""
    answer = read_answer(response)
    cost = credits_of(answer, listed)
    if answer.user is not None:
        return _found(answer.user, answer), cost
    if answer.account_deactivated is True:
        return Profile(status="gone"), cost
    if answer.account_private is True:
        return Profile(status="private"), cost
    raise ShapeError("missing_user", f"expected user, account_private or account_deactivated ({said(answer)})")


def followers_of(answer: ProfileAnswer) -> int | None:
    """The exact count where it is told, else the rounded one."""
    return _exact(answer, lambda stats: stats.follower_count)


def _exact(answer: ProfileAnswer, one: Callable[[Stats], Any]) -> int | None:
    exact = count(one(answer.stats_v2)) if answer.stats_v2 else None
    rounded = count(one(answer.stats)) if answer.stats else None
    return rounded if exact is None else exact


def _found(user: User, answer: ProfileAnswer) -> Profile:
    bio = safe_text(user.signature or "")
    link = safe_text((user.bio_link and user.bio_link.link) or "").strip()
    links = [link] if link else []
    avatars = [url for url in (user.avatar_medium, user.avatar_larger, user.avatar_thumb) if url]
    return Profile(
        status="found",
        bio=bio,
        emails=emails(bio, links),
        verified=user.verified,
        followers=followers_of(answer),
        avatar_url=safe_text(next((url for url in avatars if is_jpeg(url)), avatars[0] if avatars else "")),
        links=links,
        handle=safe_text(user.unique_id or "").strip(),
        name=safe_text(user.nickname or "").strip(),
        following=_exact(answer, lambda stats: stats.following_count),
        posts=_exact(answer, lambda stats: stats.video_count),
        likes=_exact(answer, lambda stats: stats.heart_count),
        country=safe_text(user.region or "").strip().upper(),
    )
