"""docs/events.md has every event that the code tells, as it tells it, and no other."""

import re

import pytest

from tests.fleet import ROOT
from tests.unit.monitoring.told import event_types, log_events

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
LINES, _, EVENTS = PAGE.partition("## Rows of `events`")
TOLD = log_events()
TYPES = event_types()


def rows(text: str) -> list[list[str]]:
    """The cells of every row of its tables that begins with a word."""
    return [
        [cell.strip() for cell in re.split(r"(?<=\s)\|(?=\s)", line[1:-1])]
        for line in text.splitlines()
        if re.match(r"\| `\w+`", line) and not line.startswith("| `event_type`")
    ]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


LOGGED = {words(cells[0])[0]: cells for cells in rows(LINES)}
RAISED = [word for cells in rows(EVENTS) for word in words(cells[0])]


def test_every_line_of_a_log_is_on_the_page_and_nothing_else_is():
    assert len(TOLD) > 50
    assert {name: TOLD[name].places for name in TOLD.keys() - LOGGED.keys()} == {}
    assert sorted(LOGGED.keys() - TOLD.keys()) == []
    assert len(LOGGED) == len(rows(LINES)), "an event is on the page twice"


@pytest.mark.parametrize("name", sorted(LOGGED.keys() & TOLD.keys()))
def test_a_row_has_the_level_the_fields_a_meaning_and_what_to_do(name):
    _, levels, fields, meaning, todo = LOGGED[name]
    assert sorted(levels.split(", ")) == sorted(TOLD[name].levels)
    assert TOLD[name].fields - set(words(fields)) == set()
    assert meaning
    assert todo


def test_every_event_type_is_on_the_page_and_nothing_else_is():
    assert len(TYPES) > 15
    assert {name: TYPES[name] for name in TYPES.keys() - set(RAISED)} == {}
    assert sorted(set(RAISED) - TYPES.keys()) == []
    assert len(RAISED) == len(set(RAISED)), "an event is on the page twice"
    assert all(cell for cells in rows(EVENTS) for cell in cells)
