"""How a page gets into the database, whatever happens to the reply."""

import asyncio

import psycopg
import structlog
from psycopg.errors import ProgramLimitExceeded

from db.queries.committing import PageAnswer, PageWrite, commit_page
from db.session import Pool
from worker import tracing
from worker.clock import monotonic
from worker.errors import AuthorityLost, PageRefused
from worker.leases import Lease
from worker.metrics import counting

log = structlog.get_logger()

PAUSE_SECONDS = 0.5


async def commit(pool: Pool, lease: Lease, page: PageWrite) -> PageAnswer:
    """Commit one page; when a reply is lost, ask again with the same place in the ledger.

    Raises `AuthorityLost` when the token is refused or the lease ran out while the database was away, `PageRefused`
    when Postgres will not take the data.
    """
    asked_again = False
    began = monotonic()
    while True:
        sent_at = monotonic()
        try:
            async with pool.connection() as connection:
                answer = await commit_page(connection, page)
        except (psycopg.DataError, ProgramLimitExceeded, UnicodeError) as error:
            raise PageRefused(f"Postgres refused the page: {error}") from error
        except psycopg.OperationalError as error:
            log.warning("page_commit_repeated", seq=page.seq, error=str(error))
            if not lease.held:
                raise AuthorityLost("the lease ran out while the database was away") from error
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if not answer.owned:
            lease.refuse()
            counting.refused("page")
            raise AuthorityLost("the token is no longer the task's, or a fail-over lost the page before this one")
        if answer.row_open and not answer.page_new and answer.stored_before is None:
            if asked_again:
                raise AuthorityLost(f"page {page.seq} was stored by another epoch")
            # A first try whose reply was lost may have committed after this one's snapshot; a new one sees it.
            asked_again = True
            continue
        counting.committed(began)
        tracing.committed(began)
        lease.renewed(sent_at)
        if answer.row_open:
            lease.stored(page.seq)
        if answer.page_new:
            lease.progressed()
        return answer
