"""YouTube and Instagram rows, through the whole engine, against the simulated providers."""

import pytest

from platforms.simulator.running import running_simulator
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, task

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulator():
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    logs = tmp_path_factory.mktemp("youtube")
    with fleet_of(module_database_url, module_redis_url, simulator, logs, **every_provider(simulator.url)) as running:
        yield running


@pytest.fixture
def run(fleet, rows):
    """Runs one job to its end; gives its row, its creators and why it ended."""

    def ended(**columns):
        job_id = insert_job(rows, **columns)
        eventually(lambda: is_final(rows, job_id))
        if columns["platform"] == "YouTube":
            assert_counters_are_true(rows, job_id)
        return job(rows, job_id), stored_creators(rows, job_id), task(rows, job_id)["end_reason"]

    return ended


@pytest.mark.parametrize("provider", ["scrapecreators", "youtube_data_api"])
def test_a_keyword_row_finds_channels_and_looks_them_up(run, provider):
    row, creators, _ = run(
        platform="YouTube", keywords=["desk lamp", "#studio"], target_results=60, search_params={"provider": provider}
    )
    assert (row["status"], row["error"], len(creators)) == ("completed", None, 60)
    assert {one["provenance"]["provider"] for one in creators} == {provider}
    assert all(one["creator"]["channelId"].startswith("UC") and one["creator"]["name"] for one in creators)
    assert {word for one in creators for word in one["keywords"]} >= {"desk lamp"}
    found = [one for one in creators if one["enhancementStatus"] == "completed"]
    assert len(found) >= 50
    assert sum(one["creator"]["followers"] > 0 for one in found) >= 30
    assert any(one["creator"]["bio"] for one in found)


@pytest.mark.parametrize("provider", ["scrapecreators", "youtube_data_api"])
def test_a_similar_row_finds_other_channels_by_the_targets_topics(run, provider):
    # Given a channel that is there
    _, creators, _ = run(
        platform="YouTube", keywords=["trail running"], target_results=5, search_params={"provider": provider}
    )
    target = next(one["creator"] for one in creators if one["creator"]["handle"])
    # When
    row, similar, _ = run(
        platform="YouTube",
        keywords=None,
        target_username=f"@{target['handle']}",
        target_results=40,
        search_params={"provider": provider},
    )
    # Then
    assert (row["status"], row["error"], len(similar)) == ("completed", None, 40)
    assert target["channelId"] not in {one["id"] for one in similar}
    assert all(one["searchKeyword"] and one["searchType"] == "similar" for one in similar)
    # A search may find a channel itself, whatever it was asked for.
    assert sum(bool(one["videos"]) for one in similar) >= 30


@pytest.mark.parametrize("provider", ["scrapecreators", "youtube_data_api"])
def test_a_target_that_does_not_exist_ends_the_row_with_a_clear_error(run, provider):
    row, creators, reason = run(
        platform="YouTube",
        keywords=None,
        target_username="no_such_channel_anywhere",
        search_params={"provider": provider},
    )
    assert (row["status"], creators, reason) == ("error", [], "not_found")
    assert "Correct what the job asks for" in row["error"]


def test_a_hashtag_row_by_the_platforms_own_interface_stores_posts_of_unknown_creators(run):
    row, creators, _ = run(
        platform="Instagram",
        keywords=["#latte"],
        target_results=70,
        search_params={"provider": "instagram_graph"},
    )
    assert (row["status"], row["error"], row["processed_results"]) == ("completed", None, 70)
    assert len({one["postId"] for one in creators}) == 70
    assert {one["creator"]["name"] for one in creators} == {"Unknown Creator"}


def test_no_key_and_no_token_is_part_of_any_address(run, simulator):
    run(platform="YouTube", keywords=["tea"], target_results=5, search_params={"provider": "youtube_data_api"})
    run(platform="Instagram", keywords=["#tea"], target_results=5, search_params={"provider": "instagram_graph"})
    calls = simulator.calls()
    assert {"search", "ig_hashtag_search"} <= {call["path"].rpartition("/")[2] for call in calls}
    assert not [call for call in calls if {"key", "access_token"} & set(call["params"])]
    assert "test-key" not in f"{[(call['path'], call['params']) for call in calls]}"
