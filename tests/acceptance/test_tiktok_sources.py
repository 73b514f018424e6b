"""TikTok's further sources, end to end: a similar search that opens walks of its own, and the Research API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conformance.kits.scrapecreators_tiktok_similar import PROFILE, account
from tests.conformance.kits.tiktok_research_tiktok import failure, video
from tests.fleet import Fleet, eventually
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, task


class Platform(ThreadingHTTPServer):
    """Both providers over HTTP, kept in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.target: Any = PROFILE
        self.tokens = 0
        self.lost = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was ended has left its connection open."""

    def asked(self, path: str) -> list[dict[str, Any]]:
        with self.lock:
            return [told for called, told in self.calls if called == path]

    def told(self, path: str, query: dict[str, Any], bearer: str) -> tuple[int, Any]:
        match path:
            case "/v1/tiktok/profile" if query["handle"] == "crema.daily":
                return 200, self.target
            case "/v1/tiktok/profile":
                stats = {"followerCount": "977", "videoCount": "5"}
                return 200, {"user": {"signature": "Hi a@b.example", "verified": True}, "statsV2": stats}
            case "/v1/tiktok/search/users":
                at = int(query["cursor"])
                # Every word finds accounts 1 to 3, the target itself and a private one; accounts 4 to 6 follow.
                found = [account(number + at // 10) for number in (1, 2, 3)] if at <= 30 else []
                odd = [account(8) | {"is_private_account": 1}, account(9) | {"uid": PROFILE["user"]["id"]}]
                return 200, {"users": [{"user_info": one} for one in [*odd, *found] if found], "cursor": at + 30}
            case "/v1/tiktok/user/following":
                followings = [account(3), account(20)] if "min_time" not in query else []
                return 200, {"followings": followings, "min_time": 1_700_000_000}
            case "/v2/oauth/token/":
                self.tokens += 1
                return 200, {"access_token": f"t{self.tokens}", "expires_in": 7200}
            case _ if bearer != "Bearer t2":
                return 401, {"error": {"code": "access_token_invalid", "message": "Invalid.", "log_id": "1"}}
            case "/v2/research/video/query/":
                return self.videos(query)
            case "/v2/research/user/info/":
                return 200, {"data": {"display_name": "Barista", "follower_count": 12}, "error": {"code": "ok"}}
        return 404, {"message": "no such endpoint"}

    def videos(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Two pages in each window; the second one's place is lost for as often as `lost` counts."""
        if body["cursor"] and self.lost:
            self.lost -= 1
            lost = failure(400, "invalid_params", "Search Id 77 is invalid or expired")
            return lost.status, json.loads(lost.body)
        number = int(body["end_date"]) * 10 + body["cursor"] // 100
        data = {
            "videos": [video(number)],
            "cursor": body["cursor"] + 100,
            "search_id": "77",
            "has_more": not body["cursor"],
        }
        return 200, {"data": data, "error": {"code": "ok"}}


class Handler(BaseHTTPRequestHandler):
    """Speaks as both APIs do."""

    server: Platform

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.answer(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        json_sent = self.headers["content-type"] == "application/json"
        self.answer(urlsplit(self.path).path, json.loads(body) if json_sent else parse_qs(body.decode()))

    def answer(self, path: str, query: dict[str, Any]) -> None:
        with self.server.lock:
            self.server.calls.append((path, query))
            status, told = self.server.told(path, query, self.headers.get("authorization", ""))
        document = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, *_: Any) -> None:
        """Nothing is written."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fleet(database_url: str, redis_url: str, platform: Platform, tmp_path) -> Iterator[Fleet]:
    with Fleet(
        database_url,
        redis_url,
        platform.url,
        tmp_path,
        TIKTOK_CLIENT_KEY="test-client",
        TIKTOK_CLIENT_SECRET="test-word",
        TIKTOK_RESEARCH_BASE_URL=platform.url,
    ) as made:
        made.reconciler()
        made.worker()
        yield made


def done(connection, **columns) -> str:
    name = insert_job(connection, **columns)
    eventually(lambda: is_final(connection, name))
    return name


@pytest.mark.slow
def test_a_similar_search_merges_its_walks_and_stores_each_account_once(connection, fleet, platform):
    # When
    name = done(connection, keywords=None, target_username="@crema.daily")
    # Then
    row = job(connection, name)
    assert (row["status"], row["error"]) == ("completed", None)
    assert task(connection, name)["end_reason"] == "exhausted"
    creators = stored_creators(connection, name)
    assert sorted(one["username"] for one in creators) == sorted(f"roaster{n}" for n in (1, 2, 3, 4, 5, 6, 20))
    assert {one["targetUsername"] for one in creators} == {"@crema.daily"}
    assert {one["searchKeyword"] for one in creators} == {"latte", ""}
    assert {(one["followerCount"], one["videoCount"], one["is_verified"]) for one in creators} == {(977, 5, True)}
    assert all(one["emails"] == ["a@b.example"] for one in creators)
    assert [one["provenance"]["page"] for one in creators if one["username"] in ("roaster1", "roaster20")] == [2, 7]
    # Each account is looked up once, whatever number of walks found it.
    handles = [told["handle"] for told in platform.asked("/v1/tiktok/profile")]
    assert sorted(handles) == sorted(["crema.daily", *(one["username"] for one in creators)])
    words = {told["query"] for told in platform.asked("/v1/tiktok/search/users")}
    assert len(words) == 5
    dropped = connection.execute("SELECT sum(dropped) FROM worker.pages").fetchone()
    assert dropped == (2 * 2 * len(words),)
    assert_counters_are_true(connection, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"account_private": True, "handle": "crema.daily"}, "the target account is private"),
        ({"account_deactivated": True, "handle": "crema.daily"}, "does not exist or is deactivated"),
    ],
)
def test_a_target_that_cannot_be_seen_ends_the_job_with_a_text(connection, fleet, platform, target, said):
    platform.target = target
    row = job(connection, done(connection, keywords=None, target_username="crema.daily"))
    assert row["status"] == "error"
    assert said in row["error"]
    assert "Correct what the job asks for, then retry it." in row["error"]


@pytest.mark.slow
def test_a_research_walk_goes_through_its_windows_with_a_renewed_token_and_lost_places(connection, fleet, platform):
    # Given
    platform.lost = 2
    # When
    params = {"provider": "tiktok_research", "date_posted": "last-3-months"}
    name = done(connection, keywords=["#latte"], search_params=params)
    # Then
    row = job(connection, name)
    assert (row["status"], row["error"]) == ("completed", None)
    asked = platform.asked("/v2/research/video/query/")
    windows = sorted({told["end_date"] for told in asked})
    assert len(windows) == 4
    creators = stored_creators(connection, name)
    expected = {f"barista{int(last) * 10 + page}" for last in windows for page in (0, 1)}
    assert {one["creator"]["uniqueId"] for one in creators} == expected
    assert len(creators) == 8
    assert {one["creator"]["followers"] for one in creators} == {12}
    # The first token is refused; the second one serves every call since. Two lost places cost a page more each.
    assert platform.tokens == 2
    assert len(asked) == 1 + 8 + 2 + 2
    assert_counters_are_true(connection, name)
