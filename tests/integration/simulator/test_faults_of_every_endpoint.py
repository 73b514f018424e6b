"""Every fault of every endpoint: it does what it says, and no adapter is broken by it."""

import contextlib
import json
import re
from email.utils import parsedate_to_datetime

import httpx
import pytest

from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.registry import ADAPTERS
from platforms.simulator import truth
from platforms.simulator.channels import channel_id, video_of
from platforms.simulator.exchange import ANYWHERE, kinds_of
from platforms.simulator.faults import FaultKind
from platforms.simulator.graph_shapes import hashtag_id, is_professional
from platforms.simulator.people import number_of
from platforms.simulator.providers import providers_of
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import Settings
from platforms.simulator.table import Table
from platforms.simulator.walks import author_at
from tests.integration.simulated import adapter_of, page_of, providers_at
from worker.clock import utc_now
from worker.errors import ShapeError, TransportFailure

SETTINGS = Settings(items_per_query=60, run_seconds=0)
TABLE = Table(providers_of(SETTINGS))
TARGET = next(
    one
    for one in (author_at(1, "target", at) for at in range(500))
    if len(truth.tiktok_followings(1, one.handle)) > 30
    and len(truth.instagram_related(1, one.handle)) > 20
    and is_professional(one)
)
TAG = hashtag_id("tea")
ASKED = {
    # The parameters of a good call of every endpoint, and its body.
    "/v1/tiktok/search/keyword": ({"query": "tea"}, None),
    "/v1/tiktok/profile": ({"handle": TARGET.handle}, None),
    "/v1/tiktok/search/hashtag": ({"hashtag": "tea"}, None),
    "/v1/tiktok/search/users": ({"query": "tea"}, None),
    "/v1/tiktok/user/following": ({"handle": TARGET.handle}, None),
    "/v1/instagram/profile": ({"handle": TARGET.handle}, None),
    "/v2/instagram/reels/search": ({"query": "tea"}, None),
    "/v1/instagram/search/hashtag": ({"hashtag": "tea"}, None),
    "/v1/instagram/search/profiles": ({"query": "tea"}, None),
    "/v1/youtube/search": ({"query": "tea"}, None),
    "/v1/youtube/search/hashtag": ({"hashtag": "tea"}, None),
    "/v1/youtube/channel": ({"handle": TARGET.handle}, None),
    "/youtube_data_api/search": ({"part": "snippet", "q": "tea"}, None),
    "/youtube_data_api/channels": ({"part": "snippet,statistics", "id": channel_id(number_of(TARGET.uid))}, None),
    "/youtube_data_api/videos": ({"part": "snippet,statistics", "id": video_of(1, "x", 0).id}, None),
    "/instagram_graph/ig_hashtag_search": ({"user_id": "1", "q": "tea"}, None),
    f"/instagram_graph/{TAG}/top_media": ({"user_id": "1", "fields": "caption,like_count"}, None),
    f"/instagram_graph/{TAG}/recent_media": ({"user_id": "1", "fields": "caption,like_count"}, None),
    "/instagram_graph/1/recently_searched_hashtags": ({}, None),
    "/instagram_graph/1": (
        {"fields": f"business_discovery.username({TARGET.handle}){{name,biography,media_count}}"},
        None,
    ),
    "/tiktok_research/v2/research/video/query/": (
        {"fields": "id,username,view_count,video_description"},
        {
            "query": {"and": [{"operation": "EQ", "field_name": "keyword", "field_values": ["tea"]}]},
            "start_date": "20310101",
            "end_date": "20310130",
        },
    ),
    "/tiktok_research/v2/research/user/info/": (
        {"fields": "display_name,bio_description,video_count"},
        {"username": TARGET.handle},
    ),
    "/apify/acts/x/runs": ({}, {"usernames": [TARGET.handle]}),
}
TOKEN = "/tiktok_research/v2/oauth/token/"


@pytest.fixture(scope="module")
def shared():
    with Simulator(SETTINGS) as running:
        yield running


