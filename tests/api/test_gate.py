"""Who may ask, what every error looks like, and what happens while the database is away."""

import json
import logging
import socket
from urllib.parse import urlsplit

import pytest

from console.api import services
from console.api.gate import MOST_BODY
from db.session import connect
from tests.api.serving import ALL, CONTROL, ENQUEUE, READ, make_host, serving
from tests.jobs import insert_job
from worker.api_settings import load_api_settings, read_tokens
from worker.errors import ConfigurationError

SEARCH = {"user_id": "user_1", "platform": "TikTok", "keywords": ["lamp"]}
NOBODY = "5f0c7c1e-0000-4000-8000-000000000000"
ROUTES = [
    ("GET", "/api/v1/scraping-jobs", "read"),
    ("GET", "/api/v1/background-jobs", "read"),
    ("GET", "/api/v1/search-jobs", "read"),
    ("GET", f"/api/v1/jobs/{NOBODY}", "read"),
    ("GET", f"/api/v1/jobs/{NOBODY}/explanation", "read"),
    ("GET", f"/api/v1/jobs/{NOBODY}/results", "read"),
    ("GET", f"/api/v1/jobs/{NOBODY}/results.ndjson", "read"),
    ("GET", f"/api/v1/jobs/{NOBODY}/events", "read"),
    ("POST", "/api/v1/scraping-jobs", "enqueue"),
    ("POST", "/api/v1/scraping-jobs/bulk", "enqueue"),
    ("POST", "/api/v1/background-jobs", "enqueue"),
    ("POST", "/api/v1/background-jobs/bulk", "enqueue"),
    ("POST", "/v2/publish/https://app.example.com/api/qstash/process-scraping", "enqueue"),
    ("POST", f"/api/v1/jobs/{NOBODY}/cancel", "control"),
    ("POST", f"/api/v1/jobs/{NOBODY}/retry", "control"),
]
TOKEN_OF = {"read": READ, "enqueue": ENQUEUE, "control": CONTROL}


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"]) == (f"urn:trawler:problem:{code}", status)
    assert told["title"]
    return told


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_a_route_takes_the_scope_it_needs_and_no_other(api, method, path, scope):
    # Without a token, and with one that nobody gave out
    told = api.with_token(None).request(method, path)
    problem(told, 401, "unauthorized")
    assert told.headers["www-authenticate"] == 'Bearer realm="trawler"'
    told = api.with_token("x" * 40).request(method, path)
    problem(told, 401, "unauthorized")
    assert told.headers["www-authenticate"] == 'Bearer realm="trawler", error="invalid_token"'
    # With a token of another scope, before anything of the request is looked at
    for other, token in TOKEN_OF.items():
        answer = api.with_token(token).request(method, path, content=b"{" if method == "POST" else None)
        if other == scope:
            assert answer.status_code not in (401, 403), answer.text
        else:
            assert f"expected the scope {scope}" in problem(answer, 403, "insufficient_scope")["detail"]
            assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["www-authenticate"]


def test_every_route_that_there_is_is_among_those_tried(api):
    document = api.with_token(None).get("/api/v1/openapi.json").json()
    there = {(method.upper(), f"/api/v1{path}") for path, methods in document["paths"].items() for method in methods}
    assert {(method, path.replace(NOBODY, "{job_id}")) for method, path, _ in ROUTES if "/v1/" in path} == there


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Basic YTpi", ALL, f"Token {ALL}", f"Bearer {ALL} x", f"Bearer {ALL}é", f"Bearer {ALL[:-1]}"],
)
def test_a_header_that_is_no_known_token_is_refused(api, header):
    answer = api.with_token(None).get("/api/v1/scraping-jobs", headers={"Authorization": header.encode("latin-1")})
    problem(answer, 401, "unauthorized")
    assert ALL not in answer.text


