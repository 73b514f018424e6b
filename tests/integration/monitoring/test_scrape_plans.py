"""What a scrape costs on a large database: it reads by index, and no further than it may."""

import json
import re

import psycopg
import pytest

from db.queries import metrics
from db.session import connect
from tests.fleet import fresh_database
from tests.integration.engine.steps import LANE, make_lanes

pytestmark = pytest.mark.slow

CLOSED, READY, WAITING, PARKED = 300_000, 60_000, 60_000, 20
BUILD = f"""
ALTER TABLE worker.tasks DISABLE TRIGGER ALL;
INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, run_at, closed_at)
SELECT 'scraping_jobs', g::text, '{LANE}', 'user_' || g % 1000, s.state, now() - interval '1 min',
       CASE WHEN s.state IN ('closed', 'parked') THEN now() END
  FROM (VALUES ('closed', 0, {CLOSED}), ('ready', 1, {READY}), ('waiting', 2, {WAITING}), ('parked', 3, {PARKED}))
       AS s (state, place, tasks)
 CROSS JOIN LATERAL generate_series(s.place * 1000000 + 1, s.place * 1000000 + s.tasks) g;
INSERT INTO worker.quarantine (task_id, seq, provider, endpoint, adapter_version, reason, message, raw, verdict)
SELECT 1, 1, 'p', '/e', 1, 'r', 'm', repeat('x', 200), CASE WHEN g > 50 THEN 'stored' END
  FROM generate_series(1, 50000) g;
ALTER TABLE worker.tasks ENABLE TRIGGER ALL;
"""


@pytest.fixture(scope="module")
def large(servers, migrated):
    with fresh_database(servers.database_url, migrated) as url, connect(url, "test") as connection:
        make_lanes(connection)
        connection.execute(BUILD.encode())
        connection.execute("VACUUM ANALYZE worker.tasks")
        connection.execute("VACUUM ANALYZE worker.quarantine")
        yield url


class Explaining(psycopg.AsyncClientCursor):
    """Keeps the plan of each statement beside running it."""

    plans: list[dict] = []  # noqa: RUF012 - one list for the one test that reads it

    async def execute(self, query, params=None, **kwargs):
        explained = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + self.mogrify(query, params).encode()
        async with psycopg.AsyncCursor(self.connection) as cursor:
            await cursor.execute(explained)
            ((found,),) = await cursor.fetchall()
        self.plans.append(found[0]["Plan"])
        return await super().execute(query, params, **kwargs)


@pytest.mark.parametrize(
    ("read", "bound"),
    [
        # A ready task is read with its row, to know since when it waits; so is a waiting one, to know its lane.
        (metrics.lane_gauges, 2 * metrics.MOST + 500),
        (metrics.open_items, 100),
    ],
)
async def test_a_gauge_reads_by_index_and_no_further_than_it_may(large, read, bound):
    Explaining.plans.clear()
    async with await psycopg.AsyncConnection.connect(large, autocommit=True, cursor_factory=Explaining) as connection:
        assert await read(connection)
    (plan,) = Explaining.plans
    scanned = re.findall(r'"Node Type": "Seq Scan"[^{}]*?"Relation Name": "(\w+)"', json.dumps(plan))
    assert set(scanned) <= {"lanes"}
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= bound


async def test_what_is_counted_stops_where_it_says(large):
    async with await psycopg.AsyncConnection.connect(large, autocommit=True) as connection:
        (lane,) = [one for one in await metrics.lane_gauges(connection) if one.lane == LANE]
        assert (lane.ready, lane.waiting, lane.parked) == (metrics.MOST, metrics.MOST, PARKED)
        assert await metrics.open_items(connection) == 50
