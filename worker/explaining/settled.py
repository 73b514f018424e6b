"""Rules for jobs that no task works for: the row is gone, not ours, has ended, or is not adopted yet."""

from db.queries.cancelling import CANCELLED
from worker.explaining.picture import Answer, Picture, Rule, words
from worker.job_states import WAITING_WORDS, JobStatus

OPEN = {*WAITING_WORDS, JobStatus.PROCESSING.value}
ENDED = {
    "scraping_jobs": {JobStatus.COMPLETED.value, JobStatus.ERROR.value, JobStatus.TIMEOUT.value},
    "background_jobs": {JobStatus.COMPLETED.value, "failed"},
    "search_jobs": {JobStatus.COMPLETED.value, JobStatus.ERROR.value, JobStatus.TIMEOUT.value},
}
ENDINGS = {
    "target_reached": "its target is reached",
    "exhausted": "the provider has no more results",
    "repeated_cursor": "the provider gave the same cursor again",
    "nothing_new": "its last pages brought nothing new",
    "nothing_found": "nothing was found, although the search was asked again and of every provider it may use",
    "plan_limit": "the user's plan has nothing left of this month's creators; with a larger plan or in the next month, "
    "set it to pending and it goes on where it stopped",
    "page_ceiling": "it read as many pages as one search may",
    "deadline": "its deadline passed",
    "done": "its handler is done",
}


def _deleted(p: Picture) -> Answer | None:
    if p.row is not None:
        return None
    return "deleted", "The application deleted the row; its task is not run and will be closed as 'outside'."


def _foreign(p: Picture) -> Answer | None:
    if p.row is None or p.row.status in OPEN | ENDED[p.row.job_table]:
        return None
    return "foreign_status", f"The row's status is '{p.row.status}', which is not one of ours: the row is left alone."


def _parked(p: Picture) -> Answer | None:
    if p.task is None or p.task.state != "parked" or p.row is None or p.row.status in WAITING_WORDS:
        return None
    crash = next((a for a in reversed(p.attempts) if a["outcome"] == "crashed"), None)
    evidence = f" The last time: {words(crash['evidence'])}." if crash and crash["evidence"] else ""
    return "parked", (
        f"It is parked since {p.moment(p.task.closed_at)}: its worker died {p.task.crashes} times without a page in "
        f"between.{evidence} Look at its attempts, then retry it."
    )


def _ended(p: Picture) -> Answer | None:
    if p.row is None or p.row.status in OPEN:
        return None
    status = p.row.status
    if (p.row.error or "").startswith(CANCELLED) and not (p.task and p.task.cancel_at):
        return "cancelled", f"It was {p.row.error}; nobody had adopted it then."
    if p.task is None:
        return "ended_without_us", f"The row is '{status}' and never was a task: somebody else ended it."
    if p.task.state != "closed":
        return (
            "outside",
            (
                f"The application ended it: it set the row to '{status}' while its task is {p.task.state}; "
                "the task will close."
            ),
        )
    reason = p.task.end_reason or "no reason noted"
    if reason == "outside":
        return "outside", f"The application ended it: it set the row to '{status}'; the task closed as 'outside'."
    if status == JobStatus.COMPLETED:
        return "completed", f"It is completed since {p.moment(p.task.closed_at)}: {_ending(reason)}."
    if status == JobStatus.TIMEOUT:
        return "timeout", f"It timed out at {p.moment(p.task.closed_at)}; what was found is kept."
    if p.task.cancel_at:
        return (
            "cancelled",
            f"It was cancelled at {p.moment(p.task.cancel_at)}: {p.task.cancel_reason or 'no reason given'}.",
        )
    # The table of searches has no column for it.
    told = p.attempts[-1]["detail"] if p.attempts and p.row.job_table == "search_jobs" else None
    error = p.row.error or told or "the row holds no error text"
    return "gave_up", f"It was given up at {p.moment(p.task.closed_at)} ({reason}): {error}"


def _not_adopted(p: Picture) -> Answer | None:
    if p.row is None or (p.task and p.task.state not in ("closed", "parked")):
        return None
    if p.row.status == JobStatus.PROCESSING:
        who = "its task is closed" if p.task else "it never was a task"
        again = "'queued'" if p.row.job_table == "search_jobs" else "'pending'"
        return "orphan", f"The row is 'processing', but {who}: nobody of ours runs it. Set it to {again} to run it."
    it_is = f"It is {p.row.status}"
    if not p.fleet.reconcilers:
        return "no_reconciler", f"{it_is} but not adopted: no reconciler is alive. Start one: ./run reconciler."
    if p.fleet.in_inbox:
        return "in_inbox", f"{it_is} and in the inbox: the reconciler adopts it at its next tick."
    if p.fleet.triggers < 2:
        return "no_trigger", (
            f"{it_is} but not adopted: the triggers of its table are missing or disabled, so it waits for the "
            "full sweep, which comes each minute."
        )
    return "not_adopted", f"{it_is} but not adopted, and the inbox does not name it: the next full sweep finds it."


def _ending(reason: str) -> str:
    return ENDINGS.get(reason, reason.replace("_", " "))


RULES: tuple[Rule, ...] = (_deleted, _foreign, _parked, _ended, _not_adopted)
