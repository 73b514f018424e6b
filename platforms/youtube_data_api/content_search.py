"""YouTube by words through the platform's own interface. Counts of videos are not told; those of channels are."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.youtube import YouTubeCreator, youtube_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.words import words_of
from platforms.youtube_data_api.channels import ChannelLookup
from platforms.youtube_data_api.client import PROVIDER
from platforms.youtube_data_api.search import VideoSearch, oldest
from worker.clock import utc_now


class DataApiContentSearch:
    """The adapter. No lifetime of a page token is stated; one that is refused begins its walk again."""

    capability: Final = Capability(
        platform="youtube",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"search": VideoSearch()}
    profiles: Final = ChannelLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A walk a word; a hashtag is a word with ``#``."""
        since = oldest(query, utc_now())
        return tuple(
            start_walk("search", f"#{word}" if kind == "hashtag" else word, since) for kind, word in words_of(query)
        )

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> YouTubeCreator:
        """The creator JSON of one item."""
        return youtube_creator(item, profile, enhancement_status, provenance)
