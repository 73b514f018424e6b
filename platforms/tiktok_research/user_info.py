"""A TikTok account by its handle: ``POST /v2/research/user/info/``. It tells what video queries lack."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.pages import Item, Request, Response
from platforms.profile import Profile
from platforms.tiktok_research.client import Answer
from platforms.tiktok_research.endpoint import Endpoint
from platforms.tiktok_research.outcomes import USER_RULES
from worker.errors import ShapeError

FIELDS: Final = (
    "display_name,bio_description,bio_url,avatar_url,is_verified,follower_count,following_count,likes_count,video_count"
)


class User(msgspec.Struct):
    """The account; any field may be missing."""

    display_name: str | None = None
    bio_description: str | None = None
    bio_url: str | None = None
    avatar_url: str | None = None
    is_verified: bool | None = None
    follower_count: Any = None
    following_count: Any = None
    likes_count: Any = None
    video_count: Any = None


class UserAnswer(Answer):
    """The answer; its account is flat."""

    data: User | None = None


_ANSWER = msgspec.json.Decoder(UserAnswer)


class UserInfo(Endpoint):
    """Looks one handle up."""

    endpoint = "research/user/info"
    rules = USER_RULES
    most: Final = 1

    def wanted(self, item: Item) -> bool:
        """Whether there is a handle to ask for."""
        return bool(item.handle)

    def request(self, items: Sequence[Item]) -> Request:
        """The call for one handle, without ``@``."""
        return Request(f"/v2/{self.endpoint}/", {"fields": FIELDS}, msgspec.json.encode({"username": items[0].handle}))

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profile and what it took of the quota.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_user``.
        """
        try:
            user = decode(_ANSWER, response.body).data
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_profile_shape", f"expected a TikTok account: {error}") from error
        if user is None or user == User():
            raise ShapeError("missing_user", "expected data with an account, seen none")
        bio, link = safe_text(user.bio_description or ""), safe_text(user.bio_url or "").strip()
        links = [link] if link else []
        profile = Profile(
            status="found",
            bio=bio,
            emails=emails(bio, links),
            verified=user.is_verified,
            followers=count(user.follower_count),
            avatar_url=safe_text(user.avatar_url or ""),
            links=links,
            handle=items[0].handle,
            name=safe_text(user.display_name or "").strip(),
            following=count(user.following_count),
            posts=count(user.video_count),
            likes=count(user.likes_count),
        )
        return {items[0].key: profile}, self.credits
