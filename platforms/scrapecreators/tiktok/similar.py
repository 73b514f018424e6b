"""TikTok accounts like one account: found by its own words and among those it follows.

ScrapeCreators has no call for this, so the target's profile opens searches of its own.
"""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.tiktok_similar import SimilarCreator, similar_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.tiktok.followings import Followings
from platforms.scrapecreators.tiktok.profile import ProfileLookup
from platforms.scrapecreators.tiktok.target import TargetProfile
from platforms.scrapecreators.tiktok.user_search import UserSearch


class TikTokSimilar:
    """The adapter. One job merges all of its walks; an account that several of them find is stored once."""

    capability: Final = Capability(
        platform="tiktok",
        kind=SearchKind.SIMILAR,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {
        "target": TargetProfile(),
        "users": UserSearch(),
        "followings": Followings(),
    }
    profiles: Final = ProfileLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """The one step to the target's profile, which opens all others."""
        return (start_walk("target", query.target_username or "", 0),)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> SimilarCreator:
        """The creator JSON of one item."""
        return similar_creator(item, profile, enhancement_status, provenance)
