"""Each fault that can be set, as a client meets it."""

import asyncio
import json
from email.utils import format_datetime

import httpx
import msgspec
import pytest

from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.integration.simulator.calls import in_background, infos, search
from worker.clock import utc_now


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
