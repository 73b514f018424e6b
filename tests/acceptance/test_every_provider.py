"""Jobs of every platform and provider against one simulator: what is stored is the catalogue's truth."""

import pytest

from platforms.simulator import truth
from platforms.simulator.people import creator
from platforms.simulator.running import running_simulator
from platforms.simulator.walks import author_at
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, stored_ids

ITEMS = 60
SEED = 1
MORE_THAN_THERE_IS = 10_000
SIMILAR = next(
    one
    for one in (author_at(SEED, "target", at) for at in range(500))
    if len(truth.instagram_related(SEED, one.handle)) == 21
)


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED), "--run-ms", "50") as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    settings = every_provider(simulator.url)
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, simulator, logs, **settings) as running:
        yield running


@pytest.mark.slow
@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("platform", "provider", "expected"),
    [
        ("Instagram", "scrapecreators", truth.instagram_reel_owners),
        ("YouTube", "scrapecreators", truth.youtube_search_channels),
        ("YouTube", "youtube_data_api", truth.youtube_data_api_channels),
    ],
)
def test_a_job_by_words_stores_exactly_the_creators_of_the_catalogue(rows, platform, provider, expected):
    params = {"provider": [provider], "enrich": "none"}
    job_id = insert_job(
        rows, platform=platform, keywords=["tea"], target_results=MORE_THAN_THERE_IS, search_params=params
    )
    eventually(lambda: is_final(rows, job_id))
    assert job(rows, job_id)["status"] == "completed", job(rows, job_id)
    assert set(stored_ids(rows, job_id)) == set(expected(SEED, "tea", ITEMS))
    assert_counters_are_true(rows, job_id)


@pytest.mark.slow
@pytest.mark.usefixtures("fleet")
def test_video_queries_store_exactly_the_handles_of_the_catalogue(rows):
    params = {"provider": ["tiktok_research"], "enrich": "none"}
    job_id = insert_job(rows, keywords=["tea"], target_results=MORE_THAN_THERE_IS, search_params=params)
    eventually(lambda: is_final(rows, job_id))
    assert job(rows, job_id)["status"] == "completed", job(rows, job_id)
    stored = {creator["creator"]["uniqueId"] for creator in stored_creators(rows, job_id)}
    assert stored == set(truth.tiktok_research_handles(SEED, "tea", ITEMS))


@pytest.mark.slow
@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("provider", ["scrapecreators", "apify"])
def test_a_similar_search_stores_the_related_accounts(rows, simulator, provider):
    simulator.clear_calls()
    job_id = insert_job(
        rows,
        platform="Instagram",
        keywords=None,
        target_username=SIMILAR.handle,
        target_results=MORE_THAN_THERE_IS,
        search_params={"provider": [provider], "enrich": "none"},
    )
    eventually(lambda: is_final(rows, job_id))
    row = job(rows, job_id)
    assert row["status"] == "completed", row
    assert {call["provider"] for call in simulator.calls()} == {provider}
    # All but the private ones.
    public = {
        truth.instagram_id(number)
        for number in truth.related_numbers(SEED, SIMILAR)
        if creator(SEED, number).standing != "private"
    }
    assert public <= set(stored_ids(rows, job_id)) <= set(truth.instagram_related(SEED, SIMILAR.handle))
