"""Instagram by words: reels, posts of a hashtag, or accounts, with the profiles that fill what they lack."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.instagram import InstagramCreator, instagram_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.instagram.accounts import AccountSearch
from platforms.scrapecreators.instagram.hashtag import HashtagSearch
from platforms.scrapecreators.instagram.profile import ProfileLookup
from platforms.scrapecreators.instagram.reels import ReelsSearch
from platforms.scrapecreators.instagram.search import FIRST_PAGE
from platforms.words import words_of

_SOURCES: Final = {"keyword": "search", "hashtag": "hashtag", "profiles": "profiles"}


class InstagramContentSearch:
    """The adapter. Cursors are page numbers of a list that shifts: restart, and dedupe."""

    capability: Final = Capability(
        platform="instagram",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {
        "search": ReelsSearch(),
        "hashtag": HashtagSearch(),
        "profiles": AccountSearch(),
    }
    profiles: Final = ProfileLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A walk a word."""
        return tuple(start_walk(_SOURCES[kind], word, FIRST_PAGE) for kind, word in words_of(query))

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> InstagramCreator:
        """The creator JSON of one item."""
        return instagram_creator(item, profile, enhancement_status, provenance)
