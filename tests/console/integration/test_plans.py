"""Pages read as little with many jobs as with few: no scan of a table that grows, and a bound on what is touched."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from db.queries.console import finding, fleet, job_lines, supply, trends
from db.queries.console.finding import Wanted
from db.session import connect
from tests.console.many_jobs import fill
from tests.fleet import fresh_database

MANY = 60_000
BIG = {"scraping_jobs", "tasks", "attempts", "spend", "pages"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def big(servers, migrated) -> Iterator[psycopg.Connection]:
    with fresh_database(servers.database_url, migrated) as url, connect(url, "test") as connection:
        fill(connection, MANY)
        yield connection


class Explained:
    """Takes a statement in place of a connection, and keeps its plan."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.plans: list[dict[str, Any]] = []

    async def explain(self, statement: str, parameters: Any) -> list[Any]:
        with self.connection.transaction():
            self.connection.execute("SET LOCAL jit = off")
            row = self.connection.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode(), parameters
            ).fetchone()
        self.plans.append(row[0][0]["Plan"])
        return []


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def plan_of(monkeypatch, big, module, call) -> dict[str, Any]:
    """The plan of the one statement that a query function runs."""
    explained = Explained(big)

    async def rows_of(_, kind, statement, parameters=None):
        return await explained.explain(statement, parameters or {})

    async def plain_rows(_, statement, parameters=None):
        return await explained.explain(statement, parameters or {})

    for name, stand_in in (("rows_of", rows_of), ("plain_rows", plain_rows)):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, stand_in)

    async def run() -> None:
        try:
            await call(None)
        except ValueError:
            # It expects one row of what was only explained.
            assert explained.plans

    asyncio.run(run())
    (plan,) = explained.plans
    return plan


def lists(after: str | None) -> list[tuple[str, Any]]:
    filters = {
        "everything": Wanted(),
        "failed": Wanted(status="error"),
        "a platform": Wanted(platform="YouTube"),
        "no such platform": Wanted(platform="MySpace"),
        "no such word": Wanted(text="nowhere to be found"),
        "a user": Wanted(user="user_77"),
    }
    return [
        (name, lambda c, wanted=wanted: finding.scraping_ids(c, wanted, after, 25)) for name, wanted in filters.items()
    ]


AFTER = "2000-01-01 00:00:00|11111111-1111-4111-8111-111111111111"
CASES = [
    ("lanes", fleet, lambda c: fleet.lanes(c)),
    ("failures", fleet, lambda c: fleet.failures(c)),
    ("needs", fleet, lambda c: fleet.needs(c)),
    ("trends of an hour", trends, lambda c: trends.attempts_by_time(c, timedelta(hours=1), timedelta(minutes=1))),
    ("credits", trends, lambda c: trends.credits_by_provider(c)),
    ("credits of a week", supply, lambda c: supply.spent(c, 7)),
    ("searches", finding, lambda c: finding.search_ids(c, Wanted(), None, 25)),
    ("background jobs", finding, lambda c: finding.background_ids(c, Wanted(), None, None, 25)),
    *((f"jobs: {name}", finding, call) for name, call in lists(None)),
    *((f"older jobs: {name}", finding, call) for name, call in lists(AFTER)),
]


@pytest.mark.parametrize(("module", "call"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_no_page_scans_a_table_that_grows(monkeypatch, big, module, call):
    plan = plan_of(monkeypatch, big, module, call)
    scanned = [
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG and node["Actual Loops"]
    ]
    assert scanned == []
    touched = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    dropped = sum(node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in nodes(plan))
    assert touched < 25_000, json.dumps(plan)[:2000]
    assert dropped < 5 * finding.LOOK


def test_the_lines_of_a_page_are_found_by_keys(monkeypatch, big):
    ids = [
        job_id
        for (job_id,) in big.execute(
            "SELECT id::text FROM scraping_jobs WHERE status = 'processing' ORDER BY created_at DESC LIMIT 25"
        )
    ]
    plan = plan_of(monkeypatch, big, job_lines, lambda c: job_lines.scraping_lines(c, ids))
    assert {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} <= {"lanes"}
    assert plan["Actual Rows"] == 25
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1000
