"""Every capability of the registry, whole: one row, a real worker, a simulated provider, exactly the true creators."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from platforms.apify.instagram_similar import ACTOR
from platforms.contract import Adapter, SearchKind
from platforms.registry import ADAPTERS, PLATFORM_NAMES
from platforms.scrapecreators.tiktok.own_words import own_words
from platforms.simulator import truth
from platforms.simulator.catalogue import creators_of
from platforms.simulator.channels import channel_id
from platforms.simulator.people import Creator, creator, number_of
from platforms.simulator.running import running_simulator
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import insert_job, is_final, job, ledger, stored_creators, task

pytestmark = pytest.mark.slow

SEED = 1
ITEMS = 60
EVERYTHING = 100_000
"""Creators wanted: more than there are."""

Words = Callable[[str], list[str]]
"""The words that the simulator was asked for by a parameter."""


def first_suitable() -> Creator:
    """An account that is open, follows others, and has related ones: a target for every similar search."""
    people = (creator(SEED, number) for number in range(10_000))
    return next(
        one
        for one in people
        if one.standing == "found"
        and one.bio
        and truth.followings_of(SEED, one.handle)
        and truth.related_numbers(SEED, one)
    )


TARGET = first_suitable()
TARGET_CHANNEL = channel_id(number_of(TARGET.uid))

CALL_PRICES = {
    "youtube_data_api": {"/search": 100, "/channels": 1},
    "instagram_graph": {"": 1},
    "tiktok_research": {"/video/query": 1, "/user/info": 1, "/oauth/token": 0},
    # Listing runs is a GET, and costs nothing as reading does.
    "apify": {f"POST /apify/v2/acts/{ACTOR}/runs": 3, "": 0},
}
"""What each call costs by the end of its path, in the provider's unit; ScrapeCreators' answers tell it themselves.

A run costs 0.0026 US dollars in the simulator, which is 3 thousandths, rounded up.
"""


@dataclass(frozen=True)
class Row:
    """A row to be put in and the creators that a complete job has to store."""

    true: Callable[[Words], Iterable[str]]
    """Ids; given what words the simulator was asked for, as the words of a similar search are the adapter's choice."""
    columns: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    stored_id: Callable[[dict[str, Any]], str] = lambda one: one["creator"]["id"]


def words(*keywords: str, **params: str) -> dict[str, Any]:
    return {"columns": {"keywords": list(keywords)}, "params": params}


SIMILAR: dict[str, Any] = {"columns": {"keywords": None, "target_username": f"@{TARGET.handle}"}}


def tiktok_similar(asked: Words) -> set[str]:
    chosen = own_words(TARGET.handle, TARGET.nickname, TARGET.bio)
    assert set(asked("query")) == set(chosen)
    found = {uid for word in chosen for uid in truth.tiktok_found_users(SEED, word, ITEMS)}
    found |= set(truth.tiktok_followings(SEED, TARGET.handle))
    return {uid for uid in found if creator(SEED, number_of(uid)).standing != "private"} - {TARGET.uid}


def youtube_similar(channels: Callable[[int, str, int], Iterable[str]], name: str) -> Callable[[Words], set[str]]:
    def true(asked: Words) -> set[str]:
        topics = set(asked(name))
        assert len(topics) >= 2
        return {channel for topic in topics for channel in channels(SEED, topic, ITEMS)} - {TARGET_CHANNEL}

    return true


def related(asked: Words) -> tuple[str, ...]:
    return truth.instagram_related(SEED, TARGET.handle)


ROWS: dict[tuple[str, SearchKind, str], dict[str, Row]] = {
    ("tiktok", SearchKind.KEYWORD, "scrapecreators"): {
        "words": Row(lambda asked: creators_of(SEED, "desk lamp", ITEMS), **words("desk lamp")),
        "hashtags": Row(
            lambda asked: {
                *truth.tiktok_hashtag_creators(SEED, "studio", ITEMS),
                *truth.tiktok_hashtag_creators(SEED, "lamp", ITEMS),
            },
            **words("#studio", "lamp", kind="hashtag"),
        ),
    },
    ("tiktok", SearchKind.KEYWORD, "tiktok_research"): {
        "words and a hashtag": Row(
            lambda asked: {
                *truth.tiktok_research_handles(SEED, "desk lamp", ITEMS),
                *truth.tiktok_research_handles(SEED, "#studio", ITEMS),
            },
            **words("desk lamp", "#studio"),
            stored_id=lambda one: one["creator"]["uniqueId"],
        ),
    },
    ("tiktok", SearchKind.SIMILAR, "scrapecreators"): {"target": Row(tiktok_similar, **SIMILAR)},
    ("instagram", SearchKind.KEYWORD, "scrapecreators"): {
        "words and a hashtag": Row(
            lambda asked: {
                *truth.instagram_reel_owners(SEED, "desk lamp", ITEMS),
                *truth.instagram_hashtag_owners(SEED, "studio", ITEMS),
            },
            **words("desk lamp", "#studio"),
        ),
        "accounts": Row(
            lambda asked: truth.instagram_found_profiles(SEED, "desk lamp", ITEMS),
            **words("desk lamp", kind="profiles"),
        ),
    },
    ("instagram", SearchKind.KEYWORD, "instagram_graph"): {
        "a hashtag": Row(
            lambda asked: truth.instagram_graph_posts(SEED, "studio", ITEMS),
            **words("#studio"),
            stored_id=lambda one: one["postId"],
        ),
    },
    ("instagram", SearchKind.SIMILAR, "scrapecreators"): {
        "target": Row(related, **SIMILAR, stored_id=lambda one: one["id"])
    },
    ("instagram", SearchKind.SIMILAR, "apify"): {"target": Row(related, **SIMILAR, stored_id=lambda one: one["id"])},
    ("youtube", SearchKind.KEYWORD, "scrapecreators"): {
        "words and a hashtag": Row(
            lambda asked: {
                *truth.youtube_search_channels(SEED, "desk lamp", ITEMS),
                *truth.youtube_hashtag_channels(SEED, "studio", ITEMS),
            },
            **words("desk lamp", "#studio"),
        ),
    },
    ("youtube", SearchKind.KEYWORD, "youtube_data_api"): {
        "words and a hashtag": Row(
            lambda asked: {
                *truth.youtube_data_api_channels(SEED, "desk lamp", ITEMS),
                *truth.youtube_data_api_channels(SEED, "#studio", ITEMS),
            },
            **words("desk lamp", "#studio"),
        ),
    },
    ("youtube", SearchKind.SIMILAR, "scrapecreators"): {
        "target": Row(youtube_similar(truth.youtube_search_channels, "query"), **SIMILAR)
    },
    ("youtube", SearchKind.SIMILAR, "youtube_data_api"): {
        "target": Row(youtube_similar(truth.youtube_data_api_channels, "q"), **SIMILAR)
    },
}
"""For each capability, what it is asked. One without an entry fails below."""


