"""Retention of the engine's own tables: what goes, what stays, how much at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from db.queries.pruning import DELETE_ATTEMPTS, DELETE_CLOSED, FINAL
from db.session import connect
from worker.pruning import Pruned, prune

DAY = timedelta(days=1)
AGES = {"closed_after": 90 * DAY, "attempts_after": 14 * DAY, "keys_after": 30 * DAY, "profiles_after": 60 * DAY}
LEDGER = ("checkpoints", "pages", "seen_creators", "attempts", "quarantine")


@pytest.fixture
def connection(connection: psycopg.Connection) -> psycopg.Connection:
    """The test's database with the one lane its tasks are in."""
    connection.execute("INSERT INTO worker.lanes (lane, max_running, max_per_tenant) VALUES ('lane', 9, 9)")
    return connection


def run(connection: psycopg.Connection, batch: int = 100, most_batches: int = 100, **ages: timedelta) -> Pruned:
    return prune(connection, **(AGES | ages), batch=batch, most_batches=most_batches)


def insert_row(connection: psycopg.Connection, table: str, status: str) -> str:
    columns, values = {
        "scraping_jobs": ("user_id, target_results, status", "'user_1', 100, %s"),
        "background_jobs": ("job_type, payload, status", "'x', '{}', %s"),
    }[table]
    row = connection.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id::text".encode(), (status,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def insert_task(
    connection: psycopg.Connection,
    row: str | None = "completed",
    state: str = "closed",
    table: str = "scraping_jobs",
    days: float = 100,
    tenant: str = "tenant",
    epoch: int = 1,
) -> int:
    """A task that got into its state so many days ago, with one line in each table that hangs on it; give its id."""
    job_id = str(uuid4()) if row is None else insert_row(connection, table, row)
    found = connection.execute(
        """
        INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, epoch, adopted_at, run_at, closed_at, token,
                                  expires_at)
        SELECT %(table)s, %(job_id)s, 'lane', %(tenant)s, %(state)s::text, %(epoch)s, at, at,
               CASE WHEN %(state)s IN ('closed', 'parked') THEN at END,
               CASE WHEN %(state)s = 'leased' THEN gen_random_uuid() END, CASE WHEN %(state)s = 'leased' THEN at END
          FROM (SELECT clock_timestamp() - %(ago)s AS at) t
        RETURNING id
        """,
        {"table": table, "job_id": job_id, "tenant": tenant, "state": state, "epoch": epoch, "ago": days * DAY},
    ).fetchone()
    assert found is not None
    task = found[0]
    connection.execute("INSERT INTO worker.checkpoints (task_id, seq, envelope) VALUES (%s, 1, '{}')", (task,))
    connection.execute("INSERT INTO worker.pages VALUES (%s, 1, 1, 'ok', '0', 1, 1, 0, 0, 1)", (task,))
    connection.execute("INSERT INTO worker.seen_creators VALUES (%s, 'key')", (task,))
    insert_attempts(connection, task, 1, days)
    connection.execute(
        "INSERT INTO worker.quarantine (task_id, seq, provider, endpoint, adapter_version, reason, message, raw)"
        " VALUES (%s, 1, 'p', 'e', 1, 'r', 'm', '{}')",
        (task,),
    )
    return int(task)


def insert_attempts(connection: psycopg.Connection, task: int, count: int, days: float) -> None:
    connection.execute(
        "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, ended_at)"
        " SELECT %s, n, 'owner', 'continue', 'r', clock_timestamp() - %s FROM generate_series(1, %s) AS n",
        (task, days * DAY, count),
    )


def tasks(connection: psycopg.Connection) -> set[int]:
    return {task for (task,) in connection.execute("SELECT id FROM worker.tasks")}


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("table", "status"),
    [
        *[("scraping_jobs", status) for status in ("completed", "error", "timeout", "cancelled", None)],
        *[("background_jobs", status) for status in ("completed", "failed", None)],
    ],
)
def test_a_task_closed_long_ago_goes_with_all_that_hangs_on_it_once_its_row_is_final_or_gone(connection, table, status):
    insert_task(connection, status, table=table)
    rows = count(connection, table)
    assert run(connection).tasks == 1
    assert {name: count(connection, f"worker.{name}") for name in ("tasks", *LEDGER)} == dict.fromkeys(
        ("tasks", *LEDGER), 0
    )
    assert count(connection, table) == rows


@pytest.mark.parametrize(
    ("table", "status"),
    [
        *[("scraping_jobs", status) for status in ("pending", "processing", "searching")],
        *[("background_jobs", status) for status in ("pending", "processing")],
    ],
)
def test_a_task_closed_long_ago_stays_while_its_row_may_go_on(connection, table, status):
    insert_task(connection, status, table=table)
    assert run(connection) == Pruned(0, 0, 0, 0, 0, 0)
    assert [count(connection, f"worker.{name}") for name in ("tasks", *LEDGER)] == [1] * 6


