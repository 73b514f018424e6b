"""`explain` says why a job is not running now; each state is set up by SQL on a database of its own."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis

from db.session import connect
from scripts.ops.explanation import show_explanation
from scripts.tables import console, show_json
from tests.jobs import insert_job
from worker.explaining.explanation import explain
from worker.explaining.picture import relative

LANE = "scrape.tiktok"
JOB_LANE = "job.send_trial_email"
TOKEN = "00000000-0000-0000-0000-000000000001"
LEASED = (
    f"state = 'leased', token = '{TOKEN}', owner = 'w1', epoch = 3, claimed_at = clock_timestamp() - interval '9 s'"
)
CLOSED = "state = 'closed', closed_at = clock_timestamp() - interval '5 min'"
RUNNING = "UPDATE scraping_jobs SET status = 'processing'"
NOTE = "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, evidence) SELECT id, 2, 'w1',"


@pytest.fixture
def fleet(connection):
    """Lanes, a reconciler that has been up for long, and a worker with free slots."""
    for lane in (LANE, JOB_LANE, "scrape.unroutable", "job.unroutable"):
        connection.execute("INSERT INTO worker.lanes (lane, max_running, max_per_tenant) VALUES (%s, 4, 2)", (lane,))
    connection.execute(
        "INSERT INTO worker.workers (id, kind, host, pid, slots, in_use, started_at) VALUES"
        " ('w1', 'worker', 'host-a', 42, 8, 1, clock_timestamp() - interval '1 h'),"
        " ('r1', 'reconciler', 'host-a', 43, 0, 0, clock_timestamp() - interval '1 h')"
    )


def add_task(connection, job_id, state="state = 'ready'", lane=LANE, tenant="user_1", table="scraping_jobs"):
    """The engine's record of a job, then brought to a state. The inbox is as empty as after an adoption."""
    connection.execute(
        "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state) VALUES (%s, %s, %s, %s, 'ready')",
        (table, job_id, lane, tenant),
    )
    connection.execute(f"UPDATE worker.tasks SET {state} WHERE job_id = %s", (job_id,))
    connection.execute("DELETE FROM worker.inbox")


def insert_background(connection, status="pending"):
    return connection.execute(
        "INSERT INTO background_jobs (job_type, payload, status) VALUES ('send_trial_email', '{}', %s)"
        " RETURNING id::text",
        (status,),
    ).fetchone()[0]


