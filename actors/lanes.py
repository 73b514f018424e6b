"""The lanes this release serves: two a platform, one a job type, and three for what nobody serves."""

from collections.abc import Iterable

from platforms.registry import supported
from worker.lanes import UNROUTABLE, UNROUTABLE_JOB, UNROUTABLE_SEARCH, background_lane, scraping_lane, search_lane


def served_lanes(job_types: Iterable[str]) -> list[str]:
    """Names of all lanes, in a stable order."""
    platforms = sorted({capability.platform for capability in supported()})
    return [
        *map(scraping_lane, platforms),
        UNROUTABLE,
        *map(search_lane, platforms),
        UNROUTABLE_SEARCH,
        *sorted(map(background_lane, job_types)),
        UNROUTABLE_JOB,
    ]
