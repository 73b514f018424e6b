"""The simulator over real HTTP on the loopback address."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from platforms.simulator.app import create_app
from platforms.simulator.catalogue import creators_of
from platforms.simulator.make_fixtures import FOLDER
from platforms.simulator.running import running_simulator
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH, Settings
from worker.clock import utc_now
from worker.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "samples" / "scrapecreators"


@pytest.fixture(scope="module")
def shared_simulator():
    with Simulator(Settings(items_per_query=100)) as running:
        yield running


@pytest.fixture
def simulator(shared_simulator):
    yield shared_simulator
    shared_simulator.clear_faults()
    shared_simulator.clear_calls()


@pytest.fixture
async def client(simulator):
    async with httpx.AsyncClient(base_url=simulator.url, headers={"x-api-key": "good"}, timeout=20) as http:
        yield http


def asking(url: str, key: str = "good") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=20)


async def search(http: httpx.AsyncClient, cursor: int = 0, query: str = "tea") -> httpx.Response:
    return await http.get(SEARCH_PATH, params={"query": query, "cursor": cursor})


async def walk(http: httpx.AsyncClient, query: str = "tea") -> list[dict[str, Any]]:
    """Every page with items, following the answers' cursors."""
    pages, cursor = [], 0
    while "search_item_list" in (page := (await search(http, cursor, query)).raise_for_status().json()):
        pages.append(page)
        cursor = page["cursor"]
    return pages


def infos(*pages: dict[str, Any]) -> list[dict[str, Any]]:
    return [item["aweme_info"] for page in pages for item in page["search_item_list"]]


@asynccontextmanager
async def in_background(coroutine: Coroutine[Any, Any, httpx.Response]) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A call made in the background, which is over when the block is."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


async def test_a_fault_hits_only_the_calls_it_is_meant_for(simulator, client):
    # Given a fault for the second and third call of one query
    simulator.set_fault("status", status=503, match={"query": "tea"}, after=1, times=2)
    # When two queries are asked
    tea = [(await search(client)).status_code for _ in range(4)]
    milk = [(await search(client, query="milk")).status_code for _ in range(4)]
    # Then only those two fail
    assert (tea, milk) == ([200, 503, 503, 200], [200] * 4)


async def test_faults_follow_one_another_and_can_be_cleared(simulator, client):
    # Given a fault for one call and another for all that follow
    simulator.set_fault("status", status=429, times=1)
    simulator.set_fault("status", status=502)
    # Then they come in this order, until they are cleared
    assert [(await search(client)).status_code for _ in range(3)] == [429, 502, 502]
    simulator.clear_faults()
    assert (await search(client)).status_code == 200


@pytest.mark.parametrize(
    ("wishes", "complaint"),
    [
        ({"kind": "unheard_of"}, "unheard_of"),
        ({"kind": "status", "path": "/v1/nothing"}, "no endpoint"),
        ({"kind": "missing_list", "path": PROFILE_PATH}, "no fault"),
        ({"kind": "status", "timse": 3}, "timse"),
    ],
    ids=["unknown kind", "unknown path", "kind of another endpoint", "misspelt field"],
)
async def test_a_wish_that_cannot_be_met_is_refused(simulator, wishes, complaint):
    with pytest.raises(ValueError, match=complaint):
        simulator.set_fault(**wishes)


@pytest.mark.parametrize("retry_after", ["7", format_datetime(utc_now(), usegmt=True)], ids=["seconds", "date"])
async def test_a_status_comes_with_its_headers_and_body(simulator, client, retry_after):
    # Given a planned 429
    simulator.set_fault("status", status=429, headers={"Retry-After": retry_after}, body={"message": "slow down"})
    # Then the answer is exactly that, and charges nothing
    answer = await search(client)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (
        429,
        retry_after,
        {"message": "slow down"},
    )
    assert simulator.credits_charged() == 0


@pytest.mark.parametrize("status", [401, 402, 403, 500, 503])
async def test_a_status_without_a_body_has_the_providers_own(simulator, client, status):
    simulator.set_fault("status", status=status)
    answer = await search(client)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


async def test_html_comes_with_status_200(simulator, client):
    simulator.set_fault("html")
    answer = await search(client)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


