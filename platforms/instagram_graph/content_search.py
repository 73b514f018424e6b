"""Instagram by hashtag through the platform's own interface, which has no search for words and none for accounts."""

import unicodedata
from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.instagram_graph.business_discovery import BusinessDiscovery
from platforms.instagram_graph.client import PROVIDER
from platforms.instagram_graph.hashtag import HashtagId
from platforms.instagram_graph.media import RecentMedia, TopMedia
from platforms.normalise.instagram import InstagramCreator, instagram_creator
from platforms.pages import Item, Walk, start_walk
from platforms.params import refusal
from platforms.profile import Profile, Provenance


class GraphHashtagSearch:
    """The adapter. Its results tell no owner: each post is stored once, as of an unknown creator."""

    capability: Final = Capability(
        platform="instagram",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {
        "tag": HashtagId(),
        "top_media": TopMedia(),
        "recent_media": RecentMedia(),
    }
    profiles: Final = BusinessDiscovery()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """A look-up a word. Every word is a hashtag here, in lower case and without spaces and marks.

        Raises:
            InvalidJob: No word has a letter or digit.
        """
        tags = dict.fromkeys(filter(None, map(_tag, query.keywords)))
        if not tags:
            raise refusal("keywords", list(query.keywords), "at least one word that can be a hashtag")
        return tuple(start_walk("tag", tag, "") for tag in tags)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> InstagramCreator:
        """The creator JSON of one post."""
        return instagram_creator(item, profile, enhancement_status, provenance)


def _tag(word: str) -> str:
    """A word as a hashtag: letters, digits and marks of any script, and underscores."""
    return "".join(one for one in word if one == "_" or unicodedata.category(one)[0] in "LMN").lower()
