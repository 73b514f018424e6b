"""What the ops command says of itself, and how little it loads for that."""

import re
import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from scripts.ops.commands import COMMANDS, app
from tests.fleet import ROOT

DOCS = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
GROUPS = {
    name: [one.name for one in found.registered_commands]
    for name, entry in COMMANDS.items()
    if isinstance(found := getattr(import_module(f"scripts.ops.{entry.module}"), entry.name), typer.Typer)
}
PATHS = [(name,) for name in COMMANDS if name not in GROUPS] + [
    (group, name or "") for group, names in GROUPS.items() for name in names
]


def help_of(*path: str) -> str:
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="./run ops")
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_the_first_sentence_of_each(name):
    told = help_of(name)
    assert COMMANDS[name].help.removesuffix(".") in told


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1]], ids=" ".join)
def test_every_command_has_an_example(path):
    text = help_of(*path).replace("- ", "-")
    assert f"./run ops {' '.join(path)}" in text
    assert re.search(r"Examples?: ", text)


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1]], ids=" ".join)
def test_every_command_prints_json_but_one_that_prints_a_cassette(path):
    assert ("--json" in help_of(*path)) == (path != ("record",))


def test_the_page_tells_of_every_command_and_of_no_other():
    told = set(re.findall(r"^\| `([a-z][a-z-]*)[^`]*` \|", DOCS, re.MULTILINE))
    assert told == set(COMMANDS)


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1]], ids=" ".join)
def test_the_page_names_no_option_that_is_none(path):
    rows = [line for line in DOCS.splitlines() if line.startswith(f"| `{path[0]}")]
    options = {option for line in rows for option in re.findall(r"(--[a-z-]+)", line)}
    there = {
        option for one in PATHS if one[0] == path[0] and one[-1] for option in re.findall(r"--[a-z-]+", help_of(*one))
    }
    assert options - there == set()


def test_the_list_of_commands_loads_no_driver_and_no_engine():
    script = (
        "import sys\nfrom scripts.ops.commands import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('psycopg', 'redis', 'pydantic', 'httpx', 'rich', 'dramatiq') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_that_asks_postgres_alone_loads_nothing_of_redis_and_of_providers():
    script = (
        "import sys\nimport scripts.ops.listing, scripts.ops.retrying, scripts.ops.cancelling\n"
        "print([name for name in ('redis', 'httpx', 'aiohttp', 'dramatiq', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_name_that_is_nearly_right_is_told_what_was_meant():
    done = CliRunner().invoke(app, ["cancle"])
    assert done.exit_code == 2
    assert "Did you mean 'cancel'" in done.output
