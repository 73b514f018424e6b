"""Names of lanes. A lane is a named stream of tasks that share limits, and a dramatiq queue of the same name."""

UNROUTABLE = "scrape.unroutable"
"""Rows whose platform no adapter serves; any worker takes them and says so on the row."""


def scraping_lane(platform: str) -> str:
    """The lane of a platform, given lower-cased."""
    return f"scrape.{platform}"


UNROUTABLE_SEARCH = "search.unroutable"
"""Searches whose platform no adapter serves."""


def search_lane(platform: str) -> str:
    """The lane of a platform's searches, given lower-cased; a release that knows none of them does not serve it."""
    return f"search.{platform}"


UNROUTABLE_JOB = "job.unroutable"
"""Background jobs of a type that no handler serves."""


def background_lane(job_type: str) -> str:
    """The lane of a background job type."""
    return f"job.{job_type}"


def job_type_of(lane: str) -> str:
    """The job type that a lane of background jobs is for."""
    return lane.removeprefix("job.")


def is_background(lane: str) -> bool:
    """Whether the lane's tasks are background jobs."""
    return lane.startswith("job.")
