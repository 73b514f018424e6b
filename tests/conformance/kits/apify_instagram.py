"""Instagram by Apify."""

from typing import Any

from platforms.apify.instagram_similar import ACTOR
from platforms.apify.items import LIMIT
from platforms.apify.outcomes import RULES, START_RULES
from platforms.apify.places import Reading, Waiting, write
from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from tests.conformance.kit import JSON, Kit, StepKit, answer, html
from tests.conformance.kits.scrapecreators_instagram import TARGET, related, related_creator

QUERY = Query("instagram", SearchKind.SIMILAR, target_username=TARGET)
RUN, DATASET, STORE = "HG7ML7M8z78YcAPEB", "wmKPijuyDnPZAPRMk", "eJNzqsbPiopwJcgGQ"
BEGAN, FINISHED = "2026-02-20T07:34:24.202Z", "2026-02-20T07:34:38.441Z"


def run(status: str = "READY", **changes: Any) -> dict[str, Any]:
    """A run as the API tells it."""
    return {
        "id": RUN,
        "actId": ACTOR,
        "status": status,
        "startedAt": BEGAN,
        "finishedAt": None,
        "defaultDatasetId": DATASET,
        "defaultKeyValueStoreId": STORE,
        "usageTotalUsd": 0.0023,
        **changes,
    }


def one(told: dict[str, Any], status: int = 200) -> Response:
    """A single run."""
    return answer({"data": told}, status)


def many(*runs: dict[str, Any]) -> Response:
    """A list of runs, newest first."""
    return answer({"data": {"total": len(runs), "offset": 0, "limit": 50, "desc": True, "items": list(runs)}})


def refused(status: int, kind: str, message: str = "No.") -> Response:
    """An error."""
    return answer({"error": {"type": kind, "message": message}}, status)


def entry(items: list[Any], **changes: Any) -> dict[str, Any]:
    """The profile that was asked for, with its related accounts."""
    return {"id": "99", "username": TARGET, "private": False, "verified": True, "relatedProfiles": items, **changes}


def dataset(entries: list[Any], total: int = 1, **headers: str) -> Response:
    """One page of the dataset."""
    return answer(entries, 200, **{"x-apify-pagination-total": str(total), **headers})


def reading(status: str = "SUCCEEDED", **more: Any) -> str:
    """The cursor of a walk that reads."""
    return write(Reading(RUN, DATASET, status, FINISHED, **more))


ANSWERS = {
    "not_json_with_2xx": html(200, "Just a moment"),
    "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
    "bad_request": refused(400, "invalid-input", "Input is not valid: Field input.usernames is required"),
    "bad_token": refused(401, "invalid-token"),
    "account_busy": refused(402, "actor-memory-limit-exceeded"),
    "out_of_money": refused(402, "not-enough-usage-to-run-paid-actor"),
    "gateway_refusal": html(403, "Access denied"),
    "not_allowed": refused(403, "actor-is-not-rented"),
    "gone": refused(404, "record-not-found", "Dataset was not found"),
    "unknown_route": refused(404, "page-not-found"),
    "request_timeout": refused(408, "run-timeout-exceeded"),
    "rate_limited": refused(429, "rate-limit-exceeded"),
    "server_error": html(503, "Service unavailable"),
    "client_error": refused(413, "request-too-large"),
}
START_ANSWERS = {
    **{name: response for name, response in ANSWERS.items() if name != "gone"},
    "no_input": refused(404, "record-not-found", "Record was not found"),
}
WRONG = {
    "not_json": Response(200, JSON, b'{"data": {"id": "7'),
    "wrong_page_shape": answer({"data": [7]}),
}

START = StepKit(
    platform="instagram",
    kind="similar",
    provider="apify",
    source="run",
    query=QUERY,
    walk=start_walk("run", TARGET, 0),
    first_request=(f"/v2/acts/{ACTOR}/runs", {"desc": "1", "limit": "1"}),
    good=many(run("SUCCEEDED")),
    rules=START_RULES,
    answers={**START_ANSWERS, "ok": one(run(), 201)},
    wrong_shapes=WRONG,
)

WAIT = StepKit(
    platform="instagram",
    kind="similar",
    provider="apify",
    source="wait",
    query=QUERY,
    walk=start_walk("wait", TARGET, write(Waiting(RUN, DATASET))),
    first_request=(f"/v2/actor-runs/{RUN}", {"waitForFinish": "10"}),
    good=one(run("SUCCEEDED", finishedAt=FINISHED)),
    rules=RULES,
    answers={**ANSWERS, "ok": one(run("RUNNING"))},
    wrong_shapes={**WRONG, "unknown_status": one(run("PONDERING"))},
)

ITEMS = Kit(
    platform="instagram",
    kind="similar",
    provider="apify",
    source="items",
    query=QUERY,
    walk=start_walk("items", TARGET, reading()),
    first_request=(f"/v2/datasets/{DATASET}/items", {"format": "json", "offset": "0", "limit": str(LIMIT)}),
    good=dataset([entry([related(1)])]),
    rules=RULES,
    answers={**ANSWERS, "ok": dataset([entry([related(1)])])},
    wrong_shapes={
        "not_json": Response(200, JSON, b'[{"id": "7'),
        "wrong_page_shape": answer({"data": []}),
        "all_items_unreadable": dataset([entry([{"node": related(1)}])]),
    },
    item=related,
    page=lambda items, number: dataset([entry(items)]),
    one_page=True,
    cursors=(reading(), reading(offset=LIMIT, found=1), reading(offset=2 * LIMIT, found=2)),
    creator=related_creator,
    empty=dataset([], 0),
    empty_ends=True,
    text=("Barista 1", "full_name"),
    odd_items=(None, 7, "text", [], {}, {"id": 0}),
    names=("arista", r"ar\u0000ista"),
)

KITS = (START, WAIT, ITEMS)
