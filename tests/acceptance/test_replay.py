"""Items that a parser could not read are stored once it can: the ops commands against a running fleet."""

import json
from urllib.parse import urlencode

import httpx
import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, stored_ids

ITEMS = 60
SEED = 1
WORD = "desk lamp"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    logs = tmp_path_factory.mktemp("replay")
    with fleet_of(module_database_url, module_redis_url, simulator, logs, COLUMNS="200") as running:
        yield running


@pytest.fixture(scope="module")
def ended(fleet, rows, simulator):
    """Id of a job that ended while the provider sent items of another shape."""
    simulator.set_fault("bad_items", match={"query": WORD})
    job_id = insert_job(rows, keywords=[WORD], target_results=1000, search_params={"enrich": "none"})
    eventually(lambda: is_final(rows, job_id))
    simulator.clear_faults()
    return job_id


def as_the_provider_sends_it(simulator, walk: dict, aweme_id: str) -> str:
    """The item in the shape that the parser reads."""
    asked = urlencode({"query": walk["word"], "cursor": walk["cursor"], "region": "US"})
    answer = httpx.get(f"{simulator.url}{SEARCH_PATH}?{asked}", headers={"x-api-key": "test-key"}, trust_env=False)
    items = answer.json()["search_item_list"]
    return json.dumps(next(one for one in items if one["aweme_info"]["aweme_id"] == aweme_id))


def replay(fleet, *arguments: str) -> dict:
    done = fleet.ops("replay", *arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_what_was_set_aside_is_shown_and_its_replay_is_tried_without_harm(fleet, rows, ended):
    # Given a job with items that are past reading
    items = json.loads(fleet.ops("quarantine", "--job", ended, "--json").stdout)
    assert items
    assert {(one["reason"], one["endpoint"], one["cut"]) for one in items} == {
        ("wrong_item_shape", "tiktok/search/keyword", False)
    }
    assert json.loads(fleet.ops("quarantine", "--reason", "other", "--json").stdout) == []
    assert "wrong_item_shape" in fleet.ops("quarantine", "--limit", "1").stdout
    # When one is looked at
    one = json.loads(fleet.ops("quarantine", str(items[0]["id"]), "--json").stdout)
    # Then it is there as it came, with the walk that met it
    assert json.loads(one["raw"])["aweme_info"]["aweme_id"]
    assert json.loads(one["walk"])["word"] == WORD
    # And a replay with the same parser stores nothing
    before = stored_ids(rows, ended)
    assert replay(fleet, ended)["jobs"][0]["verdicts"] == {"unreadable": len(items)}
    assert stored_ids(rows, ended) == before


def test_with_the_parser_mended_every_creator_is_there_once_and_a_second_replay_changes_nothing(
    fleet, rows, simulator, ended
):
    # Given items whose shape the parser reads now
    kept = rows.execute("SELECT id, raw, walk FROM worker.quarantine ORDER BY id").fetchall()
    for item_id, raw, walk in kept:
        good = as_the_provider_sends_it(simulator, json.loads(walk), json.loads(raw)["aweme_info"]["aweme_id"])
        rows.execute("UPDATE worker.quarantine SET raw = %s WHERE id = %s", (good, item_id))
    before = len(stored_ids(rows, ended))
    assert before < len(creators_of(SEED, WORD, ITEMS))
    # When it is said what a replay would do
    would = replay(fleet, "--endpoint", "tiktok/search/keyword", "--dry-run")["jobs"][0]["verdicts"]
    assert len(stored_ids(rows, ended)) == before
    # And it is done
    done = replay(fleet, "--endpoint", "tiktok/search/keyword")["jobs"][0]["verdicts"]
    # Then all creators of the search are there, once
    assert done == would
    assert set(stored_ids(rows, ended)) == set(creators_of(SEED, WORD, ITEMS))
    assert_counters_are_true(rows, ended)
    assert job(rows, ended)["processed_results"] == before + done["stored"]
    assert sum("replayed" in one["provenance"] for one in stored_creators(rows, ended)) == done["stored"]
    assert rows.execute("SELECT sum(unreadable) FROM worker.pages").fetchone() == (0,)
    # And a second replay finds nothing to do
    row = job(rows, ended)
    again = fleet.ops("replay", ended)
    assert (again.returncode, again.stdout.strip()) == (1, "Replay: no item that is not settled")
    assert job(rows, ended) == row


def test_a_replay_of_nothing_in_particular_is_refused(fleet):
    refused = fleet.ops("replay")
    assert refused.returncode == 2
    assert "--reason" in refused.stderr


def test_a_call_is_recorded_without_the_key_and_is_played_by_its_adapter(fleet, simulator, tmp_path):
    # Given a cassette of one live call
    out = tmp_path / "lamp.json"
    asked = ("--param", f"query={WORD}", "--param", "cursor=0", "--param", "region=US")
    done = fleet.ops("record", "scrapecreators", SEARCH_PATH, *asked, "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    cassette = json.loads(out.read_text())
    assert (cassette["provider"], cassette["endpoint"]) == ("scrapecreators", "tiktok/search/keyword")
    assert (cassette["adapter_version"] > 0, cassette["calls"][0]["status"]) == (True, 200)
    assert "test-key" not in out.read_text()
    assert len(json.loads(cassette["calls"][0]["body"])["search_item_list"]) > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody", "/x"), "no such provider"),
        (("scrapecreators", "x"), "begins with /"),
        (("scrapecreators", "/x", "--param", "query"), "name=value"),
        (("apify", "/x"), "APIFY_TOKEN is not set"),
    ],
)
def test_a_recording_that_cannot_be_made_says_why(fleet, arguments, told):
    done = fleet.ops("record", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_spend_is_added_up_by_what_is_asked_for(fleet, rows, ended):
    calls, credits_spent = rows.execute("SELECT sum(calls), sum(credits) FROM worker.spend").fetchone()
    (line,) = json.loads(fleet.ops("spend", "--json").stdout)
    assert (line["provider"], line["endpoint"]) == ("scrapecreators", "tiktok/search/keyword")
    assert (line["calls"], line["credits"]) == (calls, credits_spent)
    (line,) = json.loads(fleet.ops("spend", "--by", "tenant", "--by", "job", "--job", ended, "--json").stdout)
    assert (line["tenant"], line["job"], "endpoint" in line) == ("user_1", ended, False)
    (line,) = json.loads(fleet.ops("spend", "--by", "day", "--days", "2", "--json").stdout)
    assert line["credits"] == credits_spent
    assert json.loads(fleet.ops("spend", "--provider", "apify", "--json").stdout) == []
    assert "Spend of 30 days: none" in fleet.ops("spend", "--provider", "apify").stdout
    assert "credits" in fleet.ops("spend").stdout
