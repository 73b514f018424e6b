"""Putting jobs in: what is stored, what is refused and where, and keys that make a second call harmless."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from db.queries.api_keys import take_keys
from db.session import connect
from tests.api.serving import ENQUEUE
from tests.fleet import eventually
from tests.jobs import background_job, insert_job, job, task
from tests.searches import insert_campaign

SEARCH = {"user_id": "user_1", "platform": "tiktok", "keywords": ["desk lamp", "#studio"], "target_results": 40}
NOOP = {"job_type": "noop", "payload": {"a": 1}}


def refused(answer, *pointers):
    """The wrong places of a 422, which must be these."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == "urn:trawler:problem:invalid_request"
    assert told["status"] == 422
    assert [one["pointer"] for one in told["errors"]] == list(pointers), told["errors"]
    return told["errors"]


def count(rows, table="scraping_jobs"):
    return rows.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]


def test_a_search_is_stored_as_it_was_asked_and_is_ready_at_once(client, rows):
    # Given a campaign, and filters among which one is not known
    campaign = insert_campaign(rows)
    params = {"min_followers": 5000, "colour": "red"}
    # When it is put in
    answer = client.post("/api/v1/scraping-jobs", json={**SEARCH, "campaign_id": campaign, "search_params": params})
    # Then the row and its task are there, and the caller hears what is ignored
    assert answer.status_code == 201
    told = answer.json()
    assert told["created"]
    assert "colour" in told["warnings"][0]
    assert answer.headers["location"] == f"/api/v1/jobs/{told['job_id']}"
    row = job(rows, told["job_id"])
    assert (row["platform"], row["keywords"], row["region"]) == ("TikTok", SEARCH["keywords"], "US")
    assert (row["status"], row["target_results"], row["search_params"]) == ("pending", 40, params)
    assert str(row["campaign_id"]) == campaign
    assert task(rows, told["job_id"])["state"] == "ready"


def test_words_beside_a_target_are_told_to_be_ignored(client):
    told = client.post("/api/v1/scraping-jobs", json={**SEARCH, "target_username": "@ada"}).json()
    assert told["warnings"] == ["keywords: ignored, as target_username goes before them"]


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"platform": "Friendster"}, "/platform", "expected one of TikTok, Instagram, YouTube"),
        ({"keywords": ["  "]}, "/keywords", "at least one word that is not blank"),
        ({"keywords": [f"word {n}" for n in range(51)]}, "/keywords", "at most 50"),
        ({"keywords": ["x" * 201]}, "/keywords", "at most 200 characters"),
        ({"keywords": None}, "", "neither keywords nor target_username"),
        ({"keywords": ["#"]}, "/keywords", "hashtag with at least one letter"),
        ({"keywords": None, "target_username": "two words"}, "/target_username", "one username"),
        ({"region": "USA"}, "/region", "two letters"),
        ({"target_results": 0}, "/target_results", "greater than or equal to 1"),
        ({"target_results": "100"}, "/target_results", "valid integer"),
        ({"target_results": 2**40}, "/target_results", "less than or equal to"),
        ({"user_id": ""}, "/user_id", "at least 1 character"),
        ({"user_id": 7}, "/user_id", "valid string"),
        ({"search_params": {"kind": "sound"}}, "/search_params/kind", "keyword or hashtag or profiles"),
        ({"search_params": {"min_followers": "many"}}, "/search_params/min_followers", "whole number"),
        ({"search_params": {"provider": "nobody"}}, "", "by nobody is not supported"),
        ({"search_params": ["kind"]}, "/search_params", "valid dictionary"),
        ({"campaign_id": "not-a-uuid"}, "/campaign_id", "valid UUID"),
        ({"campaign_id": "5f0c7c1e-0000-4000-8000-000000000000"}, "/campaign_id", "id of a campaign"),
        ({"key_words": ["lamp"]}, "/key_words", "correct its spelling"),
    ],
)
def test_what_no_worker_could_do_is_told_with_its_place_and_leaves_no_row(client, rows, change, pointer, words):
    before = count(rows)
    (wrong,) = refused(client.post("/api/v1/scraping-jobs", json={**SEARCH, **change}), pointer)
    assert words in wrong["detail"]
    assert "pending" not in wrong["detail"], "that is advice for a row, and there is none"
    assert count(rows) == before


def test_the_id_of_a_job_is_no_campaign(client, rows):
    (wrong,) = refused(
        client.post("/api/v1/scraping-jobs", json={**SEARCH, "campaign_id": insert_job(rows)}), "/campaign_id"
    )
    assert "expected the id of a campaign" in wrong["detail"]