def test_a_task_whose_row_was_set_back_to_pending_stays_though_its_end_is_old(connection):
    task = insert_task(connection, "error")
    connection.execute("UPDATE scraping_jobs SET status = 'pending'")
    assert run(connection).tasks == 0
    assert tasks(connection) == {task}
    # And it may go again when the retry has ended and that is long ago
    connection.execute("UPDATE scraping_jobs SET status = 'completed'")
    assert run(connection).tasks == 1


def test_a_task_closed_lately_stays(connection):
    kept, _ = insert_task(connection, days=89), insert_task(connection, days=91)
    assert run(connection).tasks == 1
    assert tasks(connection) == {kept}


@pytest.mark.parametrize("state", ["ready", "waiting", "leased"])
@pytest.mark.parametrize("row", ["processing", "completed", None])
def test_an_open_task_is_never_touched_whatever_its_row_says(connection, state, row):
    insert_task(connection, row, state, days=1000)
    before = connection.execute("SELECT t.*, t.xmin, t.xmax FROM worker.tasks t").fetchall()
    assert run(connection) == Pruned(0, 0, 0, 0, 0, 0)
    assert connection.execute("SELECT t.*, t.xmin, t.xmax FROM worker.tasks t").fetchall() == before
    assert [count(connection, f"worker.{name}") for name in LEDGER] == [1] * 5


def test_a_parked_task_stays_until_its_row_is_gone(connection):
    kept = insert_task(connection, "error", "parked")
    insert_task(connection, None, "parked")
    assert run(connection).tasks == 1
    assert tasks(connection) == {kept}


def test_a_running_task_that_its_worker_holds_locked_is_not_waited_for(connection, database_url):
    # Given old closed tasks, one of them locked by somebody who is just reopening it
    held, _ = insert_task(connection), insert_task(connection)
    with connect(database_url, autocommit=False) as other:
        other.execute("UPDATE worker.tasks SET state = 'ready', closed_at = NULL WHERE id = %s", (held,))
        # Then the other one goes, at once
        connection.execute("SET lock_timeout = '1ms'")
        assert run(connection).tasks == 1
        other.commit()
    assert run(connection).tasks == 0
    assert tasks(connection) == {held}


def test_old_attempts_of_an_open_task_go_save_the_newest_twenty(connection):
    # Given an open task with 30 old attempts (one is the helper's) and 15 new ones, and one with few
    task, few = (insert_task(connection, "processing", "waiting", epoch=epoch) for epoch in (45, 20))
    insert_attempts(connection, task, 29, days=100)
    insert_attempts(connection, task, 15, days=1)
    insert_attempts(connection, few, 19, days=100)
    newest = connection.execute(
        "SELECT id FROM worker.attempts WHERE task_id = %s ORDER BY id DESC LIMIT 20", (task,)
    ).fetchall()
    # Then 25 of the old ones go: of the newest twenty five are old, and stay
    assert run(connection, batch=10).attempts == 25
    assert (
        connection.execute("SELECT id FROM worker.attempts WHERE task_id = %s ORDER BY id DESC", (task,)).fetchall()
        == newest
    )
    assert count(connection, "worker.attempts") == 40


def test_attempts_that_are_not_old_stay_however_many(connection):
    task = insert_task(connection, "processing", "leased", days=1, epoch=60)
    insert_attempts(connection, task, 59, days=13)
    assert run(connection).attempts == 0


def test_attempts_of_an_ended_task_stay_as_long_as_the_task(connection):
    for state in ("closed", "parked"):
        insert_attempts(connection, insert_task(connection, "error", state, days=80, epoch=60), 59, days=80)
    assert run(connection).attempts == 0


def test_old_keys_and_profiles_go_by_their_age(connection):
    connection.execute(
        "INSERT INTO worker.enqueue_keys"
        " SELECT n, 'scraping_jobs', n, clock_timestamp() - n * interval '1 day' FROM generate_series(25, 35) AS n"
    )
    connection.execute(
        "INSERT INTO worker.creator_profiles"
        " SELECT 'tiktok', n, 'p', '{}', clock_timestamp() - n * interval '1 day' FROM generate_series(55, 65) AS n"
    )
    pruned = run(connection, batch=2)
    assert (pruned.enqueue_keys, pruned.creator_profiles) == (6, 6)
    assert connection.execute("SELECT max(job_id) FROM worker.enqueue_keys").fetchone() == ("29",)
    assert connection.execute("SELECT max(creator_id) FROM worker.creator_profiles").fetchone() == ("59",)


def test_turns_go_of_tenants_without_open_tasks_that_were_not_served_for_long(connection):
    # Given tenants not served for long, with an open task or without, and one served lately
    for state in ("ready", "waiting", "leased"):
        insert_task(connection, "processing", state, tenant=state)
    insert_task(connection, "completed", days=1, tenant="ended")
    for tenant, days in {"ready": 100, "waiting": 100, "leased": 100, "ended": 100, "none": 100, "lately": 80}.items():
        connection.execute(
            "INSERT INTO worker.tenant_turns VALUES ('lane', %s, clock_timestamp() - %s)", (tenant, days * DAY)
        )
    connection.execute("INSERT INTO worker.tenant_turns VALUES ('other', 'ready', '2020-01-01')")
    # Then those go that have nothing open in their lane
    assert run(connection).tenant_turns == 3
    assert connection.execute("SELECT lane, tenant FROM worker.tenant_turns ORDER BY tenant").fetchall() == [
        ("lane", tenant) for tenant in ("lately", "leased", "ready", "waiting")
    ]


