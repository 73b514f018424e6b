"""TikTok by words: keyword and hashtag search, with the profiles that fill what their results lack."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.tiktok import tiktok_creator
from platforms.normalise.tiktok_video import TikTokVideo
from platforms.pages import Item, Walk, start_walk
from platforms.params import refusal
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.tiktok.hashtag import HashtagSearch
from platforms.scrapecreators.tiktok.keyword import KeywordSearch
from platforms.scrapecreators.tiktok.profile import ProfileLookup
from platforms.words import words_of


class TikTokContentSearch:
    """The adapter. Cursors do not expire, but the list below them shifts: restart, and dedupe."""

    capability: Final = Capability(
        platform="tiktok",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=2,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"search": KeywordSearch(), "hashtag": HashtagSearch()}
    profiles: Final = ProfileLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A walk a word. Raises `InvalidJob` for a search for accounts, which TikTok is not asked for here."""
        if query.word_kind == "profiles":
            raise refusal("search_params.kind", query.word_kind, "keyword or hashtag for a TikTok search")
        return tuple(
            start_walk("hashtag" if kind == "hashtag" else "search", word, 0) for kind, word in words_of(query)
        )

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> TikTokVideo:
        """The creator JSON of one item."""
        return tiktok_creator(item, profile, enhancement_status, provenance)
