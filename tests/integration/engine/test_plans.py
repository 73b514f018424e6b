"""What the hot statements cost on a large database whose application keeps no index but its primary keys."""

import json
import re
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import class_row

from db.queries import adopting, beating, committing, grouping, lanes, overdue, sweeping
from db.queries.claiming import Claimed
from db.queries.spending import Spend
from tests.integration.engine.steps import JOB_LANE, LANE, TTL, make_lanes, page_of, value

pytestmark = pytest.mark.slow

ROWS = 1_000_000
WAITING = 100_000
READY = 10_000
TENANTS = 1_000
BUILD = f"""
ALTER TABLE worker.tasks DISABLE TRIGGER ALL;
ALTER TABLE scraping_jobs DISABLE TRIGGER ALL;
ALTER TABLE background_jobs DISABLE TRIGGER ALL;
INSERT INTO scraping_jobs (id, user_id, status, keywords)
SELECT lpad(to_hex(g), 32, '0')::uuid, 'user_' || g % {TENANTS}, CASE WHEN g <= {READY + WAITING} THEN 'pending'
       ELSE 'completed' END, '["lamp"]'
  FROM generate_series(1, {ROWS}) g;
INSERT INTO background_jobs (job_type, payload, status)
SELECT 'noop', '{{}}', 'completed' FROM generate_series(1, {WAITING});
INSERT INTO background_jobs (id, job_type, payload, scheduled_for)
SELECT lpad(to_hex(g), 32, '0')::uuid, 'noop', '{{}}', worker.utc_now() FROM generate_series(1, {READY}) g;
INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)
SELECT 'background_jobs', lpad(to_hex(g), 32, '0')::uuid::text, '{JOB_LANE}', '-', 'ready'
  FROM generate_series(1, {READY}) g;
INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, run_at, closed_at)
SELECT 'scraping_jobs', lpad(to_hex(g), 32, '0')::uuid::text, '{LANE}', 'user_' || g % {TENANTS},
       CASE WHEN g <= {READY} THEN 'ready' WHEN g <= {READY + WAITING} THEN 'waiting' ELSE 'closed' END,
       CASE WHEN g <= {READY} THEN now() - interval '1 min' ELSE now() + interval '1 hour' END,
       CASE WHEN g > {READY + WAITING} THEN now() - interval '1 day' END
  FROM generate_series(1, {ROWS}) g;
ALTER TABLE worker.tasks ENABLE TRIGGER ALL;
ALTER TABLE scraping_jobs ENABLE TRIGGER ALL;
ALTER TABLE background_jobs ENABLE TRIGGER ALL;
"""


@pytest.fixture(scope="module")
def large(servers, migrated):
    """A database of a million jobs, whose application keeps only primary keys."""
    from db.session import connect
    from tests.fleet import fresh_database

    with fresh_database(servers.database_url, migrated) as url, connect(url, "test") as connection:
        for (name,) in connection.execute(
            "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary AND NOT EXISTS ("
            "   SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
        ).fetchall():
            connection.execute(f"DROP INDEX {name}".encode())
        make_lanes(connection)
        connection.execute(BUILD.encode())
        connection.execute("VACUUM ANALYZE scraping_jobs")
        connection.execute("VACUUM ANALYZE background_jobs")
        connection.execute("VACUUM ANALYZE worker.tasks")
        yield connection


