"""A state machine whose rules are the engine's statements, in any order, over what it takes to be true after each."""

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from db.queries import adopting, beating, cancelling, grouping, lanes, overdue, sweeping
from db.queries.claiming import Claimed
from db.queries.grouping import GroupJob
from tests.integration.engine.steps import JOB_LANE, TTL, page_of
from tests.jobs import insert_job, retry_jobs
from tests.model.checks import ENDINGS, FINAL, PARK_AFTER, check_row_change, check_task, check_task_change
from tests.model.groups import NOBODY, Groups
from tests.model.world import (
    LANES,
    MAX_PER_TENANT,
    MAX_RUNNING,
    OPEN,
    TABLES,
    Snapshot,
    World,
    passed,
)

MOST_JOBS = 6


HOUR = "interval '1 hour'"
SCRAPING_CHANGES = {
    "ended as completed": "status = 'completed'",
    "ended as error": "status = 'error'",
    "ended as timeout": "status = 'timeout'",
    "ended in a word of its own": "status = 'cancelled'",
    "set to pending": "status = 'pending'",
    "deadline moved back": f"timeout_at = worker.utc_now() - {HOUR}",
    "deadline moved on": f"timeout_at = worker.utc_now() + {HOUR}",
    "deadline taken away": "timeout_at = NULL",
    "target lowered": "target_results = greatest(target_results / 2, 1)",
    "target raised": "target_results = target_results + 5",
}
BACKGROUND_CHANGES = {
    "ended as completed": "status = 'completed'",
    "ended as failed": "status = 'failed'",
    "set to pending": "status = 'pending'",
    "put off": f"scheduled_for = worker.utc_now() + {HOUR}",
    "brought forward": f"scheduled_for = worker.utc_now() - {HOUR}",
    "made urgent": "priority = 1",
}


picks = st.integers(0, 11)


