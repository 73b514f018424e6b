"""An answer that says success and gives nothing is never believed at once, whatever it looks like."""

import pytest

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, stored_creators, task

pytestmark = pytest.mark.slow

ATTEMPTS = 3
FAMILIES = {
    # A search of each family of endpoints: the columns of its row, and the path of its first page.
    "tiktok keyword": ({"keywords": ["lamp"]}, "scrapecreators", SEARCH_PATH),
    "tiktok hashtag": ({"keywords": ["#lamp"]}, "scrapecreators", "/v1/tiktok/search/hashtag"),
    "tiktok research": ({"keywords": ["lamp"]}, "tiktok_research", "/tiktok_research/v2/research/video/query/"),
    "instagram reels": (
        {"platform": "Instagram", "keywords": ["lamp"]},
        "scrapecreators",
        "/v2/instagram/reels/search",
    ),
    "instagram hashtag": (
        {"platform": "Instagram", "keywords": ["#lamp"]},
        "scrapecreators",
        "/v1/instagram/search/hashtag",
    ),
    "youtube search": ({"platform": "YouTube", "keywords": ["lamp"]}, "scrapecreators", "/v1/youtube/search"),
    "youtube data": ({"platform": "YouTube", "keywords": ["lamp"]}, "youtube_data_api", "/youtube_data_api/search"),
}
NOTHINGS = ("empty_list", "missing_list", "html", "empty")


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", "90") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def module_fleet(module_database_url, module_redis_url, running, tmp_path_factory):
    settings = {
        **every_provider(running.url),
        "TRAWLER_MAX_ATTEMPTS": str(ATTEMPTS),
        "TRAWLER_RETRY_BASE_SECONDS": "0.1",
        "TRAWLER_RETRY_CAP_SECONDS": "0.2",
        "TRAWLER_BREAKER_FAILURES": "100000",
    }
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, running, logs, 2, **settings) as fleet:
        yield fleet


@pytest.fixture
def simulator(running):
    running.clear_calls()
    yield running
    running.clear_faults()


@pytest.fixture
def run(module_fleet, rows):
    """Runs one job of a provider alone to its end; gives its id."""

    def ended(columns, provider, **more):
        params = {"enrich": "none", "provider": provider}
        job_id = insert_job(rows, target_results=20, search_params=params, **columns, **more)
        eventually(lambda: is_final(rows, job_id))
        return job_id

    return ended


@pytest.mark.parametrize("nothing", NOTHINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_for_ever_is_asked_again_at_a_distance_and_never_completes_in_silence(
    module_fleet, rows, simulator, run, family, nothing
):
    columns, provider, path = FAMILIES[family]
    simulator.set_fault(nothing, path)
    job_id = run(columns, provider)
    row, ended = job(rows, job_id), attempts(rows, job_id)
    assert stored_creators(rows, job_id) == []
    # It was asked again by a slice of its own, after a pause
    assert len(ended) >= 2
    if row["status"] == "completed":
        # The answer was a proper page that holds nothing: so it says, on the task, to people and in the log
        assert task(rows, job_id)["end_reason"] == "nothing_found"
        assert ("wait", "nothing_found") in ended
        assert "nothing was found" in module_fleet.ops("explain", job_id).stdout.replace("\n", " ")
        assert f'"job": "{job_id}"' in "".join(
            line for line in module_fleet.log().splitlines() if '"event": "nothing_found"' in line
        )
    else:
        # The answer was no page: its attempts are spent, and the row says what was seen
        assert row["status"] == "error"
        assert f"gave up after {ATTEMPTS} attempts" in row["error"]


@pytest.mark.parametrize("nothing", NOTHINGS)
def test_nothing_for_a_moment_costs_a_pause_and_no_creator(rows, simulator, run, nothing):
    columns, provider, path = FAMILIES["tiktok keyword"]
    simulator.set_fault(nothing, path, times=3 if nothing == "empty_list" else 1)
    job_id = run(columns, provider)
    assert job(rows, job_id)["status"] == "completed"
    assert len(stored_creators(rows, job_id)) == 20
    assert len(attempts(rows, job_id)) >= 2
    assert_counters_are_true(rows, job_id)


@pytest.mark.parametrize("nothing", NOTHINGS)
def test_nothing_from_one_provider_makes_the_next_one_be_asked(rows, simulator, run, nothing):
    columns, _, path = FAMILIES["tiktok keyword"]
    simulator.set_fault(nothing, path)
    job_id = run(columns, ["scrapecreators", "tiktok_research"])
    assert job(rows, job_id)["status"] == "completed"
    creators = stored_creators(rows, job_id)
    assert len(creators) == 20
    assert {creator["provenance"]["provider"] for creator in creators} == {"tiktok_research"}
    asked = [call for call in simulator.calls(path) if call["status"] == 200]
    assert len(asked) >= 2, "the first provider was given up without being asked again"


def test_two_empty_pages_in_the_middle_of_a_full_walk_do_not_end_it(module_fleet, rows, simulator):
    columns, provider, path = FAMILIES["tiktok keyword"]
    simulator.set_fault("empty_list", path, match={"query": "midway"}, after=1, times=2)
    params = {"enrich": "none", "provider": provider}
    job_id = insert_job(rows, target_results=500, search_params=params, **columns | {"keywords": ["midway"]})
    eventually(lambda: is_final(rows, job_id))
    pages = [
        items
        for (items,) in rows.execute(
            "SELECT p.items FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id WHERE t.job_id = %s"
            " ORDER BY p.seq",
            (job_id,),
        )
    ]
    assert pages[1:3] == [0, 0]
    assert pages[3] > 0
    assert task(rows, job_id)["end_reason"] == "exhausted"
