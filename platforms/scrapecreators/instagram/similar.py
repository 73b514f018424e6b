"""Instagram accounts like one: those that Instagram itself relates to it."""

from collections.abc import Mapping
from typing import Final

from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.instagram_similar import SimilarCreator, similar_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.client import PROVIDER
from platforms.scrapecreators.instagram.profile import ProfileLookup
from platforms.scrapecreators.instagram.related import RelatedProfiles


class InstagramSimilarSearch:
    """The adapter. The list is one page; asked again it differs a little: restart, and dedupe."""

    capability: Final = Capability(
        platform="instagram",
        kind=SearchKind.SIMILAR,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"related": RelatedProfiles()}
    profiles: Final = ProfileLookup()

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """One walk, from the target."""
        return (start_walk("related", query.target_username or "", 0),)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> SimilarCreator:
        """The creator JSON of one item."""
        return similar_creator(item, profile, enhancement_status, provenance)
