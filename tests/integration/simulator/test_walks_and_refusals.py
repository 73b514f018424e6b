"""What the simulator answers where no fault is set: walks, recordings, refusals, credits."""

import httpx
import msgspec
import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.make_fixtures import FOLDER
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH, Settings
from tests.integration.simulator.calls import SAMPLES, asking, infos, search, walk


async def test_a_walk_of_the_catalogue_gives_the_creators_that_are_told_without_it(simulator, client):
    # When a whole walk is read
    pages = await walk(client)
    # Then it holds exactly the creators of the query, and each call cost one credit
    assert tuple(dict.fromkeys(info["author"]["uid"] for info in infos(*pages))) == creators_of(1, "tea", 100)
    assert [page["credits_charged"] for page in pages] == [1] * len(pages)
    assert pages[0]["credits_remaining"] - pages[-1]["credits_remaining"] == len(pages) - 1
    assert simulator.credits_charged() == len(simulator.calls()) == len(pages) + 1


async def test_every_author_of_a_page_has_a_profile(client):
    for info in infos((await search(client)).json()):
        # When the author is looked up
        told = (
            (await client.get(PROFILE_PATH, params={"handle": info["author"]["unique_id"]})).raise_for_status().json()
        )
        # Then the answer is theirs, found or not
        assert told["success"] is True
        assert told.get("handle", info["author"]["unique_id"]) == info["author"]["unique_id"]
        assert "user" not in told or told["user"]["id"] == info["author"]["uid"]


async def test_a_real_page_is_as_large_as_an_untrimmed_one():
    with Simulator(Settings(page_bytes="real")) as running:
        async with asking(running.url) as http:
            assert 1_300_000 < len((await search(http)).content) < 2_800_000


async def test_the_shipped_recordings_replay_as_one_walk_with_an_end():
    with Simulator(Settings(replay=FOLDER)) as running:
        async with asking(running.url) as http:
            # When the walk is read to its end
            pages = await walk(http, "any words")
            end = (await search(http, 120)).json()
            # Then it is the recorded one, with the provider's own cursors
            assert [len(page["search_item_list"]) for page in pages] == [29, 26, 26, 28]
            assert [page["cursor"] for page in pages] == [30, 60, 90, 120]
            assert (end["cursor"], end["has_more"], end["aweme_list"]) == (150, 0, None)
            assert end["search_nil_info"]["search_nil_item"] == "federation_empty"
            # And a cursor between two pages gives the one it falls into
            between = (await search(http, 59)).json()
            assert between["search_item_list"] == pages[1]["search_item_list"]
            assert between["cursor"] == 89


async def test_recorded_profiles_are_found_by_handle_and_others_are_not():
    profiles = msgspec.json.decode((FOLDER / "tiktok_profiles.json").read_bytes())
    with Simulator(Settings(replay=FOLDER)) as running:
        async with asking(running.url) as http:
            # When every recorded handle is looked up, and one that is nobody's
            told = {handle: (await http.get(PROFILE_PATH, params={"handle": handle})).json() for handle in profiles}
            nobody = await http.get(PROFILE_PATH, params={"handle": "nobody"})
            # Then the recordings come as they are, and nobody costs nothing
            assert told == profiles
            assert nobody.status_code == 404
            assert nobody.json() == {
                "success": False,
                "error": "not_found",
                "errorStatus": 404,
                "message": "Account doesn't exist",
                "credits_remaining": 1_000_000 - len(profiles),
            }
            assert running.credits_charged() == len(profiles)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recorded answers are not shipped with the repository")
async def test_real_recordings_replay_too():
    with Simulator(Settings(replay=SAMPLES)) as running:
        async with asking(running.url) as http:
            pages = await walk(http)
            assert [len(page["search_item_list"]) for page in pages] == [29, 26, 26, 28]
            assert len({info["author"]["uid"] for info in infos(*pages)}) == 90
            assert (await search(http, 120)).json()["cursor"] == 150
            for path in sorted(SAMPLES.glob("tiktok_profile__account_*.json")):
                recorded = msgspec.json.decode(path.read_bytes())
                assert (await http.get(PROFILE_PATH, params={"handle": recorded["handle"]})).json() == recorded


@pytest.mark.parametrize(
    ("key", "params", "status", "message"),
    [
        (None, {"query": "tea"}, 500, "apiKey is required"),
        ("", {"query": "tea"}, 500, "apiKey is required"),
        ("bad-key", {"query": "tea"}, 401, "Invalid API key"),
        ("good", {}, 400, "You must provide a query"),
        ("good", {"query": ""}, 400, "You must provide a query"),
        ("good", {"query": "tea", "cursor": "next"}, 400, "cursor must be a number"),
    ],
    ids=["no key", "empty key", "bad key", "no query", "empty query", "a cursor of letters"],
)
async def test_a_wrong_call_is_refused_as_the_provider_refuses_it(simulator, key, params, status, message):
    # When a call is made that cannot be answered
    async with httpx.AsyncClient(base_url=simulator.url, headers={} if key is None else {"x-api-key": key}) as http:
        answer = await http.get(SEARCH_PATH, params=params)
    # Then the status and the body are the provider's, and it costs nothing
    assert (answer.status_code, answer.json()["success"], answer.json()["message"]) == (status, False, message)
    assert [call["status"] for call in simulator.calls()] == [status]
    assert simulator.credits_charged() == 0


@pytest.mark.parametrize("path", ["/v1/tiktok/nothing", "/v1/tiktok/profile/", "/%3Cb%3E"])
async def test_an_unknown_route_is_an_html_page(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<pre>Cannot GET /" in answer.text
    assert "<b>" not in answer.text


async def test_credits_run_out():
    with Simulator(Settings(credits=2)) as running:
        async with asking(running.url) as http:
            # When more is asked than the balance pays for
            answers = [await search(http, cursor) for cursor in (0, 30, 60)]
    # Then the last call is refused
    assert [answer.status_code for answer in answers] == [200, 200, 402]
    assert [answer.json().get("credits_remaining") for answer in answers] == [1, 0, None]
    assert "out of credits" in answers[2].json()["message"]


async def test_calls_are_listed_and_forgotten(simulator, client):
    # Given two calls
    await search(client, 30)
    await client.get(PROFILE_PATH, params={"handle": "nobody"})
    # Then they are told in order with what was asked
    report = simulator.report()
    assert [(call["path"], call["params"], call["status"]) for call in report["calls"]] == [
        (SEARCH_PATH, {"query": "tea", "cursor": "30"}, 200),
        (PROFILE_PATH, {"handle": "nobody"}, 404),
    ]
    assert (report["total"], report["by_path"]) == (2, {SEARCH_PATH: 1, PROFILE_PATH: 1})
    assert len(simulator.calls(PROFILE_PATH)) == 1
    # And gone when they are cleared
    simulator.clear_calls()
    assert (simulator.calls(), simulator.credits_charged(), simulator.report()["total"]) == ([], 0, 0)
