"""Rules for jobs with an open task: it runs, waits, or is kept from starting."""

from datetime import timedelta

from db.queries.explaining import Task
from worker.explaining.picture import Answer, Picture, Rule
from worker.job_states import WAITING_WORDS

NOBODY = "-"
"""The tenant of jobs that are nobody's; it has no cap of its own."""
SWEEP_WAITS = timedelta(seconds=60)
"""A reconciler that has just connected leaves dead leases alone for one lease, as living workers may be late too."""


def _cancelling(p: Picture) -> Answer | None:
    if p.task is None or p.task.cancel_at is None:
        return None
    if p.task.state != "leased":
        how = "it will not be started again"
    elif p.task.job_table == "background_jobs":
        how = "it ends when its handler returns, which is not interrupted"
    else:
        how = "its worker stops at its next beat or page"
    why = p.task.cancel_reason or "no reason given"
    return "cancel_requested", f"Its cancel was asked for at {p.moment(p.task.cancel_at)} ({why}): {how}."


def _expired(p: Picture) -> Answer | None:
    t = p.task
    if t is None or t.state != "leased" or t.expires_at is None or t.expires_at > p.now:
        return None
    text = f"Its worker {_holder(t)} went silent: the lease ran out at {p.moment(t.expires_at)}; "
    if not p.fleet.reconcilers:
        return "lease_unswept", text + "no reconciler is alive to take it back. Start one: ./run reconciler."
    ready_at = p.fleet.reconciler_since + SWEEP_WAITS if p.fleet.reconciler_since else p.now
    if ready_at > p.now:
        return "sweep_waits", text + f"the reconciler has just connected and sweeps from {p.moment(ready_at)} on."
    return "lease_expired", text + "the sweep takes it back within a second."


def _running(p: Picture) -> Answer | None:
    t = p.task
    if t is None or t.state != "leased":
        return None
    if p.row and p.row.status in WAITING_WORDS:
        return "reset_outside", (
            f"The application set the row back to '{p.row.status}' while {_holder(t)} runs it: that run stops at its "
            "next page, then the job starts again where it stopped."
        )
    late = " Its deadline has passed, so it ends at its next page." if t.deadline_at and t.deadline_at < p.now else ""
    return "running", (
        f"It is running: {_holder(t)} holds it since {p.moment(t.claimed_at)}, until {p.moment(t.expires_at)}, "
        f"epoch {t.epoch}, in page {t.seq + 1}.{late}"
    )


def _overdue(p: Picture) -> Answer | None:
    if p.task is None or p.task.deadline_at is None or p.task.deadline_at > p.now:
        return None
    who = "the sweep ends it" if p.fleet.reconcilers else "no reconciler is alive to end it"
    return "deadline_passed", f"Its deadline passed at {p.moment(p.task.deadline_at)}: {who} as 'timeout'."


def _waiting(p: Picture) -> Answer | None:
    t = p.task
    if t is None or t.state != "waiting":
        return None
    if t.run_at <= p.now:
        who = (
            "a reconciler makes it ready within a second"
            if p.fleet.reconcilers
            else "no reconciler is alive to see to it"
        )
        return "due", f"It was due at {p.moment(t.run_at)}: {who}."
    until = f"It is not due until {p.moment(t.run_at)}: "
    last = p.attempts[-1] if p.attempts else None
    if t.wait_reason == "scheduled":
        return "scheduled", until + "it was scheduled for then."
    if t.wait_reason == "its worker died":
        return "backing_off", until + f"its worker died, {t.crashes} times in a row; it goes on at its last page."
    said = f"{t.wait_reason}: {last['detail']}" if last and last["detail"] else t.wait_reason or "no reason noted"
    if last and last["outcome"] == "retry":
        return "retrying", until + f"retry after error number {t.failures}: {said}"
    return "waiting", until + f"waiting, with no attempt spent: {said}"


def _unroutable(p: Picture) -> Answer | None:
    if p.task is None or p.row is None or not p.task.lane.endswith(".unroutable"):
        return None
    return "unroutable", (
        f"Nothing serves it: there is no lane {p.row.lane} here, so it is in {p.task.lane}, where the next free worker "
        "ends it with an error that says so."
    )


def _paused(p: Picture) -> Answer | None:
    if p.task is None or not p.task.paused:
        return None
    return "lane_paused", f"Its lane {p.task.lane} is paused: {p.task.pause_reason or 'no reason given'}."


def _cooling(p: Picture) -> Answer | None:
    if p.task is None or p.task.cooldown_until is None:
        return None
    why = p.task.cooldown_reason or "no reason noted"
    return "lane_cooling", f"Its lane {p.task.lane} cools down until {p.moment(p.task.cooldown_until)}: {why}"


def _no_worker(p: Picture) -> Answer | None:
    if p.fleet.workers:
        return None
    return "no_worker", "It is ready, but no worker is alive to take it. Start some: ./run up."


def _full(p: Picture) -> Answer | None:
    if p.task is None or p.standing is None or p.standing.running < p.task.max_running:
        return None
    return "lane_full", f"Its lane {p.task.lane} is full: {p.standing.running} of {p.task.max_running} run."


def _tenant_full(p: Picture) -> Answer | None:
    if p.task is None or p.standing is None or p.task.tenant == NOBODY:
        return None
    if p.standing.running_of_tenant < p.task.max_per_tenant:
        return None
    return "tenant_at_cap", (
        f"Its tenant {p.task.tenant} is at its cap in {p.task.lane}: "
        f"{p.standing.running_of_tenant} of {p.task.max_per_tenant} run."
    )


def _no_slot(p: Picture) -> Answer | None:
    if p.fleet.in_use < p.fleet.slots:
        return None
    return (
        "no_slot",
        f"All {p.fleet.slots} slots of the {p.fleet.workers} workers are in use; it starts when one is free.",
    )


def _queued(p: Picture) -> Answer | None:
    s = p.standing
    if p.task is None or s is None or s.before < min(p.task.max_running - s.running, p.fleet.slots - p.fleet.in_use):
        return None
    return "others_before", (
        f"About {s.before} of the lane's {s.ready} ready tasks are before it: it is number {s.sooner_of_tenant + 1} of "
        f"its tenant's own, and {s.ready_tenants} tenants take turns."
    )


def _next(_: Picture) -> Answer:
    return "next", "It is ready and next in its lane: a worker takes it with the lane's next wake-up."


def _holder(task: Task) -> str:
    process = f"{task.host}, pid {task.pid}" if task.host else "no longer among the processes"
    return f"{task.owner} ({process})"


RULES: tuple[Rule, ...] = (
    *(_cancelling, _expired, _running, _overdue, _waiting),
    *(_unroutable, _paused, _cooling, _no_worker, _full, _tenant_full, _no_slot, _queued, _next),
)
