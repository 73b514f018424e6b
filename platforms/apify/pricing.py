"""What calls cost, in thousandths of a US dollar. What a finished run tells goes first."""

import math
from typing import Final

CREDITS: Final = {"acts/runs": 3, "actor-runs": 3, "datasets/items": 0}
"""What is set aside for a call, by endpoint: a run for one name costs about this; reading is not worth counting."""


def credits_of(usage_usd: object, listed: int) -> int:
    """What a finished run cost, rounded up; ``listed`` where it tells nothing that can be read."""
    if isinstance(usage_usd, bool) or not isinstance(usage_usd, int | float):
        return listed
    if not math.isfinite(usage_usd) or not 0 <= usage_usd < 1e9:
        return listed
    # Rounded first, as 0.003 x 1000 is a little more than 3.
    return math.ceil(round(usage_usd * 1000, 6))
