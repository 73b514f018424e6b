"""What a simulator can be told when it starts."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

SEARCH_PATH = "/v1/tiktok/search/keyword"
PROFILE_PATH = "/v1/tiktok/profile"

CURSOR_STEP = 30
"""The provider's keyword search always answers the asked cursor plus this, however many items the page holds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One simulator's behaviour. With ``replay`` the folder's recorded answers are served, else a made-up catalogue."""

    replay: Path | None = None
    seed: int = 1
    items_per_query: int = 1000
    page_bytes: Literal["small", "real"] = "small"
    """``real`` pads every catalogue page to 1.3 to 2.8 MB, as untrimmed answers are."""
    latency: timedelta = timedelta(0)
    """Added to every answer of the provider, never to the control endpoints."""
    credits: int = 1_000_000
    """The balance of each ScrapeCreators key at the start; a call that is answered costs 1."""
    run_seconds: float = 0.3
    """How long a run of an Apify Actor takes."""
    token_seconds: int = 7200
    """How long an access token of the TikTok Research API lasts."""