@pytest.fixture
def simulator(shared):
    shared.set_limit("youtube_data_api", per_day=10**6)
    shared.set_limit("/youtube_data_api/search", per_day=10**6)
    shared.set_limit("instagram_graph", per_day=10**6)
    shared.set_limit("tiktok_research", per_day=10**6)
    yield shared
    shared.clear_faults()
    shared.hold_runs(False)


@pytest.fixture
def http(simulator):
    form = {"client_key": "k", "client_secret": "s", "grant_type": "client_credentials"}
    token = httpx.post(simulator.url + TOKEN, data=form).json()["access_token"]
    headers = {"x-api-key": "k", "x-goog-api-key": "k", "authorization": f"Bearer {token}"}
    with httpx.Client(base_url=simulator.url, headers=headers, timeout=20) as client:
        yield client


def ask(http, path, **more):
    params, body = ASKED[path]
    if body is None:
        return http.get(path, params={**params, **more})
    return http.post(
        path, params=params, content=json.dumps({**body, **more}), headers={"content-type": "application/json"}
    )


def matched(path):
    """The endpoint of a path, by the name that faults call it."""
    method = "GET" if ASKED[path][1] is None else "POST"
    endpoint, provider, _ = TABLE.find(method, path)
    assert endpoint is not None
    return endpoint, provider, provider.prefix + endpoint.path


def test_every_endpoint_that_tells_something_is_tried_here():
    tried = {matched(path)[2] for path in ASKED} | {TOKEN}
    of_runs = {path for path in TABLE.endpoints if path.startswith("/apify/") and path != "/apify/acts/{actor}/runs"}
    assert tried | of_runs == set(TABLE.endpoints)


@pytest.mark.parametrize("path", ASKED)
def test_every_fault_of_an_endpoint_changes_its_answer(simulator, http, path):
    endpoint, _, name = matched(path)
    ask(http, "/instagram_graph/ig_hashtag_search")
    good = ask(http, path)
    assert good.status_code in (200, 201), good.text
    for kind in sorted(kinds_of(endpoint) - {FaultKind.GATE, FaultKind.HANG, FaultKind.DROP, FaultKind.HUGE}):
        if kind in (FaultKind.EXPIRED_CURSOR, FaultKind.REPEAT_CURSOR, FaultKind.RUN_ENDS):
            continue
        simulator.set_fault(kind, name, times=1, seconds=0.01)
        answer = ask(http, path)
        if kind is FaultKind.SLOW:
            assert answer.status_code == good.status_code
            assert answer.headers["transfer-encoding"] == "chunked"
        else:
            assert (answer.status_code, _stable(answer)) != (good.status_code, _stable(good)), kind
        assert simulator.report()["calls"][-1]["status"] == answer.status_code
        simulator.clear_faults()


VOLATILE = re.compile(rb'"(credits_remaining|publishedTime|min_time)":("[^"]*"|[0-9]+),?')


def _stable(answer):
    """The body without what changes from call to call by itself."""
    return VOLATILE.sub(b"", answer.content)


MARKERS = {
    "/v1/tiktok/search/hashtag": ("cursor", lambda page: page["cursor"]),
    "/v1/tiktok/user/following": ("min_time", lambda page: page["min_time"]),
    "/v1/instagram/search/profiles": ("cursor", lambda page: page["cursor"]),
    "/v1/youtube/search": ("continuationToken", lambda page: page["continuationToken"]),
    "/youtube_data_api/search": ("pageToken", lambda page: page["nextPageToken"]),
    f"/instagram_graph/{TAG}/top_media": ("after", lambda page: page["paging"]["cursors"]["after"]),
}


@pytest.mark.parametrize("path", MARKERS)
def test_a_cursor_can_come_again_and_can_expire(simulator, http, path):
    asked, told = MARKERS[path]
    name = matched(path)[2]
    marker = told(ask(http, path).json())
    # Given a page whose marker is the one it was asked by
    simulator.set_fault("repeat_cursor", name, times=1)
    assert str(told(ask(http, path, **{asked: marker}).json())) == str(marker)
    # When cursors are said to be expired, the first page still comes and a later one is refused
    simulator.set_fault("expired_cursor", name)
    assert ask(http, path).status_code == 200
    assert ask(http, path, **{asked: marker}).status_code == 400


