"""YouTube channels like a target: the target's channel, then searches by what it is about.

YouTube has no list of similar channels. The channels that many videos of one topic belong to come first.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.youtube_hit import channel_id_of, handle_of
from platforms.normalise.youtube_similar import SimilarChannel, by_channel, similar_channel
from platforms.normalise.youtube_topics import topics
from platforms.outcome import ending_the_job
from platforms.pages import OPENED, Item, Page, Request, Response, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.youtube.channel import (
    ChannelEndpoint,
    ChannelLookup,
    channel_params,
    profile_of,
    read_channel,
    tags_of,
)
from platforms.scrapecreators.youtube.search import TopicSearch, read_page
from worker.errors import ShapeError


class Target(ChannelEndpoint):
    """The source of the first step: what the target is about. It holds no items and opens the searches."""

    rules = ending_the_job(TARGET_RULES)

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the target's channel."""
        return Request(f"/v1/{self.endpoint}", channel_params(walk.word))

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """A search for each topic; ended as ``no_related`` when the channel tells none. Raises as `ChannelLookup`."""
        answer = read_channel(response)
        profile = profile_of(answer)
        found = topics(profile.name, profile.handle, tags_of(answer), profile.bio)
        channel = channel_id_of(answer.channel_id)
        return Page(
            ended=True,
            end_reason=OPENED if found else "no_related",
            walks=tuple(start_walk("topic", topic, channel) for topic in found),
            step=True,
            credits=credits_of(answer, self.credits),
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """A step has no items. Always raises `ShapeError` (``no_items``)."""
        raise ShapeError("no_items", "the target's channel holds no items")


class RelatedChannels(TopicSearch):
    """The source of the searches: whose videos they find, without the target."""

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page's channels, best first; the target is dropped. Raises as `KeywordSearch.parse`."""
        page = read_page(response, self.credits, walk.word)
        others = [item for item in page.items if not _is_target(item, query, walk)]
        return replace(page, items=by_channel(others), dropped=page.dropped + len(page.items) - len(others))

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One item set aside earlier, as a channel with one video; None for the target."""
        item = super().reread(raw, query, walk)
        return by_channel([item])[0] if item and not _is_target(item, query, walk) else None


def _is_target(item: Item, query: Query, walk: Walk) -> bool:
    handle = handle_of(query.target_username).casefold()
    return item.creator_id == walk.start or (bool(handle) and item.handle.casefold() == handle)


class YouTubeSimilar:
    """The adapter. Topics are read again where a saved walk is of another version."""

    capability: Final = Capability(
        platform="youtube",
        kind=SearchKind.SIMILAR,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"target": Target(), "topic": RelatedChannels()}
    profiles: Final = ChannelLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """The target's channel."""
        return (start_walk("target", query.target_username or "", ""),)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> SimilarChannel:
        """The creator JSON of one channel."""
        return similar_channel(item, profile, enhancement_status, provenance)
