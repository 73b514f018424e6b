"""Caps of credits on a real Postgres: what many jobs spend at once is never more than a cap."""

import json
import os
from datetime import timedelta

import pytest

from db.session import make_pool
from tests.fleet import ROOT
from tests.integration.limits.conftest import answered, call
from tests.processes import ForkedProcess
from worker.limits.contract import Hindrance, Permit, Refusal
from worker.limits.credit_budget import CreditBudget

LIFE = timedelta(minutes=10)


def budget_of(pool, **caps) -> CreditBudget:
    return CreditBudget(pool, {"provider": caps}, LIFE)


async def pay(budget, charged=1, **about):
    """One call and what it was charged; the refusal where there was one."""
    told = await budget.admit(Permit(call(**about)))
    if isinstance(told, Refusal):
        return told
    await budget.answered(told, answered(credits=charged))
    return None


def used(connection) -> dict[tuple[str, str], int]:
    rows = connection.execute("SELECT scope, subject, credits FROM worker.budget_use").fetchall()
    return {(scope, subject): count for scope, subject, count in rows}


def reserved(connection) -> int:
    return connection.execute("SELECT count(*) FROM worker.budget_reservations").fetchone()[0]


SPENT = {
    # The most credits that are in the ledger of any one day, tenant or job.
    "day": "SELECT sum(credits) FROM worker.spend",
    "tenant_day": "SELECT max(sum) FROM (SELECT sum(credits) FROM worker.spend GROUP BY tenant)",
    "job": "SELECT max(sum) FROM (SELECT sum(credits) FROM worker.spend GROUP BY job_id)",
}


@pytest.mark.parametrize(
    "caps",
    [{"day": 100}, {"tenant_day": 61}, {"job": 12}, {"day": 100, "tenant_day": 61, "job": 12}],
    ids=["day", "tenant and day", "job", "all"],
)
def test_forty_jobs_of_two_processes_spend_up_to_the_cap_and_never_past_it(connection, database_url, tmp_path, caps):
    # When twenty jobs of each process call at once until they are refused
    program, words = "tests.integration.limits.spending_process", [database_url, json.dumps(caps), "20"]
    started = [ForkedProcess(program, [*words, first], os.environ, ROOT, tmp_path / first) for first in ("0", "20")]
    assert [process.wait(100) for process in started] == [0, 0]
    # Then what is in the ledger is within each cap
    spent = {scope: int(connection.execute(f"{SPENT[scope]} s".encode()).fetchone()[0]) for scope in caps}
    assert all(spent[scope] <= cap for scope, cap in caps.items())
    # And a cap alone is used but for less than one call's price; of several, each may stop the last jobs of another
    if len(caps) == 1:
        assert all(cap - 3 < spent[scope] for scope, cap in caps.items())
    # And the caps know exactly what the ledger knows
    (total,) = connection.execute("SELECT sum(credits) FROM worker.spend").fetchone()
    for scope in caps:
        assert sum(count for (name, _), count in used(connection).items() if name == scope) == total
    assert reserved(connection) == 0


async def test_without_caps_nothing_is_asked(connection, pool):
    budget = CreditBudget(pool, {}, LIFE)
    assert await pay(budget) is None
    assert (used(connection), reserved(connection)) == ({}, 0)


async def test_a_used_up_day_waits_for_midnight_and_says_what_to_do(connection, pool):
    budget = budget_of(pool, day=2)
    assert [await pay(budget), await pay(budget)] == [None, None]
    told = await pay(budget)
    assert told.hindrance is Hindrance.BUDGET
    (left,) = connection.execute(
        "SELECT date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - now() AT TIME ZONE 'UTC'"
    ).fetchone()
    assert abs(told.wait - left) < timedelta(minutes=2)
    assert "2 of 2" in told.detail
    assert "TRAWLER_BUDGETS" in told.detail


async def test_a_new_day_begins_with_nothing_used(connection, pool):
    budget = budget_of(pool, day=1, tenant_day=1)
    await pay(budget)
    assert await pay(budget) is not None
    connection.execute("UPDATE worker.budget_use SET day = day - 1")
    assert await pay(budget) is None


async def test_a_job_s_own_cap_has_no_day_and_is_no_wait(connection, pool):
    budget = budget_of(pool, job=1)
    await pay(budget)
    assert (await pay(budget)).hindrance is Hindrance.CREDIT_LIMIT
    assert await pay(budget, job_id="another") is None


async def test_a_call_that_a_later_cap_refuses_counts_under_none(connection, pool):
    budget = budget_of(pool, day=10, tenant_day=1)
    await pay(budget)
    assert await pay(budget) is not None
    assert used(connection) == {("day", "account"): 1, ("tenant_day", "tenant"): 1}


async def test_what_was_charged_takes_the_place_of_the_list_price(connection, pool):
    budget = budget_of(pool, day=10)
    await pay(budget, charged=0, credits=5)
    await pay(budget, charged=7, credits=5)
    assert used(connection) == {("day", "account"): 7}


async def test_credits_of_a_process_that_died_come_back_when_their_time_is_over(connection, pool):
    budget = budget_of(pool, day=1)
    await budget.admit(Permit(call()))
    assert await pay(budget) is not None
    connection.execute("UPDATE worker.budget_reservations SET expires_at = clock_timestamp()")
    assert await pay(budget) is None
    assert used(connection) == {("day", "account"): 1}


async def test_a_call_settled_after_its_reservation_ran_out_is_counted_all_the_same(connection, pool):
    budget = budget_of(pool, day=10)
    late = await budget.admit(Permit(call()))
    connection.execute("SELECT worker.release_expired_credits('provider')")
    connection.execute("UPDATE worker.budget_reservations SET expires_at = clock_timestamp()")
    connection.execute("SELECT worker.release_expired_credits('provider')")
    assert used(connection) == {("day", "account"): 0}
    await budget.answered(late, answered(credits=1))
    assert used(connection) == {("day", "account"): 1}


async def test_a_cap_set_in_the_middle_of_a_day_begins_with_what_the_ledger_knows(connection, pool):
    connection.execute(
        "INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits, spent_at)"
        " SELECT 'scraping_jobs', 'job', 'tenant', 'provider', 'account', 'search', 1, 4,"
        " clock_timestamp() - interval '1 day' * day FROM generate_series(0, 1) AS day"
    )
    budget = budget_of(pool, day=10, tenant_day=10, job=10)
    await pay(budget)
    assert used(connection) == {("day", "account"): 5, ("tenant_day", "tenant"): 5, ("job", "job"): 9}


async def test_a_postgres_that_is_away_makes_the_call_wait(database_url):
    away = make_pool("postgresql://127.0.0.1:1/none", "away", 1)
    away.timeout = 0.2
    await away.open(wait=False)
    told = await budget_of(away, day=1).admit(Permit(call()))
    await away.close()
    assert told.hindrance is Hindrance.BUDGET
    assert "Postgres is away" in told.detail
