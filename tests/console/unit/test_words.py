"""What people read: times, numbers, links, the state of a job, the points of a chart."""

from datetime import UTC, datetime, timedelta

import pytest

from console.job_words import looks_for, shown_state, why
from console.pages.charts import filled
from console.pages.creators import card_of
from console.words import distance, eta, initials, relative, safe_link, short_number
from db.queries.console.job_lines import JobLine

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def line(**fields: object) -> JobLine:
    told = {
        **dict.fromkeys(JobLine.__slots__),
        "job_table": "scraping_jobs",
        "id": "x",
        "name": "x",
        "platform": "tiktok",
        "status": "processing",
        "progress": 0.0,
        "results": 0,
        "target": 100,
        "created_at": NOW,
        "state": "ready",
        "lane": "scrape.tiktok",
        **fields,
    }
    return JobLine(**told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90_000, "1 d 1 h")],
)
def test_a_length_of_time_has_two_units_at_most(seconds, text):
    assert distance(seconds) == text


def test_times_are_told_from_now_on_and_the_last_year_is_no_time():
    assert relative(NOW + timedelta(minutes=4), NOW) == "in 4 min"
    assert relative((NOW - timedelta(seconds=12)).replace(tzinfo=None), NOW) == "12 s ago"
    assert relative(datetime(9999, 12, 31, tzinfo=UTC), NOW) == "until it is ended by hand"


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (9_999, "9,999"), (45_120, "45.1k"), (3_200_000, "3.2M")])
def test_numbers_are_short(value, text):
    assert short_number(value) == text


def test_what_is_left_is_told_by_the_pace_and_not_without_one():
    assert eta(100, 40, 30, 60.0) == timedelta(seconds=120)
    assert eta(100, 40, 0, 60.0) is None
    assert eta(100, 40, None, None) is None
    assert eta(100, 100, 30, 60.0) is None


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/jobs", "https://", "http://[", None, 5, ""]
)
def test_what_is_no_web_address_is_no_link(url):
    assert safe_link(url) is None


def test_a_web_address_is_a_link():
    assert safe_link(" https://www.tiktok.com/@a ") == "https://www.tiktok.com/@a"


@pytest.mark.parametrize(("name", "letters"), [("Amber Loomis", "AL"), ("juna.lamps", "JL"), ("", "?"), ("☕ +", "?")])
def test_a_picture_s_place_is_taken_by_letters(name, letters):
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"state": "leased"}, "running", ""),
        ({"state": "ready"}, "ready", "next in its lane, or behind others"),
        ({"state": "ready", "paused": True}, "ready", "lane scrape.tiktok is paused"),
        ({"state": "ready", "cooling": True}, "ready", "lane scrape.tiktok cools down"),
        ({"state": None, "status": "pending"}, "pending", "not adopted yet"),
        ({"state": "closed", "status": "error", "error": "no key"}, "error", "no key"),
        ({"state": "closed", "status": "completed", "reason": "target_reached"}, "completed", "target reached"),
        ({"state": "parked", "status": "error", "error": "it died"}, "parked", "it died"),
        ({"state": "leased", "cancel_at": NOW}, "running", "stops at its next page"),
        (
            {"state": "waiting", "reason": "rate_limit", "run_at": NOW.replace(year=2000)},
            "waiting",
            "rate limit, due now",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_job_s_state_and_why_it_waits(fields, state, words):
    assert (shown_state(line(**fields)), why(line(**fields))) == (state, words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"keywords": ["a", "#b"]}, "a, #b"),
        ({"target_username": "@x", "keywords": ["a"]}, "like @x"),
        ({"keywords": {"odd": 1}}, "{'odd': 1}"),
        ({"keywords": [1, None]}, "1, null"),
        ({}, "nothing"),
    ],
    ids=str,
)
def test_what_a_job_looks_for_is_told_whatever_the_row_holds(fields, words):
    assert looks_for(line(**fields)) == words


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"creator": None, "video": 5, "emails": "x", "provenance": []},
        {"creator": {"followers": "many", "emails": [1, None], "name": {"a": 1}}},
    ],
    ids=str,
)
def test_a_card_can_be_made_of_anything(document):
    assert card_of(document, with_picture=True).name


def test_a_card_leads_only_to_web_addresses_and_has_a_picture_only_where_that_is_wanted():
    document = {
        "creator": {"name": "A", "uniqueId": "@a", "avatarUrl": "https://p.cdn.example/a.jpg"},
        "profileUrl": "javascript:alert(1)",
        "video": {"url": "data:text/html,x"},
        "platform": "TikTok",
    }
    card = card_of(document, with_picture=False)
    assert (card.link, card.post, card.picture) == ("https://www.tiktok.com/@a", None, None)
    assert card_of(document, with_picture=True).picture == "https://p.cdn.example/a.jpg"


def test_an_unknown_count_of_followers_is_not_told_as_nothing():
    document = {"creator": {"followers": 0}, "provenance": {"unknown": ["creator.followers"]}}
    assert card_of(document, with_picture=False).followers is None


def test_a_chart_has_a_point_for_every_span_of_time():
    told = filled(
        [{"at": 120, "completed": 3, "failed": 1, "timed_out": 0, "retried": 0, "waited": 0, "crashed": 0}],
        now=250.0,
        whole=timedelta(minutes=4),
        width=timedelta(minutes=1),
    )
    assert told["at"] == [60, 120, 180, 240]
    assert told["completed"] == [0, 3, 0, 0]
    assert told["failed"] == [0, 1, 0, 0]
