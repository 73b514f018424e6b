"""Every adapter there is, one line each."""

from typing import Final

from platforms.contract import Adapter, Capability, SearchKind
from platforms.scrapecreators.tiktok_keyword import TikTokKeyword
from worker.errors import InvalidJob

ADAPTERS: Final[tuple[Adapter, ...]] = (TikTokKeyword(),)

PLATFORM_NAMES: Final = {"tiktok": "TikTok", "instagram": "Instagram", "youtube": "YouTube"}
"""Folded name to the one people and the application's pages see."""


def fold_platform(name: str) -> str:
    """A platform's name as compared: ``Tiktok``, ``TIKTOK`` and ``TikTok`` are ``tiktok``."""
    return name.strip().lower()


def supported() -> tuple[Capability, ...]:
    """What can be searched, best provider first for each platform and kind."""
    return tuple(adapter.capability for adapter in ADAPTERS)


def find(platform: str, kind: SearchKind, provider: str | None = None) -> Adapter:
    """The adapter for a search; without ``provider`` the first one listed.

    Raises:
        InvalidJob: There is none.
    """
    folded = fold_platform(platform)
    for adapter in ADAPTERS:
        capability = adapter.capability
        if (capability.platform, capability.kind) == (folded, kind) and provider in (None, capability.provider):
            return adapter
    seen = f"{PLATFORM_NAMES.get(folded, platform[:40])} {kind} search" + (f" by {provider[:40]}" if provider else "")
    known = ", ".join(_sentence(capability) for capability in supported())
    raise InvalidJob(f"{seen} is not supported; supported: {known}. Create a new job with one of these.")


def _sentence(capability: Capability) -> str:
    return f"{PLATFORM_NAMES[capability.platform]} {capability.kind} search by {capability.provider}"
