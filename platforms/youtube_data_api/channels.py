"""YouTube channels: ``GET /youtube/v3/channels``, one quota unit for at most 50 of them.

They come back in another order, and those that do not exist are left out; with none at all the list itself is.
Numbers are text. There is no e-mail but in the description.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.normalise.youtube_hit import CHANNEL_ID, channel_id_of, handle_of
from platforms.normalise.youtube_topics import space_separated
from platforms.pages import Item, Request, Response
from platforms.profile import Profile
from platforms.youtube_data_api.endpoint import Endpoint
from platforms.youtube_data_api.results import Picture, pictures
from worker.errors import ShapeError

LIST_KIND: Final = "youtube#channelListResponse"
_PARTS: Final = "snippet,statistics,brandingSettings"


class Snippet(msgspec.Struct, rename="camel"):
    """``customUrl`` is the handle, with ``@`` or, in old answers, without."""

    title: str | None = None
    description: str | None = None
    custom_url: str | None = None
    published_at: str | None = None
    country: str | None = None
    thumbnails: dict[str, Picture | None] | None = None


class Statistics(msgspec.Struct, rename="camel"):
    """``subscriberCount`` means nothing where it is hidden."""

    subscriber_count: Any = None
    hidden_subscriber_count: Any = None
    view_count: Any = None
    video_count: Any = None


class Branding(msgspec.Struct):
    """The channel's own search words, separated by spaces, phrases in quotes."""

    keywords: str | None = None


class BrandingSettings(msgspec.Struct):
    """What the owner set."""

    channel: Branding | None = None


class Channel(msgspec.Struct, rename="camel"):
    """One channel."""

    id: str
    snippet: Snippet | None = None
    statistics: Statistics | None = None
    branding_settings: BrandingSettings | None = None


class ChannelList(msgspec.Struct):
    """The answer."""

    kind: Any = None
    items: list[Channel] | None = None


_ANSWER = msgspec.json.Decoder(ChannelList)


class ChannelLookup(Endpoint):
    """Looks up to 50 channels up at once, by their ids."""

    endpoint = "youtube/v3/channels"
    most: Final = 50

    def wanted(self, item: Item) -> bool:
        """Whether there is an id to ask for."""
        return CHANNEL_ID.fullmatch(item.creator_id) is not None

    def request(self, items: Sequence[Item]) -> Request:
        """The call for these channels."""
        ids = dict.fromkeys(item.creator_id for item in items)
        return Request(f"/{self.endpoint}", {"part": _PARTS, "id": ",".join(ids), "maxResults": str(self.most)})

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profiles told, and the cost in units; a channel that is left out is gone.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_list``.
        """
        found = {channel.id: profile_of(channel) for channel in read_channels(response)}
        return {item.key: found[item.creator_id] for item in items if item.creator_id in found}, self.credits


def target_request(endpoint: str, target: str) -> Request:
    """The call for one channel by its id or handle."""
    selector = "id" if CHANNEL_ID.fullmatch(target) else "forHandle"
    return Request(f"/{endpoint}", {"part": _PARTS, selector: target})


def read_channels(response: Response) -> list[Channel]:
    """The channels in an answer. Raises `ShapeError` as `ChannelLookup.parse`."""
    try:
        answer = decode(_ANSWER, response.body)
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_profile_shape", f"expected a list of YouTube channels: {error}") from error
    if answer.items is None and answer.kind != LIST_KIND:
        raise ShapeError("missing_list", f"expected items or the kind {LIST_KIND}, seen neither")
    return [channel for channel in answer.items or () if channel_id_of(channel.id)]


def profile_of(channel: Channel) -> Profile:
    """The profile that a channel tells."""
    snippet, told = channel.snippet or Snippet(), channel.statistics or Statistics()
    bio = safe_text(snippet.description or "")
    hidden = told.hidden_subscriber_count is True
    return Profile(
        status="found",
        bio=bio,
        emails=emails(bio),
        followers=None if hidden else count(told.subscriber_count),
        avatar_url=pictures(snippet.thumbnails),
        handle=handle_of(snippet.custom_url),
        name=safe_text(snippet.title or "").strip(),
        posts=count(told.video_count),
        views=count(told.view_count),
        country=safe_text(snippet.country or "").strip(),
        joined=safe_text(snippet.published_at or ""),
    )


def tags_of(channel: Channel) -> list[str]:
    """The channel's own search words."""
    branding = channel.branding_settings and channel.branding_settings.channel
    return space_separated((branding and branding.keywords) or "")
