"""The commands that read and change configurations."""

import json

import pytest
from typer.testing import CliRunner

from scripts.ops.commands import app
from worker.configuration_keys import KEYS

ROW = "SELECT value, value_type, is_hot_reloadable, description FROM system_configurations"


@pytest.fixture
def config(database_url, redis_url, monkeypatch):
    """Runs the command in this process."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments: CliRunner().invoke(app, ["config", *arguments])


def test_list_shows_every_key_with_its_default(config):
    listed = json.loads(config("list", "--json").stdout)
    assert [one["name"] for one in listed] == list(KEYS)
    assert {one["from"] for one in listed} == {"default"}
    assert all(one["value"] == one["default"] for one in listed)
    assert "timeouts.standard_job_timeout" in config("list").stdout


def test_set_writes_the_row_with_its_type_and_get_shows_it(config, connection):
    done = config("set", "timeouts.standard_job_timeout", "5400 s")
    assert (done.exit_code, done.stdout.strip()) == (0, "timeouts.standard_job_timeout  90m")
    assert "within 30 s" in done.stderr
    ((value, kind, hot, description),) = connection.execute(ROW).fetchall()
    assert (value, kind, hot) == ("90m", "duration", "true")
    assert description.startswith("timeout_at of a scraping job")
    shown = json.loads(config("get", "timeouts.standard_job_timeout", "--json").stdout)
    assert (shown["value"], shown["from"], shown["default"]) == ("90m", "row", "1h")


def test_set_keeps_what_the_row_says_of_reloading_and_tells(config, connection):
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type, description, is_hot_reloadable)"
        " VALUES ('trial', 'days', '9', 'string', 'theirs', 'false')"
    )
    done = config("set", "trial.days", "14", "--json")
    assert json.loads(done.stdout)["value"] == "14"
    assert "when they start again" in done.stderr
    assert connection.execute(ROW).fetchall() == [("14", "number", "false", "theirs")]


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        ("trial.days", "soon", 2, "trial.days is 'soon'; expected a whole number"),
        ("trial.days", "0", 2, "at least 1"),
        ("trial.nights", "7", 1, "there is no configuration 'trial.nights'; expected one of: timeouts."),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(config, connection, name, value, code, words):
    done = config("set", name, value)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert connection.execute(ROW).fetchall() == []


def test_a_bad_row_is_told(config, connection):
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type) VALUES ('trial', 'days', 'ten', 'number')"
    )
    for command in (("get", "trial.days"), ("list",)):
        done = config(*command)
        assert done.exit_code == 0
        assert "trial.days is 'ten'; expected a whole number" in done.stderr
    shown = json.loads(config("get", "trial.days", "--json").stdout)
    assert (shown["value"], shown["from"]) == ("7", "default")
    assert "expected" in shown["problem"]
