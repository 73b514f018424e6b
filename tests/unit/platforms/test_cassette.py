"""Cassettes: what is kept of a call, and what plays it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.cassette import Cassette, CassetteMismatch, CassettePlayer, decode, encode, record
from platforms.pages import ACCOUNT, Request, Response
from platforms.private_data import without_private_data
from platforms.transport import Transport
from tests.conformance.kits.scrapecreators_tiktok import KEYWORD
from worker.redaction import redact

NOW = datetime(2026, 3, 1, tzinfo=UTC)
JSON = {"content-type": "application/json", "set-cookie": "session=1", "x-ratelimit-remaining": "7"}
LIMITS = {
    "connect_seconds": 2,
    "read_seconds": 2,
    "total_seconds": 5,
    "body_limit_bytes": 10_000_000,
    "max_connections": 4,
}


def cassette_of(*calls) -> Cassette:
    return Cassette(provider="p", endpoint="e", adapter_version=1, recorded_at=NOW, calls=list(calls))


def recorded(request: Request, body: bytes = b"{}", status: int = 200):
    return record(request, Response(status, JSON, body), redact)


def playing(*calls, account: str = "") -> tuple[CassettePlayer, Transport]:
    player = CassettePlayer([decode(encode(cassette_of(*calls)))], account)
    return player, Transport(
        "http://cassette.invalid", {"x-key": "secret-key"}, account=account, transport=player, **LIMITS
    )


async def test_an_adapter_reads_a_cassette_as_it_reads_the_provider():
    # Given a recorded page
    request = KEYWORD.read.request(KEYWORD.query, KEYWORD.walk)
    player, transport = playing(record(request, KEYWORD.good, redact))
    # When the adapter's own request is played
    response = await transport.fetch(request)
    # Then it is judged and read as the page was
    assert KEYWORD.read.judge(response).rule == KEYWORD.read.judge(KEYWORD.good).rule
    assert KEYWORD.read.parse(response, KEYWORD.query, KEYWORD.walk) == KEYWORD.read.parse(
        KEYWORD.good, KEYWORD.query, KEYWORD.walk
    )
    assert player.left == ()


@pytest.mark.parametrize(
    "other",
    [
        Request("/v1/other", {"a": "1", "b": "2"}),
        Request("/v1/search", {"a": "1"}),
        Request("/v1/search", {"a": "1", "b": "3"}),
        Request("/v1/search", {"a": "1", "b": "2", "c": ""}),
        Request("/v1/search", {"a": "1", "b": "2"}, b"{}"),
    ],
    ids=["path", "parameter missing", "parameter", "parameter more", "body"],
)
async def test_any_other_call_is_an_error_that_says_what_was_asked_and_what_there_is(other):
    _, transport = playing(recorded(Request("/v1/search", {"b": "2", "a": "1"})))
    with pytest.raises(CassetteMismatch) as caught:
        await transport.fetch(other)
    asked, there = str(caught.value).split("there is")
    assert other.path in asked
    assert "GET /v1/search?a=1&b=2" in there


async def test_a_body_matches_by_what_it_says():
    _, transport = playing(recorded(Request("/q", {}, b'{"a": 1, "b": [2]}'), b"[1]"))
    assert (await transport.fetch(Request("/q", {}, b'{"b":[2],"a":1}'))).body == b"[1]"
    with pytest.raises(CassetteMismatch):
        await transport.fetch(Request("/q", {}, b'{"b":[2],"a":2}'))


async def test_equal_calls_are_played_in_their_order_and_the_last_again():
    asked = Request("/run", {})
    _, transport = playing(recorded(asked, b"[1]"), recorded(asked, b"[2]"))
    assert [(await transport.fetch(asked)).body for _ in range(3)] == [b"[1]", b"[2]", b"[2]"]


async def test_our_own_account_stands_in_no_cassette():
    asked = Request("/v1/" + ACCOUNT, {"user_id": ACCOUNT})
    call = recorded(asked)
    _, transport = playing(call, account="17841400000000000")
    assert (await transport.fetch(asked)).status == 200
    assert "17841400000000000" not in encode(cassette_of(call)).decode()


async def test_bytes_that_are_no_text_come_back_as_they_were():
    _, transport = playing(recorded(Request("/x", {}), b"\xff\x00"))
    assert (await transport.fetch(Request("/x", {}))).body == b"\xff\x00"


def test_only_headers_that_something_reads_are_kept():
    assert recorded(Request("/x", {})).headers == {"content-type": "application/json", "x-ratelimit-remaining": "7"}


def test_keys_and_tokens_are_cut_from_parameters_and_bodies():
    call = recorded(
        Request("/x", {"api_key": "MARK-1", "q": "lamp"}), b'{"access_token": "MARK-2", "next": "u?token=MARK-3"}'
    )
    assert "MARK" not in encode(cassette_of(call)).decode()
    assert call.params["q"] == "lamp"


PRIVATE = [
    "jo.doe+pr@shop.example",
    "+49 30 1234567",
    "+1 (555) 123-4567",
    "(555) 123-4567",
    "tel:+15551234567",
    "https://wa.me/15551234567",
]


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize("around", ["{}", "Write to {}!", "line\n{}\nline", "ünï {} 🎉", "mailto:{}"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_private_contact_data_is_replaced_wherever_it_stands(private, around, ascii_only):
    body = json.dumps({"bio": around.format(private), "id": 7123456789012345678}, ensure_ascii=ascii_only)
    found = json.loads(without_private_data(body))
    assert private.removeprefix("tel:").removeprefix("https://wa.me/") not in found["bio"]
    assert found["id"] == 7123456789012345678


def test_phone_fields_are_replaced_and_flags_stay():
    document = {
        "public_phone_number": "5551234567",
        "phone": 5551234567,
        "is_whatsapp_linked": True,
        "phone_code": "49",
    }
    found = json.loads(without_private_data(json.dumps(document)))
    assert found == {**document, "public_phone_number": "+10000000000", "phone": 10000000000}


def test_signatures_of_links_are_cut_and_the_links_stay():
    link = "https://p16.example/a~c5.jpeg?lk3s=a5d4&x-expires=1754000000&x-signature=Zm9v%2BYg%3D&shp=a5d4"
    found = json.loads(without_private_data(json.dumps({"url": link})))
    assert found["url"] == "https://p16.example/a~c5.jpeg?lk3s=a5d4&x-expires=cut&x-signature=cut&shp=a5d4"


def test_equal_e_mails_stay_equal_and_others_differ():
    found = json.loads(without_private_data(json.dumps(["a@x.example", "b@x.example", "A@x.example"])))
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    "text", ["7123456789012345678", "Mon Jan 01 10:00:00 +0000 2024", "2025-06-01T10:00:00+00:00", "@handle"]
)
def test_ids_dates_and_handles_are_left(text):
    assert json.loads(without_private_data(json.dumps([text]))) == [text]


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_stays_json(document):
    json.loads(without_private_data(json.dumps([document])))