def fill(connection: psycopg.Connection) -> None:
    """Fifty of everything that may go."""
    for _ in range(50):
        insert_task(connection)
    insert_attempts(connection, insert_task(connection, "processing", "ready", epoch=70), 69, days=100)
    connection.execute(
        "INSERT INTO worker.enqueue_keys SELECT n, '', '', '2020-01-01' FROM generate_series(1, 50) AS n"
    )
    connection.execute(
        "INSERT INTO worker.creator_profiles"
        " SELECT 'tiktok', n, 'p', '{}', '2020-01-01' FROM generate_series(1, 50) AS n"
    )
    connection.execute(
        "INSERT INTO worker.tenant_turns SELECT 'lane', n, '2020-01-01' FROM generate_series(1, 50) AS n"
    )
    connection.execute(
        "INSERT INTO worker.searches (job_id, created_at) SELECT n, '2020-01-01' FROM generate_series(1, 50) AS n"
    )


def test_a_run_takes_no_more_than_its_batches(connection):
    fill(connection)
    assert run(connection, batch=7, most_batches=3) == Pruned(21, 21, 21, 21, 21, 21)
    assert run(connection, batch=7, most_batches=1) == Pruned(7, 7, 7, 7, 7, 7)
    assert run(connection, batch=7) == Pruned(22, 22, 22, 22, 22, 22)


def test_tasks_that_stay_do_not_keep_a_run_from_the_newer_ones(connection):
    # Given more tasks that stay than a batch, all older than those that may go
    for _ in range(20):
        insert_task(connection, "error", "parked", days=200)
    for _ in range(20):
        insert_task(connection)
    assert run(connection, batch=3).tasks == 20


def test_each_batch_is_kept_even_when_a_later_one_fails(connection):
    fill(connection)
    connection.execute("ALTER TABLE worker.enqueue_keys RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        run(connection, batch=7)
    assert len(tasks(connection)) == 1


def test_pruners_at_once_share_the_work_and_none_fails(connection, database_url):
    fill(connection)
    together = Barrier(6)

    def work(_: int) -> list[Pruned]:
        with connect(database_url) as own:
            together.wait(30)
            return [run(own, batch=5) for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        runs = [pruned for found in pool.map(work, range(6)) for pruned in found]
    # A batch cut short by another's locks ends a run early; whatever was left goes now, and all was counted once
    runs.append(run(connection))
    assert [sum(getattr(pruned, name) for pruned in runs) for name in Pruned.__slots__] == [50] * 6
    assert len(tasks(connection)) == 1


def plan(connection: psycopg.Connection, statement: str, **parameters: Any) -> str:
    """The plan as it ran, without keeping what it did."""
    with connection.transaction(force_rollback=True):
        rows = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}".encode(), parameters).fetchall()
    return "\n".join(line for (line,) in rows)


@pytest.mark.slow
def test_with_a_hundred_thousand_tasks_no_statement_reads_them_all(connection):
    # Given tasks closed within two days, with their rows and attempts, and an open one with many attempts
    connection.execute(
        "INSERT INTO scraping_jobs (id, user_id, target_results, status)"
        " SELECT md5(n::text)::uuid, 'user_1', 100, 'completed' FROM generate_series(1, 100000) AS n"
    )
    connection.execute(
        "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, epoch, closed_at)"
        " SELECT 'scraping_jobs', md5(n::text)::uuid, 'lane', 'tenant', 'closed', 30,"
        " clock_timestamp() - n * interval '1 second' FROM generate_series(1, 100000) AS n"
    )
    connection.execute(
        "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, ended_at)"
        " SELECT id, 1, 'owner', 'completed', 'r', closed_at FROM worker.tasks"
    )
    insert_attempts(connection, insert_task(connection, "processing", "waiting", epoch=60), 60, days=100)
    connection.execute("ANALYZE scraping_jobs, worker.tasks, worker.attempts")
    # Then a batch of tasks comes from their index and reads no others, whether most are old or none is
    for age in (DAY / 24, 90 * DAY):
        closed = plan(connection, DELETE_CLOSED, age=age, since="-infinity", final=FINAL, batch=500)
        assert "Seq Scan" not in closed
        assert "Index Scan using tasks_closed" in closed
        assert "Index Scan using scraping_jobs_pkey" in closed
        assert "Rows Removed by Filter" not in closed
    assert run(connection, batch=500, most_batches=2, closed_after=DAY / 24).tasks == 1000
    # And attempts are found by the open tasks
    assert "Seq Scan" not in plan(connection, DELETE_ATTEMPTS, age=14 * DAY, keep=20, batch=500)