def cost_of(connection: psycopg.Connection, statement: str) -> tuple[int, str]:
    """Buffers a statement touches, functions included, and its plan as text; rolled back."""
    with connection.transaction(force_rollback=True):
        rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode()).fetchone()
    assert rows
    plan = rows[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(plan)


class Seen(psycopg.Connection):
    """Hands a query function's statement to EXPLAIN instead of running it."""


def explained(connection: psycopg.Connection, call) -> tuple[int, str]:
    """Run a query function of the product under EXPLAIN; its statement, with its parameters, is what is measured."""
    caught: list[str] = []

    class Catching(psycopg.ClientCursor):
        def execute(self, query, params=None, **kwargs):
            caught.append(self.mogrify(query, params))
            return super().execute(query, params, **kwargs)

    before = connection.cursor_factory
    connection.cursor_factory = Catching
    try:
        with connection.transaction(force_rollback=True):
            call(connection)
    finally:
        connection.cursor_factory = before
    (statement,) = caught
    return cost_of(connection, statement)


def full_scans(plan: str) -> list[str]:
    return re.findall(r'"Node Type": "Seq Scan"[^{}]*?"Relation Name": "(tasks|scraping_jobs|background_jobs)"', plan)


def test_a_claim_touches_a_few_pages_a_tenant(large):
    claim = f"SELECT * FROM worker.claim('{LANE}', 'w', ARRAY['{uuid4()}'::uuid], interval '1 min', interval '1 hour')"
    buffers, _ = cost_of(large, claim)
    assert buffers < 12 * TENANTS


def test_a_claim_of_fifty_costs_little_more_than_one(large):
    tokens = ", ".join(f"'{uuid4()}'::uuid" for _ in range(50))
    one, _ = cost_of(
        large, f"SELECT * FROM worker.claim('{LANE}', 'w', ARRAY['{uuid4()}'::uuid], interval '1 min', '1 h')"
    )
    fifty, _ = cost_of(
        large, f"SELECT * FROM worker.claim('{LANE}', 'w', ARRAY[{tokens}], interval '1 min', interval '1 hour')"
    )
    # Each tenant shows as many tasks as its cap has room for, instead of one.
    assert fifty < 6 * one


def test_a_group_costs_a_few_pages_a_job_however_many_groups_there_are(large):
    def claim() -> str:
        return f"SELECT * FROM worker.claim_group('{JOB_LANE}', 'w', '{uuid4()}', 250, interval '1 min')"

    with large.transaction(force_rollback=True):
        first, plan = cost_of(large, claim())
        for _ in range(8):
            assert len(large.execute(claim().encode()).fetchall()) == 250
        ninth, _ = cost_of(large, claim())
    assert full_scans(plan) == []
    assert first < 250 * 10
    assert ninth < 2 * first


@pytest.mark.parametrize(
    ("name", "call", "bound"),
    [
        ("promote", lambda c: sweeping.promote_due(c, 1000), 50),
        ("sweep dead leases", lambda c: sweeping.sweep_dead_leases(c, 3, 1000), 50),
        ("sweep dead groups", lambda c: grouping.sweep_dead_groups(c, 1000), 50),
        ("sweep overdue", lambda c: overdue.sweep_overdue(c, 1000), 50),
        ("wanted wake-ups", lanes.wanted_wakeups, 12 * 256),
        ("renew", lambda c: beating.renew(c, [1, 2, 3], [uuid4()] * 3, TTL), 50),
        ("adopt nothing", lambda c: adopting.adopt_from_inbox(c, "scraping_jobs", 1000), 50),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_runs_each_tick_reads_by_index_and_little(large, name, call, bound):
    buffers, plan = explained(large, call)
    assert full_scans(plan) == []
    assert buffers <= bound, f"{name} touched {buffers} buffers"


def test_adopting_a_thousand_new_rows_reads_them_by_primary_key(large):
    with large.transaction(force_rollback=True):
        large.execute(
            "INSERT INTO scraping_jobs (user_id, keywords) SELECT 'u', '[\"lamp\"]' FROM generate_series(1, 1000)"
        )
        assert value(large, "SELECT count(*) FROM worker.inbox") == 1000
        buffers, plan = explained(large, lambda c: adopting.adopt_from_inbox(c, "scraping_jobs", 1000))
        assert full_scans(plan) == []
        assert buffers < 1000 * 60


def test_a_page_commit_reads_by_key_alone(large):
    with large.transaction(force_rollback=True):
        cursor = large.cursor(row_factory=class_row(Claimed))
        claimed = cursor.execute(
            f"SELECT {', '.join(Claimed.__slots__)} FROM worker.claim(%s, 'w', ARRAY[%s], interval '1 min', '1 h')",
            (LANE, uuid4()),
        ).fetchone()
        spends = [Spend("simulator", "account", "search", 3, 3)]
        fields = committing.parameters(page_of(claimed, spends=spends))
        buffers, plan = explained(large, lambda c: c.execute(committing._COMMITS["scraping_jobs"], fields))
        assert full_scans(plan) == []
        assert buffers < 400