def key_of(adapter: Adapter) -> tuple[str, SearchKind, str]:
    return adapter.capability.platform, adapter.capability.kind, adapter.capability.provider


CASES = [
    pytest.param(key_of(adapter), row, id=": ".join((" ".join(key_of(adapter)), name)))
    for adapter in ADAPTERS
    for name, row in ROWS.get(key_of(adapter), {"no row": None}).items()
]


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    logs = tmp_path_factory.mktemp("capabilities")
    with fleet_of(module_database_url, module_redis_url, simulator, logs, **every_provider(simulator.url)) as running:
        yield running


def charged(report: dict[str, Any], provider: str) -> int:
    """What the provider's calls cost, by what the simulator saw; a refused one costs nothing."""
    if provider not in CALL_PRICES:
        return int(report["charged"][provider])
    prices = CALL_PRICES[provider]
    calls = [call for call in report["calls"] if call["provider"] == provider and call["status"] < 400]
    ends = [f"{call.get('method', '')} {call['path'].rstrip('/')}".lstrip() for call in calls]
    return sum(next(price for end, price in prices.items() if told.endswith(end)) for told in ends)


@pytest.mark.parametrize(("capability", "row"), CASES)
def test_a_row_finds_exactly_the_creators_that_there_are(capability, row, fleet, simulator, rows):
    platform, _, provider = capability
    assert row is not None, f"add a row for {capability} to ROWS, and its truth to platforms/simulator/truth.py"
    simulator.clear_calls()
    # When
    params = {**row.params, "provider": provider}
    name = insert_job(
        rows,
        platform=PLATFORM_NAMES[platform],
        target_results=EVERYTHING,
        search_params=params,
        **row.columns,
    )
    eventually(lambda: is_final(rows, name))
    # Then it found all of them, each once
    ended, creators, pages = job(rows, name), stored_creators(rows, name), ledger(rows, name)
    assert (ended["status"], ended["error"], ended["progress"]) == ("completed", None, 100)
    assert task(rows, name)["end_reason"] not in ("call_limit", "page_ceiling", "nothing_new", "repeated_cursor")
    report = simulator.report()
    true = set(row.true(lambda asked: [c["params"][asked] for c in report["calls"] if c["params"].get(asked)]))
    found = [row.stored_id(one) for one in creators]
    assert len(true) >= 15, "too few to prove anything"
    assert len(found) == len(set(found)), "a creator is stored twice"
    assert set(found) == true
    assert {one["provenance"]["provider"] for one in creators} == {provider}
    assert {one["platform"] for one in creators} == {PLATFORM_NAMES[platform]}
    # And row, ledger and batches count the same
    assert ended["processed_results"] == len(creators) == sum(stored for _, stored in pages)
    assert (ended["processed_runs"], [seq for seq, _ in pages]) == (len(pages), list(range(1, len(pages) + 1)))
    # And what it says it spent is what was asked for and charged
    spent = rows.execute(
        "SELECT provider, sum(calls)::int, sum(credits)::int FROM worker.spend WHERE job_id = %s GROUP BY 1", (name,)
    ).fetchall()
    calls = [call for call in report["calls"] if "/oauth/" not in call["path"]]
    assert spent == [(provider, len(calls), charged(report, provider))]
    # And nothing was set aside or not understood
    assert rows.execute("SELECT count(*) FROM worker.quarantine").fetchone() == (0,)
    assert "search_params_ignored" not in fleet.log()


def test_every_row_is_of_a_capability_that_there_is():
    assert set(ROWS) == {key_of(adapter) for adapter in ADAPTERS}
