"""TikTok by words: keyword and hashtag queries of the Research API, with the accounts that fill what they lack."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.tiktok_research import research_creator
from platforms.normalise.tiktok_video import TikTokVideo
from platforms.pages import Item, Walk, start_walk
from platforms.params import refusal
from platforms.profile import Profile, Provenance
from platforms.tiktok_research.client import PROVIDER
from platforms.tiktok_research.user_info import UserInfo
from platforms.tiktok_research.video_query import VideoQuery
from platforms.tiktok_research.windows import newest
from platforms.words import words_of
from worker.clock import utc_now

_SOURCES: Final = {"keyword": "videos", "hashtag": "hashtag"}


class TikTokResearchSearch:
    """The adapter. Creators are known by their handle alone: the API tells no other identity."""

    capability: Final = Capability(
        platform="tiktok",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {
        "videos": VideoQuery(by_hashtag=False),
        "hashtag": VideoQuery(by_hashtag=True),
    }
    profiles: Final = UserInfo()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A walk a word, from today backwards. Raises `InvalidJob` for a search for accounts, which there is not."""
        if query.word_kind == "profiles":
            raise refusal("search_params.kind", query.word_kind, "keyword or hashtag for a TikTok search")
        begin = newest(query.options.get("date_posted"), utc_now()).text
        return tuple(start_walk(_SOURCES[kind], word, begin) for kind, word in words_of(query))

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> TikTokVideo:
        """The creator JSON of one item."""
        return research_creator(item, profile, enhancement_status, provenance)
