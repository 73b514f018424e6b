"""YouTube by words: keyword and hashtag searches, with the channels that fill what their results lack."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.youtube import YouTubeCreator, youtube_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.youtube.channel import ChannelLookup
from platforms.scrapecreators.youtube.search import HashtagSearch, KeywordSearch
from platforms.words import words_of


class YouTubeContentSearch:
    """The adapter. No lifetime of a page marker is known; a walk of another version begins again, and dedupes."""

    capability: Final = Capability(
        platform="youtube",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"search": KeywordSearch(), "hashtag": HashtagSearch()}
    profiles: Final = ChannelLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A walk a word; words of a search for accounts find channels."""
        return tuple(
            start_walk("hashtag" if kind == "hashtag" else "search", word, "") for kind, word in words_of(query)
        )

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> YouTubeCreator:
        """The creator JSON of one item."""
        return youtube_creator(item, profile, enhancement_status, provenance)
