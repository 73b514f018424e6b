"""A channel that resembles the target, as the stored creator: flat keys, and the ``creator`` part of other kinds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from platforms.normalise.facts import Document, Facts
from platforms.normalise.numbers import count, shortened
from platforms.normalise.text import safe_text
from platforms.normalise.youtube import PLATFORM, Channel, channel_of, facts_of, video_url
from platforms.normalise.youtube_hit import Hit, as_utc
from platforms.pages import Item
from platforms.profile import Profile, Provenance

MOST_VIDEOS: Final = 10
"""Videos kept of one channel."""


class FoundVideo(msgspec.Struct, frozen=True, rename="camel"):
    """A video that brought the channel up. ``views`` is 0 where the provider does not tell it."""

    id: str
    title: str
    url: str
    views: int
    published_time: str


class SimilarChannel(Document, frozen=True):
    """One result of a similar search."""

    id: str
    username: str
    handle: str
    full_name: str
    bio: str
    emails: list[str]
    social_links: list[str] = msgspec.field(name="socialLinks")
    profile_pic_url: str
    profile_url: str = msgspec.field(name="profileUrl")
    subscriber_count: str = msgspec.field(name="subscriberCount")
    """As pages show it, e.g. ``42.5K subscribers``; "" where it is unknown."""
    is_verified: bool
    videos: list[FoundVideo]
    creator: Channel
    search_keyword: str = msgspec.field(name="searchKeyword")
    platform: str
    search_type: str = msgspec.field(name="searchType")
    enhancement_status: str = msgspec.field(name="enhancementStatus")
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask: of the channel, and when its newest video found was published."""
        return facts_of(self.creator, self.provenance, max((one.published_time for one in self.videos), default=""))


def similar_channel(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> SimilarChannel:
    """The stored creator of one channel; ``item.raw`` is the tuple of its hits, best first."""
    hits: Sequence[Hit] = item.raw
    unknown: list[str] = []
    creator = channel_of(item, hits[0], profile, unknown)
    return SimilarChannel(
        id=creator.id,
        username=creator.handle or creator.id,
        handle=creator.handle,
        full_name=creator.name,
        bio=creator.bio,
        emails=creator.emails,
        social_links=creator.social_links,
        profile_pic_url=creator.avatar_url,
        profile_url=_profile_url(creator),
        subscriber_count="" if "creator.followers" in unknown else f"{shortened(creator.followers)} subscribers",
        is_verified=creator.verified,
        videos=[_video(hit) for hit in hits if hit.video_id][:MOST_VIDEOS],
        creator=creator,
        search_keyword=safe_text(hits[0].word),
        platform=PLATFORM,
        search_type="similar",
        enhancement_status=enhancement_status,
        provenance=msgspec.structs.replace(provenance, unknown=[*provenance.unknown, *unknown]),
    )


def by_channel(items: Sequence[Item]) -> tuple[Item, ...]:
    """A page's items as channels: each carries all hits of its channel, the channels with most hits and views first.

    A channel is there once for each of its hits, as a page tells it; the job keeps the first.
    """
    hits: dict[str, list[Hit]] = {}
    for item in items:
        known = hits.setdefault(item.key, [])
        if item.raw not in known:
            known.append(item.raw)
    ranked = {key: tuple(sorted(told, key=_views, reverse=True)) for key, told in hits.items()}
    channels = (replace(item, content_id=item.key, raw=ranked[item.key]) for item in items)
    return tuple(sorted(channels, key=lambda one: (len(one.raw), _views(one.raw[0])), reverse=True))


def _views(hit: Hit) -> int:
    return count(hit.views) or 0


def _video(hit: Hit) -> FoundVideo:
    return FoundVideo(
        id=safe_text(hit.video_id),
        title=safe_text(hit.title),
        url=safe_text(hit.url) or video_url(hit.video_id),
        views=_views(hit),
        published_time=as_utc(hit.published_time),
    )


def _profile_url(creator: Channel) -> str:
    if creator.handle:
        return f"https://www.youtube.com/@{creator.handle}"
    return f"https://www.youtube.com/channel/{creator.id}" if creator.id else ""
