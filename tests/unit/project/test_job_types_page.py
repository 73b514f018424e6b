"""docs/job_types.md tells of every handler, its payload, retries and schedule, and of no other."""

import re
from pathlib import Path

import msgspec
import pytest

from actors.handlers import load_handlers
from worker.clock import utc_now
from worker.scheduling import slots

PAGE = (Path(__file__).parents[3] / "docs" / "job_types.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.MULTILINE))
HANDLERS = load_handlers()


def test_every_handler_has_a_row_and_every_row_a_handler():
    assert sorted(ROWS) == sorted(HANDLERS)
    assert list(ROWS) == sorted(ROWS), "rows stand in the order of their names"


@pytest.mark.parametrize("job_type", sorted(HANDLERS))
def test_a_row_names_every_field_of_the_payload_and_the_schedule(job_type):
    payload, *_, schedule = (cell.strip() for cell in ROWS[job_type].split(" | "))
    fields = {field.encode_name for field in msgspec.structs.fields(HANDLERS[job_type].payload)}
    assert fields - set(re.findall(r"`(\w+)`", payload)) == set()
    assert schedule.strip("`") == (HANDLERS[job_type].schedule or "")


@pytest.mark.parametrize("job_type", sorted(name for name, handler in HANDLERS.items() if handler.schedule))
def test_a_schedule_can_be_read(job_type):
    assert next(slots(HANDLERS[job_type].schedule, "UTC", utc_now()))
