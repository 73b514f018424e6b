"""What holds for a task and for a row, and which changes an action may make in them."""

from worker.job_states import MOVES

PARK_AFTER = 3
FINAL = ("completed", "error", "timeout", "failed")
ENDINGS = ("completed", "error", "timeout", "continue", "wait", "retry", "outside")
# Which words an action may put in place of which; the application may write any.
TURNS = {
    "claim": {("pending", "processing")},
    "group": {("pending", "completed")},
    "settle": {("processing", word) for word in (*FINAL, "pending")},
    "sweep": {("processing", "error"), ("processing", "failed")},
    "overdue": {("pending", "timeout"), ("processing", "timeout")},
    "cancel": {(old, new) for old in ("pending", "processing") for new in ("error", "failed")},
    "retry": {(old, "pending") for old in ("error", "timeout", "failed")},
}


def check_task(task):
    assert (task["state"] == "leased") == (task["token"] is not None) == (task["expires_at"] is not None)
    assert (task["state"] in ("closed", "parked")) == (task["closed_at"] is not None)


def check_task_change(action, jobs, before, task):
    if before is None:
        assert action == "adopt"
        assert (task["epoch"], task["token"]) == (0, None)
        return
    claimed = action == "claim" and task["job_id"] in jobs
    grouped = action == "group" and task["job_id"] in jobs
    assert task["epoch"] == before["epoch"] + (claimed or grouped)
    if task["token"] != before["token"]:
        assert claimed or task["token"] is None, "a token that nobody claimed"
        assert before["token"] is None or action in ("settle", "sweep"), "a lease ended by a stranger"
    if task["failures"] > before["failures"]:
        assert action == "settle"
        assert task["job_id"] in jobs
    if task["crashes"] > before["crashes"]:
        assert (action, task["crashes"]) == ("sweep", before["crashes"] + 1)
    if task["waits"] > before["waits"]:
        assert action == "settle"
    move = (before["state"], task["state"])
    assert move[0] == move[1] or move in MOVES, f"{move} by {action}"
    if before["state"] in ("closed", "parked"):
        assert move[0] == move[1] or action == "adopt"


def check_row_change(action, jobs, before, row):
    turn = (before["status"], row["status"])
    if turn[0] != turn[1]:
        assert action == "application" or turn in TURNS.get(action, ()), f"{turn} by {action}"
        assert action not in ("application", "settle", "group", "retry", "cancel") or row["id"] in jobs
    if row["table"] != "scraping_jobs":
        return
    assert row["processed_runs"] >= before["processed_runs"]
    if row["progress"] < before["progress"]:
        assert (action, before["progress"], row["progress"]) == ("claim", 100, 99), "progress fell"
    if row["progress"] == 100 > before["progress"]:
        assert (action, row["status"]) == ("settle", "completed")
