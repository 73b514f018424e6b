"""`--dry-run` of the commands that change something: it says what would happen, and nothing has."""

import json
import shlex

import pytest

from tests.fleet import Fleet
from tests.integration.engine.steps import everything
from tests.integration.operating.made import ended, make_lanes, pending

COMMANDS = [
    "enqueue lamp --user user_1",
    "enqueue lamp --user user_1 --key order-17",
    "export {job} --to /exports",
    "retry {job}",
    "cancel {open} --reason costs",
    "pause scrape.tiktok --reason costs",
    "resume search.tiktok",
    "cooldown scrape.tiktok --for 1h",
    "drain --reason deploy",
    "drain --end",
    "limits set scrape.tiktok --max-running 3",
    "config set trial.days 3",
    "schedules put nightly '0 3 * * *' --job-type noop",
    "schedules remove weekly",
]


@pytest.fixture
def ops(database_url, redis_url, tmp_path, connection):
    """The command, as on a machine where nothing else runs, in a database where each has something to do."""
    make_lanes(connection)
    run = Fleet(database_url, redis_url, "", tmp_path).ops
    assert run("schedules", "put", "weekly", "0 3 * * 1", "--job-type", "noop").returncode == 0
    assert run("pause", "search.tiktok", "--reason", "drain: earlier").returncode == 0
    return run


def words(command: str, connection) -> list[str]:
    known = {"job": ended(connection, "scraping_jobs"), "open": pending(connection, "scraping_jobs")}
    return shlex.split(command.format(**known))


@pytest.mark.parametrize("command", COMMANDS)
def test_changes_nothing_and_says_what_would_be(ops, connection, command):
    given = words(command, connection)
    before = everything(connection)
    # When it is looked at, for people and for programs
    told = ops(*given, "--dry-run")
    as_json = ops(*given, "--dry-run", "--json")
    assert (told.returncode, as_json.returncode) == (0, 0), told.stderr + as_json.stderr
    assert "would" in told.stdout.lower() or "nothing was changed" in told.stdout
    json.loads(as_json.stdout)
    assert everything(connection) == before
    # Then the command without it changes what it named
    assert ops(*given, *(["--timeout", "1s"] if given[0] == "drain" and "--end" not in given else [])).returncode == 0
    assert everything(connection) != before
