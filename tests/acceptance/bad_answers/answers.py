"""The bad answers, how the engine names each, and walks that meet them."""

from dataclasses import dataclass, field
from typing import Any

import redis

from platforms.simulator.catalogue import creators_of
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually
from tests.jobs import (
    assert_counters_are_true,
    insert_job,
    is_final,
    job,
    stored_ids,
)
from worker.limits.overview import let_go

SEED = 1
ITEMS = 80
ATTEMPTS = 3
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class BadAnswer:
    """A fault, and how the engine names it: the stable reason, and words of the text for people."""

    kind: str
    reason: str
    words: str
    wishes: dict[str, Any] = field(default_factory=dict)


PASSING = {
    # Faults that are worth another try, by the word that is searched.
    "html": BadAnswer("html", "not_json_with_2xx", "not JSON: Checking"),
    "cut json": BadAnswer("cut_json", "not_json", "expected complete JSON"),
    "huge": BadAnswer("huge", "body_too_large", "the cap", {"bytes": 60 * MEGABYTE}),
    "missing list": BadAnswer("missing_list", "missing_list", "seen neither"),
    "list is an object": BadAnswer("wrong_shape", "wrong_page_shape", "Expected `array | null`, got `object`"),
    "drop": BadAnswer("drop", "transport", "closed the connection"),
    "500": BadAnswer("status", "server_error", "HTTP 500", {"status": 500}),
    "503 with text": BadAnswer("status", "server_error", "HTTP 503", {"status": 503, "body": "overloaded"}),
    "408": BadAnswer("status", "request_timeout", "HTTP 408", {"status": 408}),
    "204": BadAnswer("status", "not_json_with_2xx", "empty body", {"status": 204, "body": ""}),
}
REFUSALS = {
    # Faults that no second try would mend.
    "400": BadAnswer("status", "bad_request", "HTTP 400", {"status": 400}),
    "403 for a search": BadAnswer("status", "search_refused", "HTTP 403", {"status": 403, "body": {"error": "no"}}),
    "418": BadAnswer("status", "client_error", "HTTP 418", {"status": 418}),
}
WAITS = {
    # Faults that concern the whole provider, and that somebody mends.
    "401": BadAnswer("status", "bad_key", "refused the API key", {"status": 401}),
    "402": BadAnswer("status", "out_of_credits", "out of credits", {"status": 402}),
    "404 page": BadAnswer("status", "unknown_route", "no such endpoint", {"status": 404, "body": "<html>Cannot GET"}),
    "items are numbers": BadAnswer("wrong_shape", "drift", "answers in another shape", {"shape": "numbers"}),
    "302": BadAnswer("status", "redirect", "check the base URL", {"status": 302, "headers": {"Location": "/x"}}),
}


def reopen(rows, redis_url: str) -> None:
    """Let all waits be over, as an operator does who mended what they were for."""
    with redis.Redis.from_url(redis_url) as client:
        let_go(client)
    rows.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE state = 'waiting'")


def told(rows, job_id: str) -> str:
    """What the job's first slice said."""
    (detail,) = rows.execute(
        "SELECT a.detail FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id WHERE t.job_id = %s"
        " ORDER BY a.id LIMIT 1",
        (job_id,),
    ).fetchone()
    return detail


def put_in(rows, word: str, **columns) -> str:
    params = {"enrich": "none", **columns.pop("search_params", {})}
    return insert_job(
        rows,
        **{"user_id": f"user of {word}", "keywords": [word], "target_results": 20_000, **columns},
        search_params=params,
    )


def walk(rows, word: str, **columns) -> str:
    """Id of a job over this word that has ended."""
    job_id = put_in(rows, word, **columns)
    eventually(lambda: is_final(rows, job_id))
    return job_id


def cursors_asked(simulator, word: str) -> list[int]:
    calls = simulator.calls(SEARCH_PATH)
    return [int(call["params"]["cursor"]) for call in calls if call["params"]["query"] == word]


def assert_complete(rows, job_id: str, word: str) -> None:
    assert job(rows, job_id)["status"] == "completed"
    assert stored_ids(rows, job_id) == list(creators_of(SEED, word, ITEMS))
    assert_counters_are_true(rows, job_id)
