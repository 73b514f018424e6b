"""The page of reliability names commands, files and tests that there are, and its figures agree with each other."""

import ast
import re

import pytest

from worker.settings import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\./run ([a-z-]+)((?: [\w./:-]+)*)", PAGE)
FIGURES = re.findall(r"^\| (\d+) s \|(.*)\|$", PAGE, re.MULTILINE)
RUNS = re.findall(r"^\| \[`(tests/\S+)`\]\(\S+\) \|(.*)\|$", PAGE, re.MULTILINE)


def names_in(path: str) -> set[str]:
    """Tests of one module, with and without the class they are in."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inside.name}" for inside in node.body if isinstance(inside, ast.FunctionDef)}
            names.add(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


def test_every_command_that_the_page_names_exists():
    script = (ROOT / "run").read_text(encoding="utf-8")
    known = set(re.findall(r"^    ([a-z-]+)\) ", script, re.MULTILINE))
    assert {name for name, _ in COMMANDS} >= {"test", "test-all"}
    assert {name for name, _ in COMMANDS} - known == set()


def test_every_file_that_a_command_names_exists():
    named = [word for _, arguments in COMMANDS for word in arguments.split() if not word.startswith("-")]
    assert named
    assert [word for word in named if not (ROOT / word).exists()] == []


def test_every_test_that_the_page_names_exists():
    modules = (ROOT / "tests").rglob("test_*.py")
    there = set().union(*(names_in(str(path.relative_to(ROOT))) for path in modules))
    named = re.findall(r"`((?:Test\w+\.)?test_\w+)`", PAGE)
    assert named
    assert sorted(set(named) - there) == []


@pytest.mark.parametrize("path", sorted(path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")))
def test_every_module_of_fault_runs_is_on_the_page(path):
    assert f"`tests/faults/{path}`" in PAGE


def test_every_fault_run_names_what_it_counts_and_nothing_lost_or_doubled():
    assert len(RUNS) >= 8
    for path, cells in RUNS:
        *_, lost, doubled = (cell.strip() for cell in cells.split("|"))
        assert (path, lost, doubled) == (path, "0", "0")


def test_the_figures_stay_within_what_the_page_promises():
    assert [lease for lease, _ in FIGURES] == ["2", "10"]
    for lease, cells in FIGURES:
        worst = [float(seconds) for seconds in re.findall(r"/ ([\d.]+) s", cells)]
        assert len(worst) == 3
        assert worst[1] <= float(lease) + 2, "claimed again later than the lease and 2 s"
