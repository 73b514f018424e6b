"""Accounts, limits, quotas and keys of the simulator, over real HTTP."""

import json
import threading
from email.utils import parsedate_to_datetime

import httpx
import pytest

from actors.providers import PROVIDERS, Providers
from platforms.outcome import Outcome
from platforms.pages import Response
from platforms.simulator.catalogue import author_at
from platforms.simulator.running import running_simulator
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH, Settings
from tests.fleet import Fleet, every_provider
from tests.integration.simulated import adapter_of
from worker.clock import utc_now
from worker.settings import load_settings

CLIENTS = 8
AUTHOR = author_at(1, "tea", 0)

GRAPH = "/instagram_graph/v23.0/ig_hashtag_search?user_id=1&q=tea"
RESEARCH = "/tiktok_research/v2/research/user/info/?fields=display_name"
KEYED = {
    "scrapecreators": (SEARCH_PATH, lambda key: {"x-api-key": key}, f"{SEARCH_PATH}?query=tea"),
    "youtube_data_api": (
        "/youtube_data_api/search",
        lambda key: {"x-goog-api-key": key},
        "/youtube_data_api/youtube/v3/search?part=snippet&q=tea",
    ),
    "instagram_graph": ("/instagram_graph/ig_hashtag_search", lambda key: {"authorization": f"Bearer {key}"}, GRAPH),
    "apify": ("/apify/acts/{actor}/runs", lambda key: {"authorization": f"Bearer {key}"}, "/apify/v2/acts/x/runs"),
}


@pytest.fixture
def simulator():
    with Simulator(Settings(items_per_query=60, credits=100)) as running:
        yield running


def ask(simulator, path, key="good", **params):
    return httpx.get(simulator.url + path, headers={"x-api-key": key}, params=params or None)


def test_each_key_has_its_own_balance(simulator):
    # Given two keys, of which one has one credit left
    simulator.set_credits("poor", 1)
    # When both ask twice
    statuses = {
        key: [ask(simulator, SEARCH_PATH, key, query="tea").status_code for _ in "ab"] for key in ("rich", "poor")
    }
    # Then one of them runs out, and the report tells them apart
    assert statuses == {"rich": [200, 200], "poor": [200, 402]}
    accounts = {one["account"]: one for one in simulator.report()["accounts"]}
    assert (accounts["rich"]["calls"], accounts["rich"]["charged"], accounts["rich"]["remaining"]) == (2, 2, 98)
    assert (accounts["poor"]["calls"], accounts["poor"]["refused"], accounts["poor"]["remaining"]) == (2, 1, 0)


