"""The page of failures names tests that there are."""

import ast
import re

from worker.settings import ROOT

PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
NAMED = re.findall(r"`((?:Test\w+\.)?test_\w+)`", PAGE)


def names_of_tests() -> set[str]:
    """Name of every test, with and without the class it is in."""
    names = set()
    for module in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                inside = {
                    member.name for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
                }
                names |= inside | {f"{node.name}.{name}" for name in inside}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
    return names


def test_every_test_that_the_page_names_exists():
    assert NAMED
    assert sorted(set(NAMED) - names_of_tests()) == []


def test_every_failure_names_a_test_or_says_that_nothing_shows_it_yet():
    assert [int(number) for number, _ in ROWS] == list(range(1, 45))
    for number, cells in ROWS:
        columns = cells.split("|")
        assert len(columns) == 6, f"row {number}"
        assert re.search(r"`[\w.]*test_\w+`|not shown yet", columns[-1]), f"row {number}"
