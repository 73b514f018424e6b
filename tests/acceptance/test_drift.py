"""An answer that changes its shape in mid-run: noticed at once, told once, the endpoint stopped alone, nothing lost."""

import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, state, stored_ids

pytestmark = pytest.mark.slow

ITEMS = 80
WORKERS = 4
HASHTAG_PATH = "/v1/tiktok/search/hashtag"
SETTINGS = {
    # A changed page must not wait for the usual pace of looks. A probe comes after a second.
    "TRAWLER_SHAPE_SECONDS": "3600",
    "TRAWLER_BREAKER_SECONDS": "1",
    # Only a drift opens a breaker here.
    "TRAWLER_BREAKER_FAILURES": "100000",
    "TRAWLER_BREAKER_CAP_SECONDS": "1",
}
DRIFTS = {
    "a counter that is null": ("nulls", {}, "search_item_list[].aweme_info.statistics.play_count"),
    "items that are numbers": ("wrong_shape", {"shape": "numbers"}, "search_item_list[]"),
}


@pytest.fixture
def simulator():
    with running_simulator("--items-per-query", str(ITEMS)) as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    with fleet_of(database_url, redis_url, simulator, tmp_path, WORKERS, **SETTINGS) as running:
        yield running


def put_in(connection, word, **columns):
    return insert_job(connection, keywords=[word], target_results=20_000, search_params={"enrich": "none"}, **columns)


def learned(connection, *words):
    """Complete walks, from which the shape is known."""
    ids = [put_in(connection, word) for word in words]
    eventually(lambda: all(is_final(connection, job_id) for job_id in ids))


def drift_events(connection):
    return connection.execute(
        "SELECT aggregate_id, event_data FROM events WHERE event_type = 'provider_drift'"
    ).fetchall()


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_is_told_once_stops_its_endpoint_alone_and_ends_with_the_shape(fleet, connection, simulator, name):
    kind, wishes, path = DRIFTS[name]
    # Given four workers that know the shape of two endpoints
    learned(connection, "lamp", "tea", "#tea")
    # When the one's answers change for everybody
    simulator.set_fault(kind, SEARCH_PATH, **wishes)
    ids = {f"drift {number}": put_in(connection, f"drift {number}") for number in range(8)}
    eventually(lambda: all(state(connection, job_id) == "waiting" for job_id in ids.values()))
    # Then it is told once, with what has changed
    eventually(lambda: drift_events(connection))
    ((endpoint, data),) = drift_events(connection)
    assert endpoint == "scrapecreators/tiktok/search/keyword"
    assert path in [change["path"] for change in data["changes"] if change["required"]]
    # And nothing of the changed answers was stored, no attempt was spent, and people see why
    assert [stored_ids(connection, job_id) for job_id in ids.values()] == [[]] * len(ids)
    assert {outcome for job_id in ids.values() for outcome, _ in attempts(connection, job_id)} == {"wait"}
    (sample, drifted_at) = connection.execute(
        "SELECT sample, drifted_at FROM worker.shapes WHERE endpoint = 'tiktok/search/keyword'"
    ).fetchone()
    assert drifted_at is not None
    assert "search_item_list" in sample
    # And the other endpoint of the same account goes on
    other = put_in(connection, "#sourdough")
    eventually(lambda: is_final(connection, other))
    assert job(connection, other)["status"] == "completed"
    # And the drifted one is only probed: of jobs that come now, those that are not the probe wait without a call
    late = [put_in(connection, f"late {number}") for number in range(12)]
    eventually(lambda: all(attempts(connection, job_id) for job_id in late))
    assert ("wait", "breaker_open") in [attempts(connection, job_id)[0] for job_id in late]
    # When the shape is back
    simulator.clear_faults()
    eventually(lambda: all(is_final(connection, job_id) for job_id in ids.values()))
    # Then a probe has closed the breaker, and every job is complete
    for word, job_id in ids.items():
        assert job(connection, job_id)["status"] == "completed"
        assert stored_ids(connection, job_id) == list(creators_of(1, word, ITEMS))
        assert_counters_are_true(connection, job_id)
    assert len(drift_events(connection)) == 1
    assert connection.execute("SELECT count(*) FROM worker.shapes WHERE drifted_at IS NOT NULL").fetchone() == (0,)


def test_a_drift_in_mid_walk_moves_the_job_to_the_next_provider_within_fifty_items(
    database_url, redis_url, connection, simulator, tmp_path
):
    settings = {**every_provider(simulator.url), **SETTINGS}
    with fleet_of(database_url, redis_url, simulator, tmp_path, **settings):
        # When the items of a walk's third page can no longer be read
        simulator.set_fault("wrong_shape", SEARCH_PATH, shape="numbers", match={"query": "lamp"}, after=2)
        job_id = put_in(connection, "lamp")
        eventually(lambda: is_final(connection, job_id))
    # Then that page told it, and the next provider gave the rest
    assert job(connection, job_id)["status"] == "completed"
    assert len(drift_events(connection)) == 1
    pages = connection.execute("SELECT provider, items FROM worker.pages ORDER BY seq").fetchall()
    assert [provider for provider, _ in pages[:3]] == ["scrapecreators"] * 2 + ["tiktok_research"]
    assert attempts(connection, job_id) == [("completed", "exhausted")]