def test_the_scheme_is_read_in_any_casing_and_two_headers_are_none(api):
    plain = api.with_token(None)
    assert plain.get("/api/v1/scraping-jobs", headers={"authorization": f"bearer {ALL}"}).status_code == 200
    twice = [("Authorization", f"Bearer {ALL}"), ("Authorization", f"Bearer {READ}")]
    problem(plain.get("/api/v1/scraping-jobs", headers=twice), 401, "unauthorized")


@pytest.mark.parametrize("query", [f"token={READ}", "access_token=abc", f"anything={READ}", f"limit=1&API_KEY={READ}"])
def test_a_token_in_the_query_is_refused_even_beside_a_good_header(client, query):
    told = problem(client.get(f"/api/v1/scraping-jobs?{query}"), 400, "token_in_query")
    assert "Authorization: Bearer" in told["detail"]
    assert READ not in json.dumps(told)


def test_errors_of_the_framework_are_problems_too(client):
    problem(client.get("/api/v1/nothing/here"), 404, "not_found")
    problem(client.get("/api/v1/"), 404, "not_found")
    problem(client.get("/api/v1/scraping-jobs/"), 404, "not_found")
    problem(client.post("/v2/batch", json=[]), 404, "not_found")
    answer = client.delete("/api/v1/scraping-jobs")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    answer = client.put(f"/api/v1/jobs/{NOBODY}/cancel")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    told = problem(client.get("/api/v1/jobs/not-a-uuid"), 422, "invalid_request")
    assert told["errors"][0]["parameter"] == "job_id"
    told = problem(client.get("/api/v1/scraping-jobs?limit=0&stauts=error&status=%00"), 422, "invalid_request")
    assert sorted(one["parameter"] for one in told["errors"]) == ["limit", "status", "stauts"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "?"}],
)
def test_a_body_of_another_media_type_is_refused(client, headers):
    answer = client.post("/api/v1/scraping-jobs", content=json.dumps(SEARCH), headers=headers)
    problem(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused_whether_its_length_is_told_or_not(client):
    body = b'{"user_id": "' + b"x" * (10 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    told = problem(client.post("/api/v1/scraping-jobs", content=body, headers=headers), 413, "too_large")
    assert f"{MOST_BODY:,}" in told["detail"]
    chunks = (body[first : first + 65_536] for first in range(0, len(body), 65_536))
    problem(client.post("/api/v1/scraping-jobs", content=chunks, headers=headers), 413, "too_large")
    problem(client.post("/v2/publish/https://a/api/jobs/process", content=body, headers=headers), 413, "too_large")


def test_a_caller_that_reads_only_after_all_was_sent_can_read_the_answer(api):
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"POST /api/v1/scraping-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALL}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {10 << 20}\r\n\r\n".encode()
        )
        raw.sendall(b"x" * (10 << 20))
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_caller_that_leaves_in_mid_body_costs_nothing(api, client):
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"POST /api/v1/scraping-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALL}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
    assert client.get("/api/v1/scraping-jobs?limit=1").status_code == 200


def test_without_tokens_the_api_is_off_and_says_how_to_turn_it_on(module_database_url):
    with serving(make_host(module_database_url, tokens="")) as api:
        for path in ("/api/v1/scraping-jobs", "/api/v1/openapi.json", "/api/v1/x", "/v2/publish/https://a/b"):
            for token in (None, ALL):
                told = problem(api.with_token(token).get(path), 404, "api_off")
                assert "API_TOKENS" in told["detail"]


async def test_a_wrong_setting_ends_the_start_and_repeats_no_token(module_database_url, monkeypatch):
    monkeypatch.setenv("API_TOKENS", f"app:read:{READ},other:{ALL}:read")
    with pytest.raises(ConfigurationError) as refused:
        load_api_settings()
    assert "API_TOKENS: entry 2 (other) has a scope that there is not" in str(refused.value)
    assert ALL not in str(refused.value)
    # And an application does not start with it
    app = make_host(module_database_url)
    del app.state.api_settings
    with pytest.raises(ConfigurationError):
        async with app.router.lifespan_context(app):
            pass


def test_a_fault_that_nobody_foresaw_tells_nothing_of_the_inside(client, rows, caplog):
    # Given a table that is not as the statements expect
    rows.execute("ALTER TABLE scraping_jobs RENAME COLUMN region TO region_of_old")
    try:
        with caplog.at_level(logging.ERROR):
            told = problem(client.get(f"/api/v1/jobs/{insert_job(rows)}"), 500, "internal")
    finally:
        rows.execute("ALTER TABLE scraping_jobs RENAME COLUMN region_of_old TO region")
    assert "region" not in json.dumps(told)


def test_a_schema_that_is_gone_is_told_and_comes_back(client, rows):
    rows.execute("ALTER SCHEMA worker RENAME TO worker_away")
    try:
        answer = client.get(f"/api/v1/jobs/{NOBODY}")
        assert "./run migrate" in problem(answer, 503, "unavailable")["detail"]
        assert int(answer.headers["retry-after"]) > 0
    finally:
        rows.execute("ALTER SCHEMA worker_away RENAME TO worker")
    problem(client.get(f"/api/v1/jobs/{NOBODY}"), 404, "unknown_job")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app:read", "entry 1 has 1 colons"),
        (ALL, "entry 1 has 0 colons"),
        (f"app::{ALL}", "(app) has no scope"),
        (f"app:read+write:{ALL}", "(app) has a scope that there is not"),
        ("app:read:short", "(app) has a token of 5 characters; expected 20 or more"),
        (f"app:read:{ALL} {ALL}", "character that a header cannot carry"),
        (f":read:{ALL}", "has no name"),
        (f"{READ}:read:app", "has no name"),
        (f"a:read:{ALL},b:read:{ALL}", "entry 2 has the token of another one"),
    ],
)
def test_a_wrong_entry_is_told_by_its_number_and_its_token_is_not(text, words):
    with pytest.raises(ConfigurationError) as refused:
        read_tokens(text)
    assert words in str(refused.value)
    assert ALL not in str(refused.value)
    assert READ not in str(refused.value)