# Each case: the answer's code, words its sentence must hold, how the task is (None: there is none), what else is so.
CASES = {
    "a foreign status is left alone": (
        *("foreign_status", ["'searching'", "left alone"], None),
        ["UPDATE scraping_jobs SET status = 'searching'"],
    ),
    "pending with the inbox naming it": (
        *("in_inbox", ["in the inbox", "next tick"], None),
        ["INSERT INTO worker.inbox (job_table, job_id) SELECT 'scraping_jobs', id::text FROM scraping_jobs"],
    ),
    "pending with no reconciler alive": (
        *("no_reconciler", ["no reconciler is alive", "./run reconciler"], None),
        ["UPDATE worker.workers SET last_tick_at = clock_timestamp() - interval '1 min' WHERE kind = 'reconciler'"],
    ),
    "pending with a trigger gone": (
        *("no_trigger", ["triggers", "full sweep"], None),
        ["DROP TRIGGER trawler_inserted ON scraping_jobs"],
    ),
    "pending with a trigger disabled": (
        *("no_trigger", ["disabled", "full sweep"], None),
        ["ALTER TABLE scraping_jobs DISABLE TRIGGER trawler_pending"],
    ),
    "pending and told of by nobody": ("not_adopted", ["inbox does not name it"], None, []),
    "pending again after its task closed": ("not_adopted", ["next full sweep"], f"{CLOSED}, end_reason = 'done'", []),
    "processing without a task": ("orphan", ["nobody of ours runs it", "never was a task"], None, [RUNNING]),
    "processing with a closed task": ("orphan", ["its task is closed"], CLOSED, [RUNNING]),
    "no adapter serves it": (
        *("unroutable", ["no lane scrape.myspace", "scrape.unroutable"], "lane = 'scrape.unroutable'"),
        ["UPDATE scraping_jobs SET platform = ' MySpace'"],
    ),
    "retry after an error": (
        *("retrying", ["not due until", "in 4 min", "error number 2", "server_error: HTTP 503"]),
        "state = 'waiting', run_at = clock_timestamp() + interval '270 s', wait_reason = 'server_error', failures = 2",
        [RUNNING, f"{NOTE} 'retry', 'server_error', 'HTTP 503', NULL FROM worker.tasks"],
    ),
    "rate limited": (
        *("waiting", ["not due until", "in 1 min", "no attempt spent", "rate_limited: 429, Retry-After 60"]),
        "state = 'waiting', run_at = clock_timestamp() + interval '62 s', wait_reason = 'rate_limited', waits = 1",
        [RUNNING, f"{NOTE} 'wait', 'rate_limited', '429, Retry-After 60', NULL FROM worker.tasks"],
    ),
    "its worker died and it backs off": (
        *("backing_off", ["its worker died", "2 times in a row"]),
        "state = 'waiting', run_at = clock_timestamp() + interval '20 s', wait_reason = 'its worker died', crashes = 2",
        [RUNNING],
    ),
    "due, and about to be made ready": (
        *("due", ["was due at", "within a second"]),
        "state = 'waiting', run_at = clock_timestamp() - interval '1 s', wait_reason = 'rate_limited'",
        [],
    ),
    "due, and nobody makes it ready": (
        *("due", ["no reconciler is alive"]),
        "state = 'waiting', run_at = clock_timestamp() - interval '1 s', wait_reason = 'rate_limited'",
        ["DELETE FROM worker.workers WHERE kind = 'reconciler'"],
    ),
    "lane paused": (
        *("lane_paused", ["scrape.tiktok is paused", "wrong key"], "state = 'ready'"),
        ["UPDATE worker.lanes SET paused = true, pause_reason = 'wrong key'"],
    ),
    "lane cooling": (
        *("lane_cooling", ["cools down until", "in 5 min", "429 for all"], "state = 'ready'"),
        [
            (
                "UPDATE worker.lanes SET cooldown_until = clock_timestamp() + interval '301 s',"
                " cooldown_reason = '429 for all'"
            )
        ],
    ),
    "lane cooling for ever": (
        *("lane_cooling", ["9999-12-31"], "state = 'ready'"),
        ["UPDATE worker.lanes SET cooldown_until = 'infinity'"],
    ),
    "no worker alive": (
        *("no_worker", ["no worker is alive", "./run up"], "state = 'ready'"),
        ["UPDATE worker.workers SET last_tick_at = clock_timestamp() - interval '1 min' WHERE kind = 'worker'"],
    ),
    "lane full": (
        *("lane_full", ["full: 1 of 1 run"], "state = 'ready'"),
        ["UPDATE worker.lanes SET max_running = 1", "OTHER user_2 leased"],
    ),
    "tenant at its cap": (
        *("tenant_at_cap", ["tenant user_1 is at its cap", "2 of 2 run"], "state = 'ready'"),
        ["OTHER user_1 leased", "OTHER user_1 leased"],
    ),
    "all slots in use": (
        *("no_slot", ["All 8 slots of the 1 workers"], "state = 'ready'"),
        ["UPDATE worker.workers SET in_use = slots"],
    ),
    "others of its tenant and of others are before it": (
        # Of its own tenant the older one; of user_2 both, as user_2 has nothing running and was served longer ago.
        *("others_before", ["About 3 of the lane's 4 ready tasks", "number 2 of its tenant's own", "2 tenants"]),
        "state = 'ready'",
        [
            "UPDATE worker.workers SET in_use = slots - 1",
            *("OTHER user_1 ready", "OTHER user_2 ready", "OTHER user_2 ready"),
            (
                "INSERT INTO worker.tenant_turns VALUES ('scrape.tiktok', 'user_1', clock_timestamp()),"
                " ('scrape.tiktok', 'user_2', clock_timestamp() - interval '1 min')"
            ),
        ],
    ),
    "a tenant with much running does not stand before it": (
        *("next", ["next in its lane"], "state = 'ready'"),
        ["UPDATE worker.workers SET in_use = slots - 1", "OTHER user_2 leased", "OTHER user_2 ready"],
    ),
    "ready and next": ("next", ["next wake-up"], "state = 'ready'", []),
    "running": (
        *("running", ["w1 (host-a, pid 42)", "9 s ago", "in 51 s", "epoch 3", "in page 8"]),
        f"{LEASED}, expires_at = clock_timestamp() + interval '51 s'",
        [RUNNING, "INSERT INTO worker.checkpoints (task_id, seq, envelope) SELECT id, 7, '{}' FROM worker.tasks"],
    ),
    "running past its deadline": (
        *("running", ["deadline has passed"]),
        f"{LEASED}, expires_at = clock_timestamp() + interval '9 s', deadline_at = clock_timestamp() - interval '1 s'",
        [RUNNING],
    ),
    "reset by the application while it runs": (
        *("reset_outside", ["back to 'pending'", "w1"]),
        f"{LEASED}, expires_at = clock_timestamp() + interval '9 s'",
        [],
    ),
    "lease expired": (
        *("lease_expired", ["went silent", "ran out", "12 s ago", "sweep takes it"]),
        f"{LEASED}, expires_at = clock_timestamp() - interval '12 s'",
        [RUNNING],
    ),
    "lease expired and its process forgotten": (
        *("lease_expired", ["w1 (no longer among the processes)"]),
        f"{LEASED}, expires_at = clock_timestamp() - interval '12 s'",
        [RUNNING, "DELETE FROM worker.workers WHERE id = 'w1'"],
    ),
    "lease expired while the sweep waits": (
        *("sweep_waits", ["has just connected", "in 50 s"]),
        f"{LEASED}, expires_at = clock_timestamp() - interval '12 s'",
        [
            RUNNING,
            "UPDATE worker.workers SET started_at = clock_timestamp() - interval '10 s' WHERE kind = 'reconciler'",
        ],
    ),
    "lease expired and nobody sweeps": (
        *("lease_unswept", ["no reconciler is alive"]),
        f"{LEASED}, expires_at = clock_timestamp() - interval '12 s'",
        [RUNNING, "DELETE FROM worker.workers WHERE kind = 'reconciler'"],
    ),
    "parked with evidence": (
        *("parked", ["died 3 times", "rss_mb 1900", "last_page 12", "retry"]),
        "state = 'parked', closed_at = clock_timestamp(), end_reason = 'poison', crashes = 3",
        [
            "UPDATE scraping_jobs SET status = 'error', error = 'worker died 3 times'",
            f"{NOTE} 'crashed', 'lease_expired', NULL, '{{\"rss_mb\": 1900, \"last_page\": 12}}' FROM worker.tasks",
        ],
    ),
    "deadline passed": (
        *("deadline_passed", ["deadline passed at", "3 s ago", "the sweep ends it as 'timeout'"]),
        "deadline_at = clock_timestamp() - interval '3 s'",
        [RUNNING],
    ),
    "cancel asked for while it runs": (
        *("cancel_requested", ["by Ada", "next beat or page"]),
        (
            f"{LEASED}, expires_at = clock_timestamp() + interval '9 s', cancel_at = clock_timestamp(),"
            " cancel_reason = 'by Ada'"
        ),
        [RUNNING],
    ),
    "cancelled": (
        *("cancelled", ["was cancelled at", "by Ada"]),
        f"{CLOSED}, end_reason = 'cancelled', cancel_at = clock_timestamp(), cancel_reason = 'by Ada'",
        ["UPDATE scraping_jobs SET status = 'error', error = 'cancelled: by Ada'"],
    ),
    "completed because the target is reached": (
        *("completed", ["5 min ago", "its target is reached"], f"{CLOSED}, end_reason = 'target_reached'"),
        ["UPDATE scraping_jobs SET status = 'completed'"],
    ),
    "completed because the provider is exhausted": (
        *("completed", ["no more results"], f"{CLOSED}, end_reason = 'exhausted'"),
        ["UPDATE scraping_jobs SET status = 'completed'"],
    ),
    "given up with an error": (
        *("gave_up", ["not_found", "HTTP 404 for @lamp"], f"{CLOSED}, end_reason = 'not_found'"),
        ["UPDATE scraping_jobs SET status = 'error', error = 'HTTP 404 for @lamp'"],
    ),
    "timed out": (
        *("timeout", ["timed out at", "what was found is kept"], f"{CLOSED}, end_reason = 'deadline'"),
        ["UPDATE scraping_jobs SET status = 'timeout'"],
    ),
    "ended by the application": (
        *("outside", ["The application ended it", "'error'"], f"{CLOSED}, end_reason = 'outside'"),
        ["UPDATE scraping_jobs SET status = 'error'"],
    ),
    "ended by the application while its task is open": (
        *("outside", ["The application ended it", "its task is ready", "will close"], "state = 'ready'"),
        ["UPDATE scraping_jobs SET status = 'completed'"],
    ),
    "ended before we knew it": (
        *("ended_without_us", ["never was a task"], None),
        ["UPDATE scraping_jobs SET status = 'completed'"],
    ),
    "deleted by the application": (
        *("deleted", ["deleted the row"], "state = 'ready'"),
        ["DELETE FROM scraping_jobs"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_scraping_job_is_explained(connection, fleet, case):
    code, words, state, others = CASES[case]
    # Given
    job_id = insert_job(connection)
    for other in (o for o in others if o.startswith("OTHER")):
        _, tenant, other_state = other.split()
        lease = f"{LEASED}, expires_at = clock_timestamp() + interval '9 s'".replace(TOKEN, str(uuid4()))
        add_task(connection, str(uuid4()), lease if other_state == "leased" else "state = 'ready'", tenant=tenant)
    connection.execute("DELETE FROM worker.inbox")
    if state is not None:
        add_task(connection, job_id, state)
    for statement in (o for o in others if not o.startswith("OTHER")):
        connection.execute(statement)
    # When
    explanation = explain(connection, None, job_id)
    # Then
    assert explanation.code == code, explanation.sentence
    assert [word for word in words if word not in explanation.sentence] == [], explanation.sentence


@pytest.mark.parametrize(
    ("code", "words", "status", "state"),
    [
        ("not_adopted", ["pending"], "pending", None),
        ("foreign_status", ["'timeout'", "left alone"], "timeout", None),
        ("gave_up", ["no such mailbox"], "failed", f"{CLOSED}, end_reason = 'fail'"),
        ("completed", ["its handler is done"], "completed", f"{CLOSED}, end_reason = 'done'"),
        ("next", ["next in its lane"], "pending", "state = 'ready'"),
        (
            *("scheduled", ["not due until", "in 2 h", "scheduled for then"], "pending"),
            "state = 'waiting', run_at = clock_timestamp() + interval '121 min', wait_reason = 'scheduled'",
        ),
        (
            *("running", ["host-a", "page 1"], "processing"),
            f"{LEASED}, expires_at = clock_timestamp() + interval '9 s'",
        ),
    ],
)
def test_a_background_job_is_explained(connection, fleet, code, words, status, state):
    job_id = insert_background(connection, status)
    connection.execute("UPDATE background_jobs SET error = 'no such mailbox'")
    connection.execute("DELETE FROM worker.inbox")
    if state is not None:
        add_task(connection, job_id, state, JOB_LANE, table="background_jobs")
    explanation = explain(connection, None, job_id)
    assert (explanation.job_table, explanation.code) == ("background_jobs", code), explanation.sentence
    assert [word for word in words if word not in explanation.sentence] == [], explanation.sentence


def test_an_id_that_names_nothing_is_none_and_no_id_is_an_error(connection):
    assert explain(connection, None, str(uuid4())) is None
    with pytest.raises(ValueError, match="badly formed"):
        explain(connection, None, "lamp")


def test_the_history_tells_attempts_pages_and_waits_in_order_of_time(connection, fleet, capsys):
    # Given two pages by a first slice, a wait, a page by a second slice that crashed, and a third that runs
    job_id = insert_job(connection, status="processing")
    add_task(connection, job_id, f"{LEASED}, expires_at = clock_timestamp() + interval '51 s'")
    connection.execute(
        "INSERT INTO worker.pages SELECT t.id, p.seq, p.epoch, 'lamp', p.seq * 30, 30, 20, 9, 1, 1,"
        "       clock_timestamp() - p.ago"
        "  FROM worker.tasks t, (VALUES (1, 1, interval '10 min'), (2, 1, interval '9 min'), (3, 2, interval '5 min'))"
        "    AS p (seq, epoch, ago)"
    )
    connection.execute(
        "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, evidence, started_at, ended_at)"
        " SELECT t.id, a.epoch, 'w0', a.outcome, a.reason, a.detail, a.evidence::jsonb,"
        "        clock_timestamp() - a.began, clock_timestamp() - a.ended"
        "   FROM worker.tasks t, (VALUES"
        "        (1, 'wait', 'rate_limited', '429', '{}', interval '11 min', interval '8 min'),"
        "        (2, 'crashed', 'lease_expired', NULL, '{\"rss_mb\": 1900}', interval '6 min', interval '4 min'))"
        "     AS a (epoch, outcome, reason, detail, evidence, began, ended)"
    )
    # When
    explanation = explain(connection, None, job_id)
    # Then
    assert [event.kind for event in explanation.history] == [
        "page",
        "page",
        "attempt",
        "wait",
        "page",
        "attempt",
        "wait",
    ]
    texts = [event.text for event in explanation.history]
    assert texts[0] == "1 of 'lamp' at '30': 30 items, 20 stored, 9 duplicates, 1 unreadable, 1 credits"
    assert texts[2] == "epoch 1 by w0: wait, rate_limited 429 (after 180.0 s)"
    assert texts[3].startswith("rate_limited, until")
    assert "(6 min ago)" in texts[3]
    assert texts[5] == "epoch 2 by w0: crashed, lease_expired rss_mb 1900 (after 120.0 s)"
    assert "(9 s ago)" in texts[6]
    assert explanation.history[5].facts["evidence"] == {"rss_mb": 1900}
    # And a person reads the sentence first, a program the same as JSON
    capsys.readouterr()
    with console.capture() as captured:
        show_explanation(explanation)
    assert captured.get().startswith("It is running: w1 (host-a, pid 42)")
    show_json(explanation.to_json())
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], len(told["history"]), told["history"][0]["facts"]["seq"]) == ("running", 7, 1)


def test_the_facts_hold_the_lane_the_processes_and_the_list_in_redis(connection, fleet, redis_url):
    job_id = insert_job(connection)
    add_task(connection, job_id)
    with redis.Redis.from_url(redis_url) as client:
        client.rpush(f"trawler:{LANE}", "a", "b", "c")
        facts = explain(connection, client, job_id).facts
    assert facts["wake-ups in Redis"] == 3
    assert facts["lane"] == "scrape.tiktok: 0 of 4 run, 1 ready of 1 tenants"
    assert facts["workers alive"] == "1, 1 of 8 slots in use"
    assert facts["reconcilers alive"] == 1


def test_a_redis_that_does_not_answer_is_told_and_hides_nothing(connection, fleet, unused_tcp_port):
    job_id = insert_job(connection)
    add_task(connection, job_id)
    with redis.Redis(port=unused_tcp_port, socket_connect_timeout=1) as client:
        explanation = explain(connection, client, job_id)
    assert explanation.code == "next"
    assert "does not answer" in explanation.facts["wake-ups in Redis"]


def test_explaining_changes_nothing_and_takes_no_lock(connection, fleet, database_url):
    job_id = insert_job(connection)
    add_task(connection, job_id)
    with connect(database_url) as other, connection.transaction():
        connection.execute("SELECT FROM worker.tasks, worker.lanes FOR UPDATE")
        other.execute("SET lock_timeout = '1s'")
        other.execute("SET default_transaction_read_only = on")
        assert explain(other, None, job_id).code == "next"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s ago"), (12, "in 12 s"), (-59, "59 s ago"), (270, "in 4 min"), (-7300, "2 h ago"), (200_000, "in 2 d")],
)
def test_distances_are_told_in_the_largest_unit_that_fits(seconds, text):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert relative(now + timedelta(seconds=seconds), now) == text
