"""Who gets metrics and details, over real connections."""

import httpx
import pytest

from tests.integration.monitoring.serving import application, monitored

TOKEN = "a-token-of-the-scraper"


@pytest.fixture
def with_token(database_url, redis_url):
    with monitored(database_url, redis_url, METRICS_TOKEN=TOKEN) as server:
        yield server


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong-token-of-the-scraper", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ü"],
)
def test_without_the_token_there_are_no_metrics_and_no_details(with_token, given):
    headers = {"Authorization": given.encode()} if given else {}
    answer = with_token.get("/metrics", **headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "trawler_" not in answer.text
    ready = with_token.get("/readyz", **headers)
    assert ready.status_code == 503
    assert set(ready.json()) == {"status", "checks"}
    assert all(word.isalpha() for word in ready.json()["checks"].values())


def test_with_the_token_there_are_both(with_token):
    bearer = {"Authorization": f"bearer {TOKEN}"}
    assert "trawler_build_info" in with_token.get("/metrics", **bearer).text
    assert "./run reconciler" in with_token.get("/readyz", **bearer).json()["details"]["reconciler"]


def test_without_a_token_this_machine_may_and_a_proxy_s_client_may_not(database_url, redis_url):
    with monitored(database_url, redis_url) as server:
        assert server.get("/metrics").status_code == 200
        assert "details" in server.get("/readyz").json()
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            assert server.get("/metrics", **{header: "127.0.0.1"}).status_code == 401
            assert "details" not in server.get("/readyz", **{header: "127.0.0.1"}).json()


async def test_who_asks_from_elsewhere_may_not(database_url, redis_url):
    # The ends of a connection are what the server says; one that is not loopback cannot be made in a test.
    app = application(database_url, redis_url)
    async with app.router.lifespan_context(app):
        for client, base in ((("10.0.0.9", 1), "http://127.0.0.1"), (("127.0.0.1", 1), "http://10.0.0.1")):
            transport = httpx.ASGITransport(app, client=client)
            async with httpx.AsyncClient(transport=transport, base_url=base) as asking:
                assert (await asking.get("/metrics")).status_code == 401


def test_who_is_logged_in_may(with_token):
    async def logged_in(request):
        return request.headers.get("cookie") == "session=good"

    with_token.app.state.logged_in = logged_in
    assert with_token.get("/metrics", Cookie="session=good").status_code == 200
    assert with_token.get("/metrics", Cookie="session=bad").status_code == 401
