"""The states as the code has them, the page draws them and the database holds them."""

import re

from worker.job_states import MOVES, Ending, TaskState
from worker.settings import ROOT

PAGE = (ROOT / "docs" / "job_states.md").read_text(encoding="utf-8")


def test_the_page_draws_every_move_and_no_other():
    drawn = re.findall(r"^    (\w+) --> (\w+): (.+)$", PAGE, re.MULTILINE)
    assert {(a, b): why for a, b, why in drawn} == {(str(a), str(b)): why for (a, b), why in MOVES.items()}


def test_the_page_tells_of_every_state_and_ending():
    assert re.findall(r"^- \*\*(\w+)\*\*", PAGE, re.MULTILINE) == [str(state) for state in TaskState]
    told = re.findall(r"^\| `(\w+)` \|", PAGE.split("## The rows")[0], re.MULTILINE)
    assert sorted(told) == sorted(str(ending) for ending in Ending)


def test_the_database_knows_the_same_states():
    sql = (ROOT / "db" / "migrations" / "sql" / "0002_engine.sql").read_text(encoding="utf-8")
    listed = re.search(r"state IN \(('waiting'[^)]*)\)\)", sql)
    assert listed
    assert set(re.findall(r"'(\w+)'", listed[1])) == {str(state) for state in TaskState}


def test_every_state_can_be_reached_and_left():
    assert {b for _, b in MOVES} | {TaskState.READY, TaskState.WAITING} == set(TaskState)
    assert {a for a, _ in MOVES} == set(TaskState)
