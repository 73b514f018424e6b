"""Every provider of the simulator, and the limits that are in force from the start."""

from platforms.simulator.apify import Apify
from platforms.simulator.catalogue import Catalogue
from platforms.simulator.endpoint import Provider
from platforms.simulator.instagram_graph import InstagramGraph
from platforms.simulator.limits import Limit
from platforms.simulator.replay import Replay
from platforms.simulator.scrapecreators.instagram import instagram_endpoints
from platforms.simulator.scrapecreators.provider import ScrapeCreators
from platforms.simulator.scrapecreators.tiktok import tiktok_endpoints
from platforms.simulator.scrapecreators.youtube import youtube_endpoints
from platforms.simulator.settings import Settings
from platforms.simulator.source import Source
from platforms.simulator.tiktok_research import TikTokResearch
from platforms.simulator.youtube_data_api import YouTubeDataApi

BUILT_IN_LIMITS = (
    Limit("/youtube_data_api/search", per_day=100),
    Limit("youtube_data_api", per_day=10_000),
    Limit("tiktok_research", per_day=1_000),
    Limit("instagram_graph", per_day=4_800),
)
"""The daily quotas that the providers state; a limit set for the same path replaces them."""


def providers_of(settings: Settings) -> tuple[Provider, ...]:
    """One of each, sharing nothing with those of another simulator.

    Raises `ConfigurationError` when the folder to replay cannot be used.
    """
    source: Source = Catalogue(settings) if settings.replay is None else Replay(settings.replay)
    endpoints = (
        *tiktok_endpoints(settings, source),
        *instagram_endpoints(settings),
        *youtube_endpoints(settings),
    )
    return (
        ScrapeCreators(endpoints),
        YouTubeDataApi(settings),
        InstagramGraph(settings),
        TikTokResearch(settings),
        Apify(settings),
    )
