"""What calls cost, in the provider's own unit: requests of the day's quota (1,000 by default, reset at 00:00 UTC)."""

from typing import Final

REQUESTS: Final = {"research/video/query": 1, "research/user/info": 1}
"""Requests per call, by endpoint."""


def requests_of(status: int, listed: int) -> int:
    """What an answer that is no page used up: a failure on their side counts too (reported), a refusal does not."""
    return listed if status == 200 or status >= 500 else 0
