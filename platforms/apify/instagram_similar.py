"""Instagram accounts like one, by the Actor apify/instagram-profile-scraper: start a run, wait for it, read it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from platforms.apify.client import PROVIDER
from platforms.apify.items import DatasetItems
from platforms.apify.start import FIRST_LOOK, RunStart
from platforms.apify.wait import RunWait
from platforms.contract import Capability, Query, SearchKind, Source, StaleCursor
from platforms.normalise.instagram_similar import SimilarCreator, similar_creator
from platforms.pages import Item, Walk, start_walk
from platforms.profile import Profile, Provenance

ACTOR: Final = "dSCLg0C3YEZ83HzYX"
"""apify/instagram-profile-scraper."""


class InstagramSimilarRuns:
    """The adapter. A saved run is gone on with for an hour; after that a new one costs less than a dead one.

    Creators come without follower counts: a look-up would be a run of its own.
    """

    capability: Final = Capability(
        platform="instagram",
        kind=SearchKind.SIMILAR,
        provider=PROVIDER,
        version=1,
        cursor_lifetime=timedelta(hours=1),
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    sources: Final[Mapping[str, Source]] = {"run": RunStart(ACTOR), "wait": RunWait(), "items": DatasetItems()}
    profiles: Final = None

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """One walk, which starts the run."""
        return (start_walk("run", query.target_username or "", FIRST_LOOK),)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> SimilarCreator:
        """The creator JSON of one item."""
        return similar_creator(item, profile, enhancement_status, provenance)
