"""TikTok profile: ``GET /v1/tiktok/profile``. It tells what search results lack: bio, link, verified, exact counts.

A private or deactivated account is a 200 with a flag and no ``user`` (recorded answers, July 2025).
"""

from typing import Any, Final

import msgspec

from platforms.contract import Profile, Request, Response
from platforms.decoding import decode
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.normalise.tiktok import is_jpeg
from platforms.outcome import Judgement, judge_by
from platforms.scrapecreators.client import Answer, said, told
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import CREDITS, credits_of
from worker.errors import ShapeError

ENDPOINT: Final = "tiktok/profile"


class BioLink(msgspec.Struct):
    """The one link of a profile, often without a scheme."""

    link: str | None = None


class User(msgspec.Struct, rename="camel"):
    """The account. Each avatar is one signed link."""

    signature: str | None = None
    verified: bool | None = None
    bio_link: BioLink | None = None
    avatar_larger: str | None = None
    avatar_medium: str | None = None
    avatar_thumb: str | None = None


class Stats(msgspec.Struct, rename="camel"):
    """Counts: ``stats`` holds rounded numbers that can overflow, ``statsV2`` exact ones as text."""

    follower_count: Any = None


class ProfileAnswer(Answer):
    """The answer, in its three forms."""

    user: User | None = None
    stats: Stats | None = None
    stats_v2: Stats | None = msgspec.field(default=None, name="statsV2")
    account_private: Any = None
    account_deactivated: Any = None


_ANSWER = msgspec.json.Decoder(ProfileAnswer)


class TikTokProfile:
    """Looks one handle up."""

    credits: Final = CREDITS[ENDPOINT]

    def request(self, handle: str) -> Request:
        """The call for one handle, without ``@``."""
        return Request(f"/v1/{ENDPOINT}", {"handle": handle})

    def judge(self, response: Response) -> Judgement:
        """What the answer means. Never raises."""
        return judge_by(TARGET_RULES, response.status, told(response), response.headers)

    def parse(self, response: Response) -> tuple[Profile, int]:
        """The profile and its cost in credits. An account flagged private that still tells its profile is ``found``.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_user``.
        """
        try:
            answer = decode(_ANSWER, response.body)
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_profile_shape", f"expected a TikTok profile: {error}") from error
        cost = credits_of(answer, ENDPOINT)
        if answer.user is not None:
            return _found(answer.user, answer), cost
        if answer.account_deactivated is True:
            return Profile(status="gone"), cost
        if answer.account_private is True:
            return Profile(status="private"), cost
        raise ShapeError("missing_user", f"expected user, account_private or account_deactivated ({said(answer)})")


def _found(user: User, answer: ProfileAnswer) -> Profile:
    bio = safe_text(user.signature or "")
    link = safe_text((user.bio_link and user.bio_link.link) or "").strip()
    links = [link] if link else []
    exact = count(answer.stats_v2.follower_count) if answer.stats_v2 else None
    rounded = count(answer.stats.follower_count) if answer.stats else None
    avatars = [url for url in (user.avatar_medium, user.avatar_larger, user.avatar_thumb) if url]
    return Profile(
        status="found",
        bio=bio,
        emails=emails(bio, links),
        verified=user.verified,
        followers=rounded if exact is None else exact,
        avatar_url=safe_text(next((url for url in avatars if is_jpeg(url)), avatars[0] if avatars else "")),
        links=links,
    )
