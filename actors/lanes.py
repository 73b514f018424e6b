"""The lanes this release serves: one a platform that an adapter reads, and one for rows nobody can serve."""

from platforms.registry import supported
from worker.lanes import UNROUTABLE, scraping_lane


def served_lanes() -> list[str]:
    """Names of all lanes, in a stable order."""
    return [*sorted({scraping_lane(capability.platform) for capability in supported()}), UNROUTABLE]
