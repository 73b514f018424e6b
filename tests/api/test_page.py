"""docs/api.md says what the code does."""

import re

from console.api.documents import EXAMPLES
from console.api.qstash.destinations import ROUTES
from console.api.qstash.headers import HEEDED
from tests.fleet import ROOT
from worker.api_settings import SCOPES

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
CODE = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "console" / "api").rglob("*.py")))


def column(head: str, place: int = 0) -> list[str]:
    """What stands in backticks in one column of the table with this head."""
    lines = PAGE.partition(f"\n\n| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    assert lines, f"no table of {head}"
    return [name for line in lines for name in re.findall(r"`([^`]+)`", line.strip("|").split("|")[place])]


def test_every_destination_and_header_that_is_heeded_is_listed():
    assert set(column("Destination ends with")) == set(ROUTES)
    listed = {name.lower() for name in column("Header") if "*" not in name}
    assert listed >= HEEDED


def test_every_problem_and_its_status_is_listed():
    raised = set(re.findall(r'(?:Problem|unavailable)\(\s*\d{3},\s*"(\w+)"', CODE)) | {
        "not_cancellable",
        "not_retryable",
    }
    assert set(column("Status", 1)) == raised - {"http"}
    statuses = set(map(int, re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)))
    assert set(EXAMPLES) | {405} == statuses


def test_every_scope_is_listed():
    assert column("Scope") == list(SCOPES)
