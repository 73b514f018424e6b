"""The lanes this release serves: one a platform, one a job type, and two for what nobody serves."""

from collections.abc import Iterable

from platforms.registry import supported
from worker.lanes import UNROUTABLE, UNROUTABLE_JOB, background_lane, scraping_lane


def served_lanes(job_types: Iterable[str]) -> list[str]:
    """Names of all lanes, in a stable order."""
    scraping = sorted({scraping_lane(capability.platform) for capability in supported()})
    return [*scraping, UNROUTABLE, *sorted(map(background_lane, job_types)), UNROUTABLE_JOB]