def test_a_limit_holds_for_many_clients_at_once_and_can_be_changed_while_they_call():
    # Given a process whose limit hardly fills again within the test
    with running_simulator("--items-per-query", "30") as simulator:
        simulator.set_limit("/v1/tiktok", 0.001, burst=20)

        def calls(answers):
            with httpx.Client(base_url=simulator.url, headers={"x-api-key": "shared"}) as http:
                answers += [http.get(PROFILE_PATH, params={"handle": AUTHOR.handle}).status_code for _ in range(5)]

        # When eight clients call at the same time, more than it allows
        def all_at_once():
            answers = []
            threads = [threading.Thread(target=calls, args=(answers,)) for _ in range(CLIENTS)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            return answers

        first = all_at_once()
        # Then exactly so many pass, and none when it is closed, and again none is lost from the count
        assert (first.count(200), first.count(429)) == (20, 20)
        simulator.set_limit("/v1/tiktok", 0, burst=20)
        assert set(all_at_once()) == {429}
        assert simulator.limits()["/v1/tiktok"]["accounts"] == {"shared": {"allowed": 20, "refused": 60, "today": 0}}
        # And all pass when it is wide
        simulator.set_limit("/v1/tiktok", 100_000)
        assert set(all_at_once()) == {200}
        # And a refused call cost nothing
        assert simulator.credits_charged() == 60


@pytest.mark.parametrize("told", [None, 9, "date"])
def test_a_limit_tells_when_to_come_again_as_it_was_told_to(simulator, told):
    simulator.set_limit(SEARCH_PATH, 0.01, burst=1, retry_after=told)
    ask(simulator, SEARCH_PATH, query="tea")
    answer = ask(simulator, SEARCH_PATH, query="tea")
    header = answer.headers.get("retry-after")
    assert answer.status_code == 429
    if told == "date":
        assert 80 < (parsedate_to_datetime(header) - utc_now()).total_seconds() <= 100
    else:
        assert header == (None if told is None else "9")


@pytest.mark.parametrize("provider", sorted(KEYED))
def test_the_adapters_know_every_refusal_of_an_account(simulator, provider):
    """A limit, a spent quota and a bad key are told as each provider tells them, and judged as what they are."""
    path, headers, url = KEYED[provider]
    platform, kind = {"youtube_data_api": ("youtube", "keyword"), "scrapecreators": ("tiktok", "keyword")}.get(
        provider, ("instagram", "similar" if provider == "apify" else "keyword")
    )
    judge = next(iter(adapter_of(platform, kind, provider).sources.values())).judge

    def outcome(key):
        answer = httpx.get(simulator.url + url, headers=headers(key))
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return judge(Response(answer.status_code, lower, answer.content)).outcome

    assert outcome("good") is Outcome.OK
    assert outcome("bad-key") is Outcome.FIX_CONFIGURATION
    simulator.set_limit(path, 0.001, burst=1)
    assert outcome("fast") is Outcome.OK
    assert outcome("fast") is Outcome.RATE_LIMITED
    simulator.set_limit(path, 1000, per_day=1)
    assert outcome("daily") is Outcome.OK
    assert outcome("daily") is not Outcome.OK
    simulator.new_day()
    assert outcome("daily") is Outcome.OK


def test_the_stated_quotas_are_in_force_from_the_start(simulator):
    headers = {"x-goog-api-key": "one"}
    url = f"{simulator.url}/youtube_data_api/youtube/v3/search"
    with httpx.Client(headers=headers) as http:
        statuses = [http.get(url, params={"part": "snippet", "q": "x"}).status_code for _ in range(101)]
        channels = http.get(url.replace("search", "channels"), params={"part": "snippet", "id": "UCx"})
    assert (statuses.count(200), statuses[-1]) == (100, 403)
    # Searches have a bucket of their own.
    assert channels.status_code == 200
    assert "items" not in channels.json()


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("limits", {"path": "nobody", "per_second": 1}, "no provider"),
        ("limits", {"path": "/v1"}, "needs per_second or per_day"),
        ("limits", {"path": "/v1", "per_second": -1}, "must not be negative"),
        ("limits", {"path": "/v1", "per_secnod": 1}, "per_secnod"),
        ("accounts", {"account": "x"}, "credits"),
        ("expire/hope", None, "nothing called 'hope'"),
        ("faults", {"path": "/v1/*", "kind": "run_ends"}, "has no fault"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_the_reason(simulator, path, body, complaint):
    answer = httpx.post(f"{simulator.url}/_simulator/{path}", content=json.dumps(body))
    assert answer.status_code == 400
    assert complaint in answer.json()["message"]


def test_a_fleet_is_pointed_at_every_provider_only_when_it_is_told_to(monkeypatch, tmp_path, simulator):
    # Given a shell that holds a key of its own
    monkeypatch.setenv("YOUTUBE_API_KEY", "from-the-shell")
    # When fleets are made with and without the settings for all providers
    plain = Fleet("postgres://", "redis://", simulator.url, tmp_path).environment
    whole = Fleet("postgres://", "redis://", simulator.url, tmp_path, **every_provider(simulator.url)).environment
    # Then the plain one has ScrapeCreators alone, the other one all of them
    for environment, expected in ((plain, {"scrapecreators"}), (whole, set(PROVIDERS))):
        monkeypatch.delenv("YOUTUBE_API_KEY", raising=False)
        named = {name: value for name, value in environment.items() if name in every_provider("")}
        providers = Providers(load_settings(**named))
        assert {name for name in PROVIDERS if providers.configured(name)} == expected
