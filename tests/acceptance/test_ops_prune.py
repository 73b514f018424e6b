"""`prune` by the real command, where no reconciler prunes meanwhile."""

import json

import pytest

from tests.fleet import Fleet
from tests.integration.operating.made import actions, ended, make_lanes
from tests.jobs import job, state

WIDTH = 100


@pytest.fixture
def ops(database_url, redis_url, tmp_path, connection):
    """The command, as on a machine where nothing else runs."""
    make_lanes(connection)
    return Fleet(database_url, redis_url, "", tmp_path, COLUMNS=str(WIDTH)).ops


def rows_of(done) -> dict[str, int]:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)["rows"]


def test_says_what_would_go_deletes_just_that_and_leaves_the_rest(ops, connection):
    # Given a job that ended long ago, one that ended now, and a key of last year
    old, new = ended(connection, "scraping_jobs", closed_at="-1 year"), ended(connection, "scraping_jobs")
    connection.execute("INSERT INTO worker.enqueue_keys VALUES ('k', 'scraping_jobs', 'x', now() - interval '1 year')")
    before = rows_of(ops("prune", "--dry-run", "--json"))
    assert state(connection, old) == "closed"
    # When pruning runs now, then what was foretold is gone
    done = rows_of(ops("prune", "--json"))
    assert done == before
    assert (done["tasks"], done["enqueue_keys"]) == (1, 1)
    assert (state(connection, old), state(connection, new)) == (None, "closed")
    # And the application's row is not touched, and somebody is told
    assert job(connection, old)["status"] == "error"
    assert [one["action"] for one in actions(connection)] == ["prune"]
    assert ops("prune").returncode == 1
    assert max(map(len, ops("prune", "--dry-run").stdout.splitlines())) <= WIDTH
