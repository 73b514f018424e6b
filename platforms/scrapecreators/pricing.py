"""What calls cost, in credits: the vendor's price list, July 2026. A price told in an answer goes first."""

from typing import Final

from platforms.normalise.numbers import count
from platforms.scrapecreators.client import Answer

CREDITS: Final = {
    "tiktok/search/keyword": 1,
    "tiktok/search/hashtag": 1,
    "tiktok/search/users": 1,
    "tiktok/profile": 1,
    "tiktok/user/following": 1,
    "instagram/reels/search": 1,
    "instagram/search/hashtag": 1,
    "instagram/search/profiles": 1,
    "instagram/profile": 1,
    "youtube/search": 1,
    "youtube/search/hashtag": 1,
    "youtube/channel": 1,
}
"""Credits per call, by endpoint."""


def credits_of(answer: Answer, listed: int) -> int:
    """What one answer cost: what it says (0 for a cached profile), else the price ``listed``."""
    charged = count(answer.credits_charged)
    return listed if charged is None else charged
