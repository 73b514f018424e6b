"""What a slice works on, from whichever of the job tables it comes."""

from actors.runtime import Runtime
from db.queries.claiming import ScrapingWork, load_scraping_work
from db.queries.searching import borrow_question, load_search_work
from worker.errors import InvalidJob
from worker.leases import Lease


async def load_work(runtime: Runtime, lease: Lease) -> ScrapingWork | None:
    """The row of a leased task and its checkpoint; None when the application deleted the row.

    Raises `InvalidJob` for a search of which nobody says what it asks for.
    """
    unplanned = runtime.settings.unplanned_creators
    async with runtime.pool.connection() as connection:
        if lease.job_table != "search_jobs":
            return await load_scraping_work(connection, lease.task_id, unplanned)
        work = await load_search_work(connection, lease.task_id, unplanned)
        if work is not None and _asks_for_nothing(work) and await borrow_question(connection, lease.task_id):
            work = await load_search_work(connection, lease.task_id, unplanned)
    if work is not None and _asks_for_nothing(work):
        raise InvalidJob(
            "Nobody says what the search asks for: worker.searches has neither keywords nor, for a similar search, "
            "target_username for it, nor has a scraping job of its campaign for this platform. Put them into "
            "worker.searches, then set the search to queued again."
        )
    return work


def in_words_of_its_table(lease: Lease, text: str) -> str:
    """An error about what a job asks for, with the names that the columns and words have in the job's own table."""
    if lease.job_table != "search_jobs":
        return text
    return text.replace("target_results", "total_count").replace("to pending", "to queued")


def _asks_for_nothing(work: ScrapingWork) -> bool:
    return work.keywords is None and work.target_username is None
