"""Every adapter there is, one line each."""

from collections.abc import Sequence
from typing import Final

from platforms.apify.instagram_similar import InstagramSimilarRuns
from platforms.contract import Adapter, Capability, SearchKind, Source
from platforms.instagram_graph.content_search import GraphHashtagSearch
from platforms.scrapecreators.instagram.content_search import InstagramContentSearch
from platforms.scrapecreators.instagram.similar import InstagramSimilarSearch
from platforms.scrapecreators.tiktok.content_search import TikTokContentSearch
from platforms.scrapecreators.tiktok.similar import TikTokSimilar
from platforms.scrapecreators.youtube.content_search import YouTubeContentSearch
from platforms.scrapecreators.youtube.similar import YouTubeSimilar
from platforms.tiktok_research.content_search import TikTokResearchSearch
from platforms.youtube_data_api.content_search import DataApiContentSearch
from platforms.youtube_data_api.similar import DataApiSimilar
from worker.errors import InvalidJob

ADAPTERS: Final[tuple[Adapter, ...]] = (
    TikTokContentSearch(),
    TikTokResearchSearch(),
    TikTokSimilar(),
    YouTubeContentSearch(),
    DataApiContentSearch(),
    YouTubeSimilar(),
    DataApiSimilar(),
    InstagramContentSearch(),
    GraphHashtagSearch(),
    InstagramSimilarSearch(),
    InstagramSimilarRuns(),
)
"""Best provider first for each platform and kind."""

PLATFORM_NAMES: Final = {"tiktok": "TikTok", "instagram": "Instagram", "youtube": "YouTube"}
"""Folded name to the one people and the application's pages see."""


def fold_platform(name: str) -> str:
    """A platform's name as compared: ``Tiktok``, ``TIKTOK`` and ``TikTok`` are ``tiktok``."""
    return name.strip().lower()


def supported() -> tuple[Capability, ...]:
    """What can be searched."""
    return tuple(adapter.capability for adapter in ADAPTERS)


def find(platform: str, kind: SearchKind, providers: Sequence[str] = ()) -> tuple[Adapter, ...]:
    """The adapters for a search, best first; with ``providers`` those and in that order.

    Raises:
        InvalidJob: There is none, or one of the providers has none.
    """
    folded = fold_platform(platform)
    fitting = {
        adapter.capability.provider: adapter
        for adapter in ADAPTERS
        if (adapter.capability.platform, adapter.capability.kind) == (folded, kind)
    }
    missing = [name for name in providers if name not in fitting]
    if fitting and not missing:
        return tuple(fitting[name] for name in providers or fitting)
    seen = f"{PLATFORM_NAMES.get(folded, platform[:40])} {kind} search" + (f" by {missing[0][:40]}" if missing else "")
    known = ", ".join(_sentence(capability) for capability in supported())
    raise InvalidJob(f"{seen} is not supported; supported: {known}. Create a new job with one of these.")


def source_of(provider: str, endpoint: str) -> tuple[Adapter, Source] | None:
    """The adapter and source that read an endpoint; None when no release at hand does."""
    for adapter in ADAPTERS:
        if adapter.capability.provider == provider:
            for source in adapter.sources.values():
                if source.endpoint == endpoint:
                    return adapter, source
    return None


def _sentence(capability: Capability) -> str:
    return f"{PLATFORM_NAMES[capability.platform]} {capability.kind} search by {capability.provider}"