class Engine(Groups, RuleBasedStateMachine):
    """Workers, reconcilers, operators and the application, one statement at a time."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.inserted = 0
        self.given: list[Claimed] = []
        self.given_groups: dict[UUID, list[GroupJob]] = {}
        self.capped: dict[str, int] = {}
        self.world.start_anew()
        self.now = self.world.look()

    # What the rules choose from

    def _valid(self) -> list[Claimed]:
        return [held for held in self.given if self.now.tasks[held.job_id]["token"] == str(held.token)]

    def _zombies(self) -> list[Claimed]:
        return [held for held in self.given if self.now.tasks[held.job_id]["token"] != str(held.token)]

    def _scraping(self, held: list[Claimed]) -> list[Claimed]:
        return [one for one in held if one.job_table == "scraping_jobs"]

    def _rows(self, table: str) -> list[str]:
        return sorted(job_id for job_id, row in self.now.rows.items() if row["table"] == table)

    # The application

    @initialize()
    def two_jobs(self) -> None:
        self.insert("scraping_jobs", "user_1", 8)
        self.insert("background_jobs", "user_1", 8)
        for table, lane in zip(TABLES, LANES, strict=True):
            self.adopt(table, 1000)
            self.claim(lane, "a", 1)

    @precondition(lambda self: len(self.now.rows) < MOST_JOBS)
    @rule(table=st.sampled_from(TABLES), user=st.sampled_from(["user_1", "user_2", NOBODY]), wanted=st.integers(1, 12))
    def insert(self, table: str, user: str, wanted: int) -> None:
        # Ids in order, because adoption follows them and an example must run the same way twice.
        self.inserted += 1
        job_id = UUID(int=self.inserted)
        if table == "scraping_jobs":
            insert_job(self.world.connection, id=job_id, user_id=user, target_results=wanted)
        else:
            self.world.run_sql(
                "INSERT INTO background_jobs (id, job_type, payload)"
                " VALUES (%s, 'noop', jsonb_strip_nulls(jsonb_build_object('userId', nullif(%s::text, %s))))",
                job_id,
                user,
                NOBODY,
            )
        self._after("application")

    @precondition(lambda self: self._rows("scraping_jobs"))
    @rule(pick=picks, change=st.sampled_from(sorted(SCRAPING_CHANGES)))
    def application_changes_a_scraping_job(self, pick: int, change: str) -> None:
        job_id = _one(self._rows("scraping_jobs"), pick)
        self.world.run_sql(f"UPDATE scraping_jobs SET {SCRAPING_CHANGES[change]} WHERE id = %s::uuid", job_id)
        self._after("application", job_id)

    @precondition(lambda self: self._rows("background_jobs"))
    @rule(pick=picks, change=st.sampled_from(sorted(BACKGROUND_CHANGES)))
    def application_changes_a_background_job(self, pick: int, change: str) -> None:
        job_id = _one(self._rows("background_jobs"), pick)
        self.world.run_sql(f"UPDATE background_jobs SET {BACKGROUND_CHANGES[change]} WHERE id = %s::uuid", job_id)
        self._after("application", job_id)

    @precondition(lambda self: len(self.now.rows) > 2)
    @rule(pick=picks)
    def application_deletes_a_job_with_its_results(self, pick: int) -> None:
        job_id = _one(sorted(self.now.rows), pick)
        self.world.run_sql("DELETE FROM scraping_results WHERE job_id = %s::uuid", job_id)
        for table in TABLES:
            self.world.run_sql(f"DELETE FROM {table} WHERE id = %s::uuid", job_id)
        self._after("delete", job_id)

    # The reconciler

    @rule(table=st.sampled_from(TABLES), batch=st.sampled_from([1, 1000]))
    def adopt(self, table: str, batch: int) -> None:
        adopting.adopt_from_inbox(self.world.connection, table, batch)
        self._after("adopt")

    @rule(table=st.sampled_from(TABLES))
    def adopt_missed(self, table: str) -> None:
        adopting.adopt_missed(self.world.connection, table, 1000)
        self._after("adopt")

    @rule()
    def follow_changes(self) -> None:
        adopting.follow_changes(self.world.connection, 1000)
        self._after("follow")

    @rule()
    def close_foreign(self) -> None:
        sweeping.close_foreign(self.world.connection, 1000)
        self._after("close_foreign")

    @precondition(lambda self: self.now.in_state("waiting"))
    @rule(rows_too=st.booleans())
    def promote_after_a_while(self, rows_too: bool) -> None:
        self._let_waits_pass(rows_too)
        sweeping.promote_due(self.world.connection, 1000)
        self._after("promote")

    @precondition(lambda self: self.now.in_state("leased"))
    @rule(pick=picks)
    def a_lease_runs_out(self, pick: int) -> None:
        task = _one(self.now.in_state("leased"), pick)
        self.world.run_sql(
            "UPDATE worker.tasks SET expires_at = clock_timestamp() - interval '1 s' WHERE id = %s", task["id"]
        )
        self._after("time")

    @precondition(lambda self: any(passed(task["expires_at"]) for task in self.now.in_state("leased")))
    @rule()
    def sweep_dead_leases(self) -> None:
        dead = {task["job_id"] for task in self.now.in_state("leased") if passed(task["expires_at"])}
        swept = sweeping.sweep_dead_leases(self.world.connection, PARK_AFTER, 1000)
        assert {one.job_id for one in swept} == dead
        self._after("sweep", *dead)

    @precondition(lambda self: self.now.in_state("leased"))
    @rule(pick=picks)
    def a_worker_dies_and_another_takes_over(self, pick: int) -> None:
        lane = _one(self.now.in_state("leased"), pick)["lane"]
        self.a_lease_runs_out(pick)
        self.sweep_dead_leases()
        if self.now.in_state("waiting"):
            self.promote_after_a_while(rows_too=True)
        self.claim(lane, "b", 1)

    @precondition(lambda self: self.now.in_state(*OPEN))
    @rule(pick=picks)
    def a_deadline_passes(self, pick: int) -> None:
        job_id = _one(self.now.in_state(*OPEN), pick)["job_id"]
        self.world.run_sql(
            f"UPDATE worker.tasks SET deadline_at = clock_timestamp() - {HOUR}"
            " WHERE job_id = %s AND deadline_at IS NOT NULL",
            job_id,
        )
        self.world.run_sql(
            f"UPDATE scraping_jobs SET timeout_at = worker.utc_now() - {HOUR}"
            " WHERE id = %s::uuid AND timeout_at IS NOT NULL",
            job_id,
        )
        self._after("time")

    @rule()
    def sweep_overdue(self) -> None:
        overdue.sweep_overdue(self.world.connection, 1000)
        self._after("overdue")

    # Operators

    @precondition(lambda self: self.now.rows)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        job_id = _one(sorted(self.now.rows), pick)
        task = self.now.tasks.get(job_id)
        not_adopted = "pending" if self.now.rows[job_id]["status"] == "pending" else None
        before = cancelling.cancel(self.world.connection, job_id, "not wanted")
        assert before == (task["state"] if task and task["state"] in OPEN else not_adopted)
        self._after("cancel", job_id)
        if before == "pending":
            assert self.now.rows[job_id]["status"] in FINAL[1:]
        elif before is not None and before != "leased":
            assert self.now.tasks[job_id]["state"] == "closed"

    @precondition(lambda self: self.now.rows)
    @rule()
    def ops_retry(self) -> None:
        jobs = sorted(self.now.rows)
        again = retry_jobs(self.world.connection, jobs)
        running = {task["job_id"] for task in self.now.in_state("leased")}
        ended = {job_id for job_id in jobs if self.now.rows[job_id]["status"] in FINAL[1:]} - running
        assert again == ended
        self._after("retry", *again)

    @rule(lane=st.sampled_from(LANES), paused=st.booleans())
    def pause_or_resume(self, lane: str, paused: bool) -> None:
        if paused:
            lanes.pause(self.world.connection, [lane], "looked at")
        else:
            lanes.resume(self.world.connection, [lane])
        self._after("lane")

    # Workers

    @rule(lane=st.sampled_from(LANES), owner=st.sampled_from(["a", "b"]), slots=st.integers(1, 3))
    def claim(self, lane: str, owner: str, slots: int) -> None:
        tokens = [uuid4() for _ in range(slots)]
        claimed = self.world.claim(lane, owner, tokens)
        before = self.now
        self.given += claimed
        self._after("claim", *(held.job_id for held in claimed))
        if before.lanes[lane]["paused"]:
            self._nothing_happened_since(before)
        elif len(claimed) < slots:
            self._the_lane_is_full_or_empty(lane)
        for held in claimed:
            task, row = self.now.tasks[held.job_id], self.now.rows[held.job_id]
            assert (task["token"], task["owner"], row["status"]) == (str(held.token), owner, "processing")
        # A reply that was lost: asked again, the answer is the same.
        if claimed:
            again = self.world.claim(lane, owner, tokens)
            assert sorted(again, key=lambda held: held.id) == sorted(claimed, key=lambda held: held.id)
            self._nothing_happened_since(self.now)

    @precondition(lambda self: self._valid())
    @rule(pick=picks)
    def beat(self, pick: int) -> None:
        held = _one(self._valid(), pick)
        task = self.now.tasks[held.job_id]
        (renewed,) = beating.renew(self.world.connection, [held.id], [held.token], TTL)
        assert renewed.cancelled == (None if task["cancel_at"] is None else "not wanted")
        self._after("beat", held.job_id)
        assert not passed(self.now.tasks[held.job_id]["expires_at"])
        assert {**self.now.tasks[held.job_id], "expires_at": None} == {**task, "expires_at": None}

    @precondition(lambda self: self._scraping(self._valid()))
    @rule(pick=picks, keys=st.lists(st.sampled_from("abcdefghijklmno"), max_size=6, unique=True))
    def page(self, pick: int, keys: list[str]) -> None:
        held = _one(self._scraping(self._valid()), pick)
        before, row = self.now, self.now.rows.get(held.job_id)
        answer = self.world.commit_page(page_of(held, before.next_seq(held.id), keys))
        assert answer.owned
        if row is None or row["status"] != "processing":
            assert not answer.row_open
            assert not answer.page_new
            self._nothing_happened_since(before)
            return
        fresh = [key for key in keys if f"{held.id}:{key}" not in before.seen]
        room = max(row["target_results"] - row["processed_results"], 0)
        assert (answer.page_new, answer.stored, answer.cut) == (True, min(room, len(fresh)), len(fresh) > room)
        assert answer.duplicates == len(keys) - len(fresh)
        self.capped[held.job_id] = max(self.capped.get(held.job_id, 0), row["target_results"])
        self._after("page", held.job_id)
        assert self.now.creators_of(held.job_id)[-answer.stored :] or not answer.stored
        task = self.now.tasks[held.job_id]
        assert (task["failures"], task["crashes"], task["waits"]) == (0, 0, 0)

    @precondition(lambda self: any(self.now.pages_of(held.id) for held in self._scraping(self._valid())))
    @rule(pick=picks, keys=st.lists(st.sampled_from("abcdefxyz"), max_size=4, unique=True))
    def page_that_is_in_already(self, pick: int, keys: list[str]) -> None:
        held = _one([one for one in self._scraping(self._valid()) if self.now.pages_of(one.id)], pick)
        before, stored = self.now, _one(self.now.pages_of(held.id), pick)
        answer = self.world.commit_page(page_of(held, stored["seq"], keys))
        assert answer.owned
        assert not answer.page_new
        assert answer.stored_before == (stored["stored"] if stored["epoch"] == held.epoch else None)
        self._nothing_happened_since(before)

    @precondition(lambda self: self._valid())
    @rule(pick=picks, ending=st.sampled_from(ENDINGS), by_order=st.booleans())
    def settle(self, pick: int, ending: str, by_order: bool) -> None:
        held = _one(self._valid(), pick)
        before, row = self.now.tasks[held.job_id], self.now.rows.get(held.job_id)
        running = row is not None and row["status"] == "processing"
        if running and ending == "outside":
            ending = "completed"  # only a row that is not running ends outside
        reason = "cancelled" if ending == "error" and by_order else "told"
        settled = self.world.settle(held, ending, reason, timedelta(hours=1))
        assert settled.owned
        if ending in FINAL:
            assert settled.row_written == running
        self._after("settle", held.job_id)
        task = self.now.tasks[held.job_id]
        expected = {"continue": "ready", "wait": "waiting", "retry": "waiting"}.get(ending, "closed")
        assert (task["state"], task["token"], task["slices"]) == (expected, None, before["slices"] + 1)
        assert task["waits"] - before["waits"] == (ending == "wait")
        assert task["crashes"] == before["crashes"]
        # Whether a cancelled slice costs a failure is asked by a test of its own.
        if reason != "cancelled":
            assert task["failures"] - before["failures"] == (ending in ("retry", "error"))
        assert self.world.settled_by(held)
        # A reply that was lost: asked again, nothing is written twice.
        after = self.now
        assert not self.world.settle(held, ending, reason, timedelta(hours=1)).owned
        self._nothing_happened_since(after)

    # Workers whose lease somebody else has, or nobody

    @precondition(lambda self: self._zombies())
    @rule(pick=picks, ending=st.sampled_from(ENDINGS))
    def zombie_settles(self, pick: int, ending: str) -> None:
        before, held = self.now, _one(self._zombies(), pick)
        assert not self.world.settle(held, ending, "told", timedelta(hours=1)).owned
        self._nothing_happened_since(before)

    @precondition(lambda self: self._zombies())
    @rule(pick=picks)
    def zombie_beats(self, pick: int) -> None:
        before, held = self.now, _one(self._zombies(), pick)
        assert beating.renew(self.world.connection, [held.id], [held.token], TTL) == []
        self._nothing_happened_since(before)

    @precondition(lambda self: self._scraping(self._zombies()))
    @rule(pick=picks, back=st.integers(0, 2))
    def zombie_pages(self, pick: int, back: int) -> None:
        before, held = self.now, _one(self._scraping(self._zombies()), pick)
        answer = self.world.commit_page(page_of(held, max(before.next_seq(held.id) - back, 1), ["a", "z"]))
        assert not answer.owned
        assert not answer.page_new
        self._nothing_happened_since(before)

    # What holds after every step

    def _nothing_happened_since(self, before: Snapshot) -> None:
        self.now = self.world.look()
        assert self.now == before

    def _after(self, action: str, *jobs: str) -> None:
        before, self.now = self.now, self.world.look()
        tokens = [task["token"] for task in self.now.tasks.values() if task["token"]]
        assert len(tokens) == len(set(tokens))
        for job_id, task in self.now.tasks.items():
            check_task(task)
            check_task_change(action, jobs, before.tasks.get(job_id), task)
            self._check_pages(job_id, task["id"])
        for job_id, row in self.now.rows.items():
            if job_id in before.rows:
                check_row_change(action, jobs, before.rows[job_id], row)
        gone = {batch["id"] for batch in before.batches.values() if batch["job_id"] not in self.now.rows}
        assert before.batches.keys() - gone <= self.now.batches.keys(), "a batch disappeared"
        assert before.pages == [page for page in self.now.pages if page in before.pages], "a page was changed"
        assert self.now.attempts[: len(before.attempts)] == before.attempts, "an attempt was changed"
        for lane in LANES:
            leased = [task["tenant"] for task in self.now.in_state("leased") if task["lane"] == lane]
            assert len(leased) + (len(self.now.groups) if lane == JOB_LANE else 0) <= MAX_RUNNING
            assert all(leased.count(tenant) <= MAX_PER_TENANT for tenant in leased if tenant != "-")
        self._groups_share_nothing()
        self._every_pending_row_is_known()

    def _check_pages(self, job_id: str, task_id: int) -> None:
        pages, row = self.now.pages_of(task_id), self.now.rows.get(job_id)
        assert [page["seq"] for page in pages] == list(range(1, len(pages) + 1))
        assert self.now.next_seq(task_id) == len(pages) + 1
        if row is None or row["table"] != "scraping_jobs":
            return
        creators = self.now.creators_of(job_id)
        assert len(creators) == len(set(creators)), "a creator is stored twice"
        assert row["processed_results"] == len(creators) == sum(page["stored"] for page in pages)
        assert row["processed_runs"] == len(pages)
        assert len(creators) <= self.capped.get(job_id, 0), "more than the row ever asked for"

    def _every_pending_row_is_known(self) -> None:
        lost = {
            job_id
            for job_id, row in self.now.rows.items()
            if row["status"] == "pending" and job_id not in self.now.inbox and not self._is_open(job_id)
        }
        if not lost:
            return
        before = self.now
        with self.world.in_vain():
            for table in TABLES:
                adopting.adopt_missed(self.world.connection, table, 1000)
            found = {
                job_id
                for (job_id,) in self.world.connection.execute(
                    "SELECT job_id FROM worker.tasks WHERE state = ANY (%s)", (list(OPEN),)
                )
            }
        self._nothing_happened_since(before)
        assert lost <= found, "a pending row that nobody will ever see"

    def _is_open(self, job_id: str) -> bool:
        return job_id in self.now.tasks and self.now.tasks[job_id]["state"] in OPEN

    def _the_lane_is_full_or_empty(self, lane: str) -> None:
        leased = [task["tenant"] for task in self.now.in_state("leased") if task["lane"] == lane]
        free = [
            task["tenant"]
            for task in self.now.in_state("ready")
            if task["lane"] == lane
            and (task["tenant"] == "-" or leased.count(task["tenant"]) < MAX_PER_TENANT)
            and task["id"] not in self.now.grouped()
            # Of suspected tasks a process has one at a time.
            and task["crashes"] < 2
        ]
        running = len(leased) + (len(self.now.groups) if lane == JOB_LANE else 0)
        assert running == MAX_RUNNING or not free, "a slot and a task, and yet no claim"

    # What fair treatment makes of whatever is left

    def _let_waits_pass(self, rows_too: bool) -> None:
        self.world.run_sql(
            "UPDATE worker.tasks SET run_at = clock_timestamp() - interval '1 s' WHERE state = 'waiting'"
        )
        if rows_too:
            self.world.run_sql(
                "UPDATE background_jobs SET scheduled_for = worker.utc_now() - interval '1 s' WHERE status = 'pending'"
            )

    def teardown(self) -> None:
        connection = self.world.connection
        lanes.resume(connection, LANES)
        for _ in range(3 * MOST_JOBS):
            self.world.run_sql("UPDATE worker.tasks SET expires_at = clock_timestamp() WHERE state = 'leased'")
            self.world.run_sql("UPDATE worker.group_leases SET expires_at = clock_timestamp()")
            grouping.sweep_dead_groups(connection, 1000)
            sweeping.sweep_dead_leases(connection, PARK_AFTER, 1000)
            self._let_waits_pass(rows_too=True)
            for table in TABLES:
                adopting.adopt_from_inbox(connection, table, 1000)
                adopting.adopt_missed(connection, table, 1000)
            sweeping.close_foreign(connection, 1000)
            sweeping.promote_due(connection, 1000)
            for lane in LANES:
                for held in self.world.claim(lane, "last", [uuid4() for _ in range(MAX_RUNNING)]):
                    self.world.settle(held, "completed", "told")
            left = self.world.look()
            if not left.in_state(*OPEN) and not any(
                row["status"] in ("pending", "processing") for row in left.rows.values()
            ):
                return
        raise AssertionError(f"never ended: {left.in_state(*OPEN)} {left.rows}")


def _one(things, pick):
    return things[pick % len(things)]