async def test_cut_json_is_half_of_the_good_answer_with_a_matching_length(simulator, client):
    # Given a good answer and the same one cut
    good = (await search(client, 30)).content
    simulator.set_fault("cut_json")
    answer = await search(client, 30)
    # Then it is its first half, announced as complete
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) == len(good) // 2
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(answer.content)


async def test_a_huge_answer_is_streamed_in_full_length(simulator, client):
    simulator.set_fault("huge", bytes=5_000_000)
    async with client.stream("GET", SEARCH_PATH, params={"query": "tea"}) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert sum([len(chunk) async for chunk in answer.aiter_bytes()]) == 5_000_000


async def test_a_client_may_leave_a_huge_answer(simulator, client):
    # Given an answer of 300 MB that the client leaves early
    simulator.set_fault("huge", times=1)
    async with client.stream("GET", SEARCH_PATH, params={"query": "tea"}) as answer:
        await anext(answer.aiter_bytes())
    # Then the next call is answered
    assert (await search(client)).status_code == 200


async def test_a_hanging_answer_sends_headers_and_then_nothing(simulator, client):
    simulator.set_fault("hang")
    async with client.stream("GET", SEARCH_PATH, params={"query": "tea"}, timeout=0.2) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            await answer.aread()


async def test_a_dropped_connection_has_no_answer(simulator, client):
    # Given one call that is dropped
    simulator.set_fault("drop", times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await search(client)
    # Then it is listed without a status, and the next one is answered
    assert (await search(client)).status_code == 200
    assert [call["status"] for call in simulator.calls()] == [0, 200]


async def test_nul_and_surrogates_come_as_json_escapes(simulator, client):
    # Given a page whose strings cannot be stored
    simulator.set_fault("nul_and_surrogates")
    body = (await search(client)).text
    # Then the escapes are in fields that are read and in others, and the page is still JSON for a lenient reader
    assert r"\u0000" in body
    assert r"\ud83d" in body
    bent = [info for info in infos(json.loads(body)) if "\0" in info["region"]]
    assert all("\ud83d" in info["desc"] and "\0" in info["author"]["nickname"] for info in bent)
    assert any("\0" in extra.get("hashtag_name", "") for info in bent for extra in info["text_extra"] or [])


async def test_a_missing_list_and_an_empty_list_differ(simulator, client):
    simulator.set_fault("missing_list", times=1)
    simulator.set_fault("empty_list")
    missing, empty = (await search(client)).json(), (await search(client)).json()
    assert not {"search_item_list", "search_nil_info"} & missing.keys()
    assert empty["search_item_list"] == []
    assert missing["success"] is empty["success"] is True


async def test_a_wrong_shape_is_an_object_or_numbers(simulator, client):
    simulator.set_fault("wrong_shape", times=1)
    simulator.set_fault("wrong_shape", shape="numbers")
    assert isinstance((await search(client)).json()["search_item_list"], dict)
    assert (await search(client)).json()["search_item_list"][:3] == [0, 1, 2]


async def test_every_third_item_is_bad_in_one_of_three_ways(simulator, client):
    # Given a page with bad items
    simulator.set_fault("bad_items")
    items = infos((await search(client)).json())
    # Then they are the third, sixth and ninth and so on, and the others are good
    bad = [info["author"] for info in items[2::3]]
    assert bad[0] is None
    assert "uid" not in bad[1]
    assert bad[2]["follower_count"] == "many"
    good = [info["author"] for place, info in enumerate(items) if place % 3 != 2]
    assert all(author["uid"] and isinstance(author["follower_count"], int) for author in good)


async def test_a_repeated_cursor_is_the_one_asked_for(simulator, client):
    simulator.set_fault("repeat_cursor")
    assert [(await search(client, cursor)).json()["cursor"] for cursor in (0, 60)] == [0, 60]


async def test_numbers_may_be_null_or_text(simulator, client):
    # Given faults on a page and on a profile
    simulator.set_fault("nulls")
    simulator.set_fault("nulls", path=PROFILE_PATH)
    items = infos((await search(client)).json())
    # Then numbers are null or text in both
    assert all(info["statistics"]["play_count"] is None for info in items)
    assert all(info["statistics"]["digg_count"].isdigit() for info in items)
    assert {type(info["author"]["follower_count"]) for info in items} == {str, type(None)}
    profiles = [
        (await client.get(PROFILE_PATH, params={"handle": info["author"]["unique_id"]})).json() for info in items
    ]
    assert all(set(told["statsV2"].values()) == {None} for told in profiles if "user" in told)


async def test_one_page_can_hold_very_many_items(simulator, client):
    simulator.set_fault("many_items", items=1_000)
    items = infos((await search(client)).json())
    assert len(items) == 1_000
    assert len({info["aweme_id"] for info in items}) > 900


async def test_the_gate_holds_an_answer_until_it_is_opened(simulator, client):
    # Given one call that is held
    simulator.set_fault("gate", times=1)
    async with in_background(search(client)) as held:
        await asyncio.to_thread(simulator.wait_for_gate)
        # When another is made meanwhile
        assert (await search(client)).status_code == 200
        # Then the first is still held, though paid for, and answered when the gate opens
        assert not held.done()
        assert simulator.credits_charged() == 2
        assert simulator.open_gate() == 1
        assert (await held).status_code == 200
    assert await asyncio.to_thread(simulator.wait_for_gate, 0) == 0


async def test_a_call_whose_client_left_waits_at_the_gate_no_more(simulator, client):
    # Given a held call
    simulator.set_fault("gate")
    async with in_background(search(client)) as held:
        await asyncio.to_thread(simulator.wait_for_gate)
        # When its client leaves and another call comes
        held.cancel()
    async with in_background(search(client)) as second:
        await asyncio.to_thread(simulator.wait_for_gate)
        # Then clearing the faults lets go of what is held
        simulator.clear_faults()
        assert (await second).status_code == 200


async def test_a_gate_that_nobody_reaches_is_told_as_a_timeout(simulator):
    with pytest.raises(TimeoutError, match="held 0 answers"):
        simulator.wait_for_gate(timeout_seconds=0.01)


async def test_a_latency_is_added_to_every_answer():
    with Simulator(Settings(latency=timedelta(milliseconds=60))) as running:
        async with asking(running.url) as http:
            assert (await search(http)).elapsed >= timedelta(milliseconds=60)


async def test_the_application_serves_without_a_port():
    # Given the application alone
    transport = httpx.ASGITransport(create_app(Settings(items_per_query=30)))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator", headers={"x-api-key": "k"}) as http:
        # Then it answers, and a dropped connection is an exception
        assert len(infos(*await walk(http))) == 30
        await http.post("/_simulator/faults", json={"path": SEARCH_PATH, "kind": "drop"})
        with pytest.raises(ConnectionResetError):
            await search(http)


async def test_the_command_serves_until_it_is_told_to_end():
    # Given the command with a held call and a hanging one
    with running_simulator("--items-per-query", "40", "--seed", "8") as running:
        async with asking(running.url) as http:
            assert tuple(dict.fromkeys(info["author"]["uid"] for info in infos(*await walk(http)))) == creators_of(
                8, "tea", 40
            )
            running.set_fault("gate", match={"query": "held"})
            async with in_background(search(http, query="held")):
                await asyncio.to_thread(running.wait_for_gate)
                # When it is told to end
                running.process.terminate()
                # Then it ends at once and cleanly
                assert await asyncio.to_thread(running.process.wait, 5) == 0


def test_ctrl_c_ends_the_command_cleanly():
    with running_simulator() as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(5) == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "platforms.simulator", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_bad_replay_folder_ends_the_command_with_the_reason(tmp_path):
    # Given a folder with a file that is not JSON
    (tmp_path / "tiktok_search_keyword.json").write_text("not json")
    # When the command is to replay it, or a folder that is not there
    bad, missing = (run("--port", "0", "--replay", str(path)) for path in (tmp_path, tmp_path / "none"))
    # Then both end with 2 and say why, without a traceback
    assert (bad.returncode, missing.returncode) == (2, 2)
    assert "tiktok_search_keyword.json is not JSON" in bad.stderr
    assert "does not exist" in missing.stderr
    assert "Traceback" not in bad.stderr + missing.stderr


def test_a_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigurationError, match="cannot be used"):
            Simulator(port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="exit 2"), running_simulator(port=taken.getsockname()[1]):
            pass


def test_help_names_every_option():
    told = run("--help").stdout
    for option in ("--port", "--replay", "--seed", "--items-per-query", "--page-bytes", "--latency-ms", "--credits"):
        assert option in told
