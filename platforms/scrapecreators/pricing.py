"""What calls cost, in credits: the vendor's price list, July 2026. A price told in an answer goes first."""

from typing import Final

from platforms.normalise.numbers import count
from platforms.scrapecreators.client import Answer

CREDITS: Final = {
    "tiktok/search/keyword": 1,
    "tiktok/profile": 1,
}
"""Credits per call, by endpoint."""


def credits_of(answer: Answer, endpoint: str) -> int:
    """What one answer cost: what it says (0 for a cached profile), else the list price."""
    charged = count(answer.credits_charged)
    return CREDITS[endpoint] if charged is None else charged
