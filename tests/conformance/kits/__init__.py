"""One kit a source of the registry."""

from tests.conformance.kit import Kit, StepKit
from tests.conformance.kits import (
    apify_instagram,
    instagram_graph,
    scrapecreators_instagram,
    scrapecreators_tiktok,
    scrapecreators_tiktok_similar,
    scrapecreators_youtube,
    tiktok_research_tiktok,
    youtube_data_api,
)

KITS: tuple[StepKit, ...] = (
    *scrapecreators_instagram.KITS,
    *apify_instagram.KITS,
    *scrapecreators_tiktok.KITS,
    *scrapecreators_tiktok_similar.KITS,
    *scrapecreators_youtube.KITS,
    *tiktok_research_tiktok.KITS,
    *youtube_data_api.KITS,
    *instagram_graph.KITS,
)
PAGE_KITS: tuple[Kit, ...] = tuple(kit for kit in KITS if isinstance(kit, Kit))