@pytest.mark.parametrize("retry_after", [None, 7, "date"])
def test_a_planned_slow_down_tells_a_time_or_none(simulator, http, retry_after):
    simulator.set_fault("rate_limited", "/v1/youtube/*", retry_after=retry_after, times=1)
    answer = ask(http, "/v1/youtube/search")
    header = answer.headers.get("retry-after")
    assert answer.status_code == 429
    if retry_after == "date":
        assert 0 < (parsedate_to_datetime(header) - utc_now()).total_seconds() <= 6
    else:
        assert header == (None if retry_after is None else "7")
    assert ask(http, "/v1/youtube/search").status_code == 200


def test_a_burst_of_server_errors_ends(simulator, http):
    simulator.set_fault("status", "/youtube_data_api/search", status=503, times=3)
    assert [ask(http, "/youtube_data_api/search").status_code for _ in range(5)] == [503, 503, 503, 200, 200]


SPOILT = (
    (ANYWHERE - {FaultKind.GATE, FaultKind.HUGE, FaultKind.SLOW, FaultKind.HANG})
    | {FaultKind.NUL_AND_SURROGATES, FaultKind.MISSING_LIST, FaultKind.EMPTY_LIST, FaultKind.WRONG_SHAPE}
    | {FaultKind.BAD_ITEMS, FaultKind.NULLS, FaultKind.DUPLICATES, FaultKind.REPEAT_CURSOR}
)


@pytest.mark.parametrize(
    "adapter",
    ADAPTERS,
    ids=lambda one: "-".join((one.capability.platform, one.capability.kind, one.capability.provider)),
)
async def test_no_adapter_is_broken_by_any_fault(simulator, adapter):
    """Whatever comes, an answer is judged, or read, or refused as another shape."""
    capability = adapter.capability
    similar = capability.kind is SearchKind.SIMILAR
    query = Query(capability.platform, capability.kind, () if similar else ("tea",), TARGET.handle if similar else None)
    async with providers_at(simulator.url) as providers:
        transport = providers.of(capability.provider)
        prefix = "/v" if capability.provider == "scrapecreators" else f"/{capability.provider}/"
        known = set().union(*(kinds_of(one) for path, one in TABLE.endpoints.items() if path.startswith(prefix)))
        for kind in sorted(SPOILT & known):
            simulator.set_fault(kind, f"{prefix}*")
            walk = adapter.starts(query)[0]
            source = adapter.sources[walk.source]
            try:
                response = await transport.fetch(source.request(query, walk))
            except TransportFailure:
                assert kind is FaultKind.DROP
                simulator.clear_faults()
                continue
            judgement = source.judge(response)
            assert source.charged(response) >= 0
            if judgement.outcome is Outcome.OK:
                with contextlib.suppress(ShapeError):
                    source.parse(response, query, walk)
            simulator.clear_faults()


async def test_a_run_can_end_badly_with_half_of_its_results_and_can_be_held(simulator):
    adapter = adapter_of("instagram", SearchKind.SIMILAR, "apify")
    query = Query("instagram", SearchKind.SIMILAR, target_username=TARGET.handle)
    simulator.set_fault("run_ends", "/apify/acts/{actor}/runs", state="TIMED-OUT")
    async with providers_at(simulator.url) as providers:
        walk, pages = adapter.starts(query)[0], []
        for _ in range(6):
            page = await page_of(providers, adapter, query, walk)
            pages.append(page)
            if page.walks:
                walk = page.walks[0]
            elif page.ended:
                break
            else:
                walk = type(walk)(walk.word, page.next_cursor, source=walk.source)
    assert pages[-1].end_reason == "run_timed_out"
    assert 0 < len(pages[-1].items) <= len(truth.instagram_related(1, TARGET.handle)) // 2


