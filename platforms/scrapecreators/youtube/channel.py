"""YouTube channel: ``GET /v1/youtube/channel``. It tells what searches lack: subscribers, description, links, e-mail.

Beside ``links`` the answer holds a key for each link's title (``store``, ``check_us_out_on_x_(twitter)``): names
anybody can choose, so none of them is read, and a key of ours that a link took over is as good as missing.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.normalise.text import emails, safe_text
from platforms.normalise.youtube_hit import CHANNEL_ID, channel_id_of, first_count, handle_of, largest_picture
from platforms.normalise.youtube_topics import comma_separated
from platforms.pages import Item, Request, Response
from platforms.profile import Profile
from platforms.scrapecreators.client import NOT_JSON, Answer, said, told
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError


class Size(msgspec.Struct):
    """One size of a picture."""

    url: str | None = None
    width: Any = None


class Image(msgspec.Struct):
    """A picture in several sizes."""

    sources: list[Size] | None = None


class Avatar(msgspec.Struct):
    """The channel's picture; an object, not a link."""

    image: Image | None = None


class ChannelAnswer(Answer, rename="camel"):
    """The answer. Counts are rounded to three digits; older answers have some of them as text only."""

    channel_id: str | None = None
    handle: str | None = None
    name: str | None = None
    avatar: Avatar | str | None = None
    description: str | None = None
    email: Any = None
    links: Any = None
    country: Any = None
    tags: Any = None
    keywords: Any = None
    joined_date_text: str | None = None
    is_verified: bool | None = None
    subscriber_count: Any = None
    subscriber_count_text: Any = None
    video_count: Any = None
    video_count_text: Any = None
    view_count: Any = None
    view_count_text: Any = None
    # These two are not in camel case in the answer.
    credits_remaining: Any = msgspec.field(default=None, name="credits_remaining")
    credits_charged: Any = msgspec.field(default=None, name="credits_charged")


_ANSWER = msgspec.json.Decoder(ChannelAnswer)


class ChannelEndpoint(Endpoint):
    """What the look-up of a channel and the first step of a similar search share."""

    endpoint = "youtube/channel"

    def charged(self, response: Response) -> int:
        """What an answer that is no channel cost: a channel that does not exist is charged like one that does."""
        if response.status == 404 and not told(response).startswith(NOT_JSON):
            return max(super().charged(response), self.credits)
        return super().charged(response)


class ChannelLookup(ChannelEndpoint):
    """Looks one channel up, by its id where that is known."""

    rules = TARGET_RULES
    most: Final = 1

    def wanted(self, item: Item) -> bool:
        """Whether there is an id or a handle to ask for."""
        return bool(item.creator_id or item.handle)

    def request(self, items: Sequence[Item]) -> Request:
        """The call for one channel."""
        return Request(f"/v1/{self.endpoint}", channel_params(items[0].creator_id or items[0].handle))

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profile and its cost in credits.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_channel``.
        """
        answer = read_channel(response)
        return {items[0].key: profile_of(answer)}, credits_of(answer, self.credits)


def channel_params(target: str) -> dict[str, str]:
    """The parameter for a channel id or a handle: an id given as a handle is a 404, and charged."""
    return {"channelId": target} if CHANNEL_ID.fullmatch(target) else {"handle": target}


def read_channel(response: Response) -> ChannelAnswer:
    """The channel in an answer. Raises `ShapeError` as `ChannelLookup.parse`."""
    try:
        answer = decode(_ANSWER, response.body)
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_profile_shape", f"expected a YouTube channel: {error}") from error
    if not channel_id_of(answer.channel_id):
        raise ShapeError("missing_channel", f"expected a channel with a channelId, seen none ({said(answer)})")
    return answer


def profile_of(answer: ChannelAnswer) -> Profile:
    """The profile that a channel's answer tells."""
    bio = safe_text(answer.description or "")
    links = [safe_text(link).strip() for link in _texts(answer.links)]
    image = answer.avatar.image if isinstance(answer.avatar, Avatar) else None
    sizes = (image.sources if image else None) or []
    return Profile(
        status="found",
        bio=bio,
        emails=emails(f"{_text(answer.email)}\n{bio}", links),
        verified=answer.is_verified,
        followers=first_count(answer.subscriber_count, answer.subscriber_count_text),
        avatar_url=largest_picture([(size.url, size.width) for size in sizes]),
        links=links,
        handle=handle_of(answer.handle),
        name=safe_text(answer.name or "").strip(),
        posts=first_count(answer.video_count, answer.video_count_text),
        views=first_count(answer.view_count, answer.view_count_text),
        country=_text(answer.country),
        joined=safe_text(answer.joined_date_text or "").strip(),
    )


def tags_of(answer: ChannelAnswer) -> list[str]:
    """The channel's own search words: ``tags`` in one string, ``keywords`` as a list in newer answers."""
    return [*comma_separated(_text(answer.tags)), *_texts(answer.keywords)]


def _text(told: object) -> str:
    """A key's text; "" for another type, and for the address of a link that took the key over."""
    text = safe_text(told).strip() if isinstance(told, str) else ""
    return "" if text.startswith(("http://", "https://")) else text


def _texts(told: object) -> list[str]:
    return [one for one in told if isinstance(one, str) and one.strip()] if isinstance(told, list) else []
