"""YouTube channels like a target through the platform's own interface: its channel, then searches by its topics.

There is no call for similar channels. Each search costs 100 of a project's 10,000 units a day.
"""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.youtube_similar import SimilarChannel, similar_channel
from platforms.normalise.youtube_topics import topics
from platforms.outcome import Judgement, Outcome, ending_the_job
from platforms.pages import OPENED, Item, Page, Request, Response, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.youtube_data_api.channels import ChannelLookup, profile_of, read_channels, tags_of, target_request
from platforms.youtube_data_api.client import PROVIDER
from platforms.youtube_data_api.endpoint import Endpoint
from platforms.youtube_data_api.outcomes import RULES
from platforms.youtube_data_api.search import TopicSearch
from worker.errors import ShapeError

GONE: Final = Judgement(Outcome.STOP_JOB, "not_found", "YouTube has no channel of this handle or id")
"""A target that does not exist is a 200 without items."""


class Target(Endpoint):
    """The source of the first step: what the target is about. It holds no items and opens the searches."""

    endpoint = "youtube/v3/channels"
    rules = ending_the_job(RULES)

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the target's channel."""
        return target_request(self.endpoint, walk.word)

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """A search for each topic; ended as ``no_related`` when the channel tells none. Raises as `ChannelLookup`."""
        channel = next(iter(read_channels(response)), None)
        if channel is None:
            return Page(judgement=GONE, credits=self.credits)
        profile = profile_of(channel)
        found = topics(profile.name, profile.handle, tags_of(channel), profile.bio)
        return Page(
            ended=True,
            end_reason=OPENED if found else "no_related",
            walks=tuple(start_walk("topic", topic, channel.id) for topic in found),
            step=True,
            credits=self.credits,
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """A step has no items. Always raises `ShapeError` (``no_items``)."""
        raise ShapeError("no_items", "the target's channel holds no items")


class DataApiSimilar:
    """The adapter."""

    capability: Final = Capability(
        platform="youtube",
        kind=SearchKind.SIMILAR,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"target": Target(), "topic": TopicSearch()}
    profiles: Final = ChannelLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """The target's channel."""
        return (start_walk("target", query.target_username or "", ""),)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> SimilarChannel:
        """The creator JSON of one channel."""
        return similar_channel(item, profile, enhancement_status, provenance)
