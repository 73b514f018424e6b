"""Names of lanes. A lane is a named stream of tasks that share limits, and a dramatiq queue of the same name."""

UNROUTABLE = "scrape.unroutable"
"""Rows whose platform no adapter serves; any worker takes them and says so on the row."""


def scraping_lane(platform: str) -> str:
    """The lane of a platform, given lower-cased."""
    return f"scrape.{platform}"