def test_a_held_run_goes_on_when_it_is_let_go(simulator, http):
    simulator.hold_runs()
    run = ask(http, "/apify/acts/x/runs").json()["data"]
    state = f"/apify/v2/actor-runs/{run['id']}"
    assert http.get(state, params={"waitForFinish": "0"}).json()["data"]["status"] in ("READY", "RUNNING")
    assert http.get(f"/apify/v2/datasets/{run['defaultDatasetId']}/items").json() == []
    simulator.hold_runs(False)
    assert http.get(state, params={"waitForFinish": "5"}).json()["data"]["status"] == "SUCCEEDED"
    items = http.get(f"/apify/v2/datasets/{run['defaultDatasetId']}/items", params={"offset": "1", "limit": "5"})
    assert items.json() == []
    assert items.headers["x-apify-pagination-total"] == "1"
    assert http.get(f"/apify/v2/key-value-stores/{run['defaultKeyValueStoreId']}/records/INPUT").json() == {
        "usernames": [TARGET.handle]
    }
    # And a run of another account is not found
    other = http.get(state, headers={"authorization": "Bearer other"})
    assert (other.status_code, other.json()["error"]["type"]) == (404, "record-not-found")


async def test_an_expired_token_is_renewed_and_an_expired_search_is_told(simulator):
    adapter = adapter_of("tiktok", SearchKind.KEYWORD, "tiktok_research")
    query = Query("tiktok", SearchKind.KEYWORD, ("tea",))
    walk = adapter.starts(query)[0]
    async with providers_at(simulator.url) as providers:
        simulator.clear_calls()
        await page_of(providers, adapter, query, walk)
        simulator.expire("tokens")
        await page_of(providers, adapter, query, walk)
    # The second page needed a second token, after one refusal
    assert [call["status"] for call in simulator.calls()] == [200, 200, 401, 200, 200]
    assert [call["path"] for call in simulator.calls()].count(TOKEN) == 2


def test_a_search_id_belongs_to_its_cursor_and_expires(simulator, http):
    path = "/tiktok_research/v2/research/video/query/"
    search_id = ask(http, path).json()["data"]["search_id"]
    assert ask(http, path, cursor=20, search_id=search_id).status_code == 200
    assert ask(http, path, cursor=20).status_code == 400
    simulator.expire("cursors")
    refused = ask(http, path, cursor=20, search_id=search_id)
    assert refused.status_code == 400
    assert "is invalid or expired" in refused.json()["error"]["message"]


def test_a_seldom_sort_of_channel_is_told_as_recorded(http):
    """A missing channel says success, costs a credit, and comes with 404; a channel id is no handle."""
    answer = http.get("/v1/youtube/channel", params={"handle": channel_id(number_of(TARGET.uid))})
    assert answer.status_code == 404
    told = answer.json()
    assert (told["success"], told["accountDoesNotExist"], told["error"]) == (True, True, "not_found")
    by_id = http.get("/v1/youtube/channel", params={"channelId": channel_id(number_of(TARGET.uid))})
    assert by_id.json()["name"] == TARGET.nickname


def test_what_lies_beyond_the_last_page_of_instagram_is_a_bad_request(http):
    statuses = [
        http.get("/v2/instagram/reels/search", params={"query": "tea", "page": page}).status_code for page in (11, 12)
    ]
    assert statuses == [200, 400]


def test_a_token_of_one_search_is_none_of_another(http):
    token = ask(http, "/v1/youtube/search").json()["continuationToken"]
    assert len(token) > 500
    assert http.get("/v1/youtube/search", params={"query": "milk", "continuationToken": token}).status_code == 400
    other = ask(http, "/youtube_data_api/search").json()["nextPageToken"]
    answer = http.get("/youtube_data_api/search", params={"part": "snippet", "q": "milk", "pageToken": other})
    assert answer.json()["error"]["errors"][0]["reason"] == "invalidPageToken"


def test_thirty_hashtags_are_all_an_account_may_ask_for(simulator, http):
    simulator.expire("cursors")
    asked = [
        http.get("/instagram_graph/ig_hashtag_search", params={"user_id": "1", "q": f"tag{number % 31}"})
        for number in range(33)
    ]
    assert [answer.status_code for answer in asked[28:]] == [200, 200, 400, 200, 200]
    assert asked[30].json()["error"]["error_subcode"] == 2207042
    simulator.expire("cursors")
