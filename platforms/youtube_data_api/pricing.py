"""What calls cost, in quota units of the project: the price list, 2025. A project has 10,000 a day.

Since 2026 searches have a bucket of their own, 100 calls a day; at 100 units each the two countings agree.
"""

from typing import Final

UNITS: Final = {"youtube/v3/search": 100, "youtube/v3/channels": 1}
"""Units per call, by endpoint. A refused request costs at least one."""

REFUSED: Final = 1
