"""The rules of the model that are about groups: taken, closed, swept, and closed by somebody who lost them."""

from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from db.queries import grouping
from db.queries.grouping import GroupJob
from tests.integration.engine.steps import JOB_LANE
from tests.model.world import MAX_RUNNING, Snapshot, World, passed

NOBODY = "nobody"
"""Stands for a background job that names no user."""

picks = st.integers(0, 11)


class Groups:
    """Workers that take jobs in groups, beside those that take them by leases. Part of `tests.model.engine.Engine`."""

    world: World
    now: Snapshot
    given_groups: dict[UUID, list[GroupJob]]

    def _live(self) -> list[UUID]:
        return [token for token in self.given_groups if str(token) in self.now.groups]

    def _lost(self) -> list[UUID]:
        return [token for token in self.given_groups if str(token) not in self.now.groups]

    def _fit(self, job_id: str) -> bool:
        """Whether a group may complete the job."""
        task, row = self.now.tasks[job_id], self.now.rows.get(job_id)
        return (
            task["state"] == "ready"
            and (task["slices"], task["cancel_at"]) == (0, None)
            and row is not None
            and row["status"] == "pending"
            and passed(row["scheduled_for"])
        )

    @rule(owner=st.sampled_from(["a", "b"]), count=st.integers(1, 3))
    def claim_group(self, owner: str, count: int) -> None:
        before, token = self.now, uuid4()
        jobs = self.world.claim_group(owner, token, count)
        self._after("claim group")
        assert (self.now.tasks, self.now.rows) == (before.tasks, before.rows)
        if not jobs:
            self._there_was_no_group(before)
            return
        self.given_groups[token] = jobs
        assert not before.lanes[JOB_LANE]["paused"]
        assert {job.task_id for job in jobs}.isdisjoint(before.grouped())
        for job in jobs:
            assert self._fit(job.job_id)
            assert self.now.tasks[job.job_id]["tenant"] == "-"
        # A reply that was lost: asked again, the answer is the same.
        after = self.now
        assert self.world.claim_group(owner, token, count) == jobs
        self._nothing_happened_since(after)

    @precondition(lambda self: self._live())
    @rule(pick=picks, done=st.sets(st.integers(0, 2)))
    def close_group(self, pick: int, done: set[int]) -> None:
        token = self._live()[pick % len(self._live())]
        jobs, before = self.given_groups[token], self.now
        told = [job for place, job in enumerate(jobs) if place in done]
        ended = self.world.close_group(token, told)
        assert ended <= {job.task_id for job in told if self._fit(job.job_id)}
        self._after("group", *(job.job_id for job in told if job.task_id in ended))
        for job in jobs:
            was, task = before.tasks[job.job_id], self.now.tasks[job.job_id]
            if job.task_id in ended:
                assert (task["state"], self.now.rows[job.job_id]["status"]) == ("closed", "completed")
                assert self.now.rows[job.job_id]["payload"] == before.rows[job.job_id]["payload"]
            else:
                # What is left has had its turn in a group.
                assert task["slices"] == was["slices"] + (was["state"] == "ready")
        # A reply that was lost: asked again, nothing is written twice.
        after = self.now
        assert self.world.close_group(token, told) == set()
        self._nothing_happened_since(after)

    @precondition(lambda self: self._live())
    @rule(pick=picks)
    def a_group_runs_out(self, pick: int) -> None:
        token = self._live()[pick % len(self._live())]
        before = self.now
        self.world.run_sql("UPDATE worker.group_leases SET expires_at = clock_timestamp() WHERE token = %s", token)
        assert len(grouping.sweep_dead_groups(self.world.connection, 1000)) == 1
        self._after("sweep group")
        assert self.now.rows == before.rows
        for job in self.given_groups[token]:
            was, task = before.tasks[job.job_id], self.now.tasks[job.job_id]
            assert task == {**was, "slices": was["slices"] + (was["state"] == "ready")}

    @precondition(lambda self: self._lost())
    @rule(pick=picks)
    def a_lost_group_is_closed(self, pick: int) -> None:
        before, token = self.now, self._lost()[pick % len(self._lost())]
        assert self.world.close_group(token, self.given_groups[token]) == set()
        self._nothing_happened_since(before)

    def _there_was_no_group(self, before: Snapshot) -> None:
        ready = [task for task in before.in_state("ready") if task["lane"] == JOB_LANE]
        ready = [task for task in ready if task["tenant"] == "-" and task["id"] not in before.grouped()]
        leased = [task for task in before.in_state("leased") if task["lane"] == JOB_LANE]
        if before.lanes[JOB_LANE]["paused"] or len(leased) + len(before.groups) >= MAX_RUNNING or not ready:
            return
        # Only the next few are looked at; jobs for leases may stand before those for groups.
        first = min(ready, key=lambda task: (task["priority"], task["run_at"], task["id"]))
        assert not self._fit(first["job_id"]) or first["failures"] or first["deadline_at"], "a job, and yet no group"

    def _groups_share_nothing(self) -> None:
        grouped = self.now.grouped()
        assert len(grouped) == len(set(grouped))
        assert not {task["id"] for task in self.now.in_state("leased")} & set(grouped)