@pytest.mark.parametrize(
    ("raw", "pointer", "words"),
    [
        (r'{"user_id": "a\u0000b", "platform": "TikTok", "keywords": ["x"]}', "/user_id", "NUL"),
        (r'{"user_id": "a", "platform": "TikTok", "keywords": ["x", "\ud83d"]}', "/keywords/1", "surrogate"),
        (
            r'{"user_id": "a", "platform": "TikTok", "keywords": ["x"], "search_params": {"\u0000": 1}}',
            "/search_params",
            "NUL",
        ),
        (
            '{"user_id": "a", "platform": "TikTok", "keywords": ["x"], "search_params": {"deep": '
            + "[" * 40
            + "]" * 40
            + "}}",
            "/search_params/deep" + "/0" * 31,
            "nested deeper",
        ),
        (
            '{"user_id": "a", "platform": "TikTok", "keywords": ["x"], "search_params": {"n": 1e999}}',
            "/search_params/n",
            "finite",
        ),
        (
            '{"user_id": "a", "platform": "TikTok", "keywords": ["x"], "search_params": {"n": NaN}}',
            "/search_params/n",
            "finite",
        ),
    ],
    ids=["NUL", "half a pair", "NUL in a name", "deep", "infinite", "not a number"],
)
def test_what_postgres_cannot_keep_is_told_before_it_is_asked(client, raw, pointer, words):
    answer = client.post("/api/v1/scraping-jobs", content=raw, headers={"Content-Type": "application/json"})
    (wrong,) = refused(answer, pointer)
    assert words in wrong["detail"]
    assert wrong["detail"].startswith(pointer[1:].replace("/", "."))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[1", b'{"a": \xff}', b"[" * 100_000, b"1" * 5000, b'"\xed\xa0\x80"'],
    ids=["nothing", "cut off", "half", "no UTF-8", "very deep", "a long number", "an encoded surrogate"],
)
def test_a_body_that_is_no_json_object_is_refused(client, raw):
    answer = client.post("/api/v1/scraping-jobs", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("urn:trawler:problem:")


def test_words_of_every_script_are_kept_as_they_are(client, rows):
    words = ["קרמיקה", "陶芸", "café ☕", "👩‍🚀 astronaut", "#дизайн"]
    told = client.post("/api/v1/scraping-jobs", json={**SEARCH, "keywords": words}).json()
    assert job(rows, told["job_id"])["keywords"] == words


def test_the_same_key_and_request_give_the_same_job(client, rows):
    key = {"Idempotency-Key": f"order-{uuid4()}"}
    first = client.post("/api/v1/scraping-jobs", json=SEARCH, headers=key)
    before = count(rows)
    # When it is sent again, its names in another order
    again = client.post("/api/v1/scraping-jobs", json=dict(reversed(SEARCH.items())), headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "created": False}
    assert "location" not in again.headers
    assert count(rows) == before
    # Then another request with the key is an error that names the job
    other = client.post("/api/v1/scraping-jobs", json={**SEARCH, "target_results": 41}, headers=key)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:trawler:problem:idempotency_key_reused"
    assert other.json()["job_id"] == first.json()["job_id"]
    # And so is another kind of job
    assert client.post("/api/v1/background-jobs", json=NOOP, headers=key).status_code == 409
    assert count(rows) == before


def test_keys_of_one_caller_are_not_those_of_another(api, client):
    key = {"Idempotency-Key": f"order-{uuid4()}"}
    mine = client.post("/api/v1/scraping-jobs", json=SEARCH, headers=key).json()
    theirs = api.with_token(ENQUEUE).post("/api/v1/scraping-jobs", json=SEARCH, headers=key)
    assert theirs.status_code == 201
    assert theirs.json()["job_id"] != mine["job_id"]


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "é"])
def test_a_key_that_no_row_should_hold_is_refused(client, key):
    answer = client.post("/api/v1/scraping-jobs", json=SEARCH, headers={"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"


def test_twenty_calls_at_once_with_one_key_make_one_job(client, rows):
    key, before = {"Idempotency-Key": f"rush-{uuid4()}"}, count(rows)
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda _: client.post("/api/v1/scraping-jobs", json=SEARCH, headers=key), range(20)))
    assert sorted(one.status_code for one in answers) == [200] * 19 + [201]
    assert len({one.json()["job_id"] for one in answers}) == 1
    assert count(rows) == before + 1


