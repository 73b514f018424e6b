"""A page of jobs costs a few probes, however many jobs there are."""

import pytest

from db.queries.listing import _LIST, list_jobs
from tests.integration.engine.steps import value
from worker.operating.selection import Selection

JOBS = 60_000


@pytest.fixture
def _many(connection):
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, keywords, status, created_at)"
        " SELECT 'u', '[]', (ARRAY['completed', 'error', 'timeout'])[1 + n %% 3],"
        "        timestamp '2026-01-01' + n * interval '1 s' FROM generate_series(1, %s) n",
        (JOBS,),
    )
    connection.execute("VACUUM ANALYZE scraping_jobs")


def rows_read(connection, after: str | None) -> int:
    """Rows of the application's table that the statement touches, by the plan that was run."""
    parameters = {**Selection().parameters(), "after": after, "limit": 20}
    told = explained(connection, parameters)
    found = 0
    waiting = [told["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if node.get("Relation Name") == "scraping_jobs":
            found += (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return int(found)


def explained(connection, parameters):
    statement = "EXPLAIN (ANALYZE, FORMAT JSON) " + _LIST["scraping_jobs"]
    return connection.execute(statement.encode(), parameters).fetchone()[0][0]


@pytest.mark.usefixtures("_many")
def test_the_first_page_and_one_in_the_middle_read_what_they_show(connection):
    middle = value(connection, "SELECT id::text FROM scraping_jobs WHERE created_at = '2026-01-01 08:00'")
    assert rows_read(connection, None) < 200
    assert rows_read(connection, middle) < 200
    page = list_jobs(connection, "scraping_jobs", Selection().parameters(), 20, middle)
    assert len(page) == 20
    assert [one["created_at"] for one in page] == sorted((one["created_at"] for one in page), reverse=True)
