"""Instagram by Apify on answers that were recorded or published, where they lie at hand."""

import json
from pathlib import Path

import pytest

from platforms.apify.instagram_similar import InstagramSimilarRuns
from platforms.apify.places import Reading, Waiting, write
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Response, start_walk

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "apify"
ADAPTER = InstagramSimilarRuns()
QUERY = Query("instagram", SearchKind.SIMILAR, target_username="redbull")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def recorded(name, status=200):
    return Response(status, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "number"),
    [("instagram_profile__dataset_items.json", 181), ("instagram_profile__dataset_item_80_related.json", 80)],
)
def test_recorded_items_give_their_related_accounts(name, number):
    # Given
    response, source = recorded(name), ADAPTER.sources["items"]
    entries = json.loads(response.body)
    asked = {entry["id"] for entry in entries}
    nodes = [node for entry in entries for node in entry["relatedProfiles"]]
    walk = start_walk("items", "redbull", write(Reading("r", "d", "SUCCEEDED")))
    # When
    page = source.parse(response, QUERY, walk)
    # Then
    assert source.judge(response).outcome is Outcome.OK
    assert len(nodes) == number
    assert [item.creator_id for item in page.items] == [node["id"] for node in nodes if node["id"] not in asked]
    assert page.dropped == len(nodes) - len(page.items)
    assert (page.ended, page.end_reason, page.unreadable) == (True, "exhausted", ())


def test_a_recorded_run_is_started_waited_for_and_read():
    started, waited = ADAPTER.sources["run"], ADAPTER.sources["wait"]
    running, done = recorded("actor_run.json", 201), recorded("actor_run__succeeded.json")
    # When the run is started, Then its ids are in the walk that waits, and its id is the page's.
    assert started.judge(running).outcome is Outcome.OK
    walk = start_walk("run", "redbull", '{"since":"","clear":true}')
    page = started.parse(running, QUERY, walk)
    assert page.run_id == "HG7ML7M8z78YcAPEB"
    assert page.walks == (start_walk("wait", "redbull", write(Waiting("HG7ML7M8z78YcAPEB", "wmKPijuyDnPZAPRMk"))),)
    # When it runs, Then it is asked again; when it has ended, Then it is read.
    assert waited.parse(recorded("actor_run.json"), QUERY, page.walks[0]).not_ready
    last = waited.parse(done, QUERY, page.walks[0])
    reading = Reading("HG7ML7M8z78YcAPEB", "wmKPijuyDnPZAPRMk", "SUCCEEDED", "2019-11-30T07:34:50.441Z")
    assert last.walks == (start_walk("items", "redbull", write(reading)),)


EXPECTED = {
    "invalid_input": Outcome.STOP_JOB,
    "unknown_route": Outcome.FIX_CONFIGURATION,
    "invalid_token": Outcome.FIX_CONFIGURATION,
    "rate_limit": Outcome.RATE_LIMITED,
    "sync_run_timeout": Outcome.RETRY_NOW,
    "payload_too_large": Outcome.STOP_JOB,
    "record_not_found": Outcome.FAIL_OVER,
    "actor_memory_limit": Outcome.WAIT,
}


def test_each_recorded_error_has_its_declared_outcome():
    judged = {}
    for error in json.loads((FOLDER / "errors.json").read_bytes()):
        response = Response(error["status"], {}, json.dumps(error["body"]).encode())
        judged[error["name"]] = ADAPTER.sources["items"].judge(response).outcome
    assert judged == EXPECTED


def test_every_recorded_answer_is_read_here():
    names = {path.name for path in FOLDER.glob("*.json")}
    assert names == {
        "actor_run.json",
        "actor_run__succeeded.json",
        "errors.json",
        "instagram_profile__dataset_items.json",
        "instagram_profile__dataset_item_80_related.json",
    }