def test_many_are_put_in_together_and_told_in_their_order(client, rows):
    key = f"bulk-{uuid4()}"
    jobs = [{**SEARCH, "user_id": f"user_{n}", "idempotency_key": f"{key}-{n}" if n % 2 else None} for n in range(1000)]
    before = count(rows)
    first = client.post("/api/v1/scraping-jobs/bulk", json={"jobs": jobs})
    assert first.status_code == 201, first.text
    assert (first.json()["created"], len(first.json()["jobs"])) == (1000, 1000)
    assert count(rows) == before + 1000
    assert [job(rows, first.json()["jobs"][n]["job_id"])["user_id"] for n in (0, 1, 999)] == [
        "user_0",
        "user_1",
        "user_999",
    ]
    # When those with keys are sent again with one more
    again = client.post(
        "/api/v1/scraping-jobs/bulk", json={"jobs": [*jobs[1::2], {**SEARCH, "idempotency_key": f"{key}-x"}]}
    )
    assert (again.status_code, again.json()["created"]) == (201, 1)
    assert [one["job_id"] for one in again.json()["jobs"]][:500] == [one["job_id"] for one in first.json()["jobs"]][
        1::2
    ]
    # And then nothing is new
    assert client.post("/api/v1/scraping-jobs/bulk", json={"jobs": jobs[1::2]}).status_code == 200


def test_many_are_all_put_in_or_none(client, rows):
    before = count(rows)
    jobs = [SEARCH, {**SEARCH, "platform": "x"}, SEARCH, {**SEARCH, "region": "?"}, {**SEARCH, "keywords": [3]}]
    refused(client.post("/api/v1/scraping-jobs/bulk", json={"jobs": jobs}), "/jobs/4/keywords/0")
    refused(client.post("/api/v1/scraping-jobs/bulk", json={"jobs": jobs[:4]}), "/jobs/1/platform", "/jobs/3/region")
    assert count(rows) == before


def test_one_too_many_is_refused(client, rows):
    before = count(rows)
    (wrong,) = refused(client.post("/api/v1/scraping-jobs/bulk", json={"jobs": [SEARCH] * 1001}), "/jobs")
    assert "1000" in wrong["detail"]
    refused(client.post("/api/v1/scraping-jobs/bulk", json={"jobs": []}), "/jobs")
    assert count(rows) == before


def test_a_key_twice_in_a_call_is_one_job_and_with_two_requests_an_error(client, rows):
    one = {**SEARCH, "idempotency_key": f"twice-{uuid4()}"}
    told = client.post("/api/v1/scraping-jobs/bulk", json={"jobs": [one, one]}).json()
    assert told["created"] == 1
    assert [(each["created"]) for each in told["jobs"]] == [True, False]
    assert told["jobs"][0]["job_id"] == told["jobs"][1]["job_id"]
    before = count(rows)
    fresh = {**SEARCH, "idempotency_key": f"twice-{uuid4()}"}
    answer = client.post("/api/v1/scraping-jobs/bulk", json={"jobs": [fresh, {**fresh, "target_results": 3}]})
    assert answer.status_code == 409
    # A key of an earlier call, used otherwise, takes the new ones of this call with it
    answer = client.post("/api/v1/scraping-jobs/bulk", json={"jobs": [fresh, {**one, "target_results": 3}]})
    assert answer.status_code == 409
    assert count(rows) == before


def test_calls_at_once_with_the_same_keys_in_other_orders_neither_double_nor_deadlock(client, rows):
    name, before = f"cross-{uuid4()}", count(rows)
    jobs = [{**SEARCH, "idempotency_key": f"{name}-{n}"} for n in range(50)]
    orders = [jobs, list(reversed(jobs)), jobs[25:] + jobs[:25], jobs[::-2] + jobs[::2]] * 3
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda some: client.post("/api/v1/scraping-jobs/bulk", json={"jobs": some}), orders))
    assert {one.status_code for one in answers} <= {200, 201}, [one.text for one in answers]
    assert sum(one.json()["created"] for one in answers) == 50
    assert count(rows) == before + 50


def test_keys_are_taken_in_one_order_so_that_two_callers_never_wait_for_each_other(rows, module_database_url):
    # Given a caller that has taken a key, and one that wants that and another, in the other order
    name = uuid4()
    low, high = f"{name}-1", f"{name}-2"
    with connect(module_database_url, "first") as first, connect(module_database_url, "second") as second:
        with ThreadPoolExecutor(1) as other, first.transaction():
            take_keys(first, "scraping_jobs", [low])
            waiting = other.submit(take_keys, second, "scraping_jobs", [high, low])
            eventually(lambda: waits_for_another(rows, "second"))
            # When the first wants the other key too
            assert take_keys(first, "scraping_jobs", [high]) == {high}
        # Then it gets it, and the second gets none
        assert waiting.result(30) == set()