def test_entries_may_share_a_name_and_have_blanks_between():
    tokens = read_tokens(f" app:read+enqueue:{ALL} ,\n app:read:{READ},, boss:control:{'ab' * 10}=")
    assert [(one.name, sorted(one.scopes)) for one in tokens[:2]] == [("app", ["enqueue", "read"]), ("app", ["read"])]
    assert ALL not in repr(tokens)


def test_no_token_is_ever_in_a_log(module_database_url, capfd, caplog):
    with caplog.at_level(logging.DEBUG), serving(make_host(module_database_url)) as api:
        for token in (ALL, READ, "wrong-" + "y" * 40):
            for path in ("/api/v1/scraping-jobs", "/v2/publish/https://a", f"/api/v1/jobs/{NOBODY}"):
                api.with_token(token).post(path, json={})
    out, err = capfd.readouterr()
    for token in (ALL, READ, "y" * 40):
        assert token not in out + err + caplog.text


@pytest.mark.parametrize(("method", "path", "_"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_a_database_that_is_away_is_told_with_when_to_try_again(away, method, path, _):
    bodies = {
        "scraping-jobs": SEARCH,
        "scraping-jobs/bulk": {"jobs": [SEARCH]},
        "background-jobs": {"job_type": "noop"},
        "background-jobs/bulk": {"jobs": [{"job_type": "noop"}]},
        "process-scraping": {"jobId": NOBODY},
    }
    body = next((value for name, value in bodies.items() if path.endswith(name)), {})
    answer = away.request(method, path, json=body if method == "POST" else None)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.fixture(scope="module")
def away(servers, module_database_url, rows):
    """A caller of an API whose database lets nobody in any more."""
    name = urlsplit(module_database_url).path[1:]
    with pytest.MonkeyPatch.context() as patch, serving(make_host(module_database_url)) as api:
        patch.setattr(services, "WAIT_SECONDS", 0.3)
        client = api.with_token(ALL)
        assert client.get("/api/v1/scraping-jobs").status_code == 200
        with connect(servers.database_url) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            try:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                yield client
            finally:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