def waits_for_another(rows, name):
    return rows.execute(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'", (name,)
    ).fetchone()


def test_a_background_job_is_stored_with_its_time_and_retries(client, rows):
    asked = {**NOOP, "priority": 5, "max_retries": 0, "scheduled_for": "2031-01-02T03:04:05+01:00"}
    told = client.post("/api/v1/background-jobs", json=asked).json()
    row, made = background_job(rows, told["job_id"]), task(rows, told["job_id"])
    assert (row["priority"], row["max_retries"], row["scheduled_for"].isoformat()) == (5, 0, "2031-01-02T02:04:05")
    assert (made["state"], made["wait_reason"], made["max_failures"]) == ("waiting", "scheduled", 0)
    later = client.post("/api/v1/background-jobs", json={**NOOP, "delay_seconds": 3600}).json()
    (minutes,) = rows.execute(
        "SELECT extract(epoch FROM scheduled_for - worker.utc_now()) / 60 FROM background_jobs WHERE id = %s",
        (later["job_id"],),
    ).fetchone()
    assert 55 < minutes <= 60


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"job_type": "fly"}, "/job_type", "expected one of cleanup_jobs"),
        ({"job_type": "expire_trial", "payload": {}}, "/payload", "userId"),
        ({"job_type": "expire_trial", "payload": {"userId": 3}}, "/payload/userId", "Expected `str`"),
        ({"job_type": "enrich_creators", "payload": {"jobId": "x"}}, "/payload/jobId", "UUID"),
        ({"payload": [1]}, "/payload", "valid dictionary"),
        ({"payload": {"a": {"b": ["\x00"]}}}, "/payload/a/b/0", "NUL"),
        ({"priority": 2**31}, "/priority", "less than or equal"),
        ({"max_retries": -1}, "/max_retries", "greater than or equal"),
        ({"max_retries": "3"}, "/max_retries", "valid integer"),
        ({"scheduled_for": "2031-01-02T03:04:05"}, "/scheduled_for", "time zone"),
        ({"scheduled_for": "9999-12-31T23:59:59-14:00"}, "/scheduled_for", "days from now"),
        ({"scheduled_for": "0001-01-01T00:00:00+14:00"}, "/scheduled_for", "from 1970 on"),
        ({"scheduled_for": "tomorrow"}, "/scheduled_for", "with a time zone"),
        ({"scheduled_for": "2031-01-02T03:04:05Z", "delay_seconds": 1}, "/delay_seconds", "one of them"),
    ],
)
def test_what_no_handler_would_take_is_told_with_its_place(client, rows, change, pointer, words):
    before = count(rows, "background_jobs")
    (wrong,) = refused(client.post("/api/v1/background-jobs", json={**NOOP, **change}), pointer)
    assert words in wrong["detail"]
    assert count(rows, "background_jobs") == before


def test_many_background_jobs_are_all_put_in_or_none(client, rows):
    before = count(rows, "background_jobs")
    jobs = [{**NOOP, "payload": {"n": n}, "delay_seconds": n} for n in range(300)]
    told = client.post("/api/v1/background-jobs/bulk", json={"jobs": jobs})
    assert (told.status_code, told.json()["created"]) == (201, 300)
    last = told.json()["jobs"][-1]["job_id"]
    (payload,) = rows.execute("SELECT payload FROM background_jobs WHERE id = %s", (last,)).fetchone()
    assert payload == {"n": 299}
    assert task(rows, last)["wait_reason"] == "scheduled"
    refused(
        client.post("/api/v1/background-jobs/bulk", json={"jobs": [*jobs, {"job_type": "fly"}]}), "/jobs/300/job_type"
    )
    assert count(rows, "background_jobs") == before + 300


def test_numbers_that_python_has_no_room_for_are_kept(client, rows):
    raw = json.dumps({**NOOP, "payload": {"n": 0}}).replace("0}", "9" * 300 + "}")
    answer = client.post("/api/v1/background-jobs", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    shown = client.get(f"/api/v1/jobs/{answer.json()['job_id']}")
    assert shown.status_code == 200
    assert "9" * 300 in shown.text
