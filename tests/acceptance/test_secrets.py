"""No key, token or password is kept or shown anywhere, whatever a provider sends back; and nobody else is called."""

import json
import socket

import pytest
import redis

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.conformance.kits.scrapecreators_tiktok import KEYWORD
from tests.fleet import eventually, every_provider, fleet_of
from tests.integration.engine.steps import everything
from tests.jobs import insert_job, is_final, job, task

pytestmark = pytest.mark.slow

MARK = "MARKED"
KEY = f"{MARK}/key+0123456789"
SECRET = f"{KEY}-secret"
ECHO = f"key {KEY} ({SECRET}) refused; x-api-key: {KEY}, see https://user:{KEY}@api.example/x?access_token={KEY}&q=1"

JOBS = {
    "scrapecreators": {"platform": "TikTok", "keywords": ["lamp"]},
    "tiktok_research": {"platform": "TikTok", "keywords": ["lamp"]},
    "youtube_data_api": {"platform": "YouTube", "keywords": ["lamp"]},
    "instagram_graph": {"platform": "Instagram", "keywords": ["#lamp"]},
    "apify": {"platform": "Instagram", "keywords": None, "target_username": "roastery"},
}
"""One job a provider, which it alone can do."""


@pytest.fixture
def elsewhere():
    """A listener that nobody should call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def faults(elsewhere: socket.socket) -> dict[str, dict]:
    """Answers that repeat the key, by name."""
    location = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/?key={KEY}"
    error = {"error": ECHO, "message": ECHO, "success": False}
    return {
        "401": {"status": 401, "body": error, "headers": {"WWW-Authenticate": f"Bearer realm={KEY}"}},
        "error text": {"status": 400, "body": {"error": {"code": 400, "type": ECHO, "message": ECHO}, "message": ECHO}},
        "html": {"status": 500, "body": f"<html><title>{ECHO}</title><body>{ECHO}</body></html>"},
        "html with 200": {"status": 200, "body": f"<html><body>{ECHO}</body></html>"},
        "redirect": {"status": 302, "body": ECHO, "headers": {"Location": location}},
    }


@pytest.fixture(params=["401", "error text", "html", "html with 200", "redirect"])
def fault(request, elsewhere):
    return faults(elsewhere)[request.param]


def nowhere(mark: str, fleet, connection, redis_url, *shown: str) -> None:
    """Fails where logs, tables, Redis or these texts hold the mark."""
    assert mark not in fleet.log()
    for name, rows in everything(connection).items():
        assert [row for row in rows if mark in row] == [], name
    with redis.Redis.from_url(redis_url) as client:
        kept = {name: client.dump(name) for name in client.scan_iter()}
    assert [name for name, value in kept.items() if mark.encode() in name + (value or b"")] == []
    assert [text for text in shown if mark in text] == []


def test_whatever_refuses_a_call_no_key_is_kept_or_shown_and_no_other_host_is_called(
    fault, elsewhere, connection, database_url, redis_url, tmp_path
):
    with running_simulator() as simulator:
        settings = every_provider(simulator.url, KEY) | {"TRAWLER_MAX_ATTEMPTS": "1", "TRAWLER_LOG_LEVEL": "debug"}
        # Given every provider refusing every call, with the key in its answer
        simulator.set_fault("status", "*", **fault)
        with fleet_of(database_url, redis_url, simulator, tmp_path, **settings) as fleet:
            # When each is asked
            ids = {
                provider: insert_job(connection, **columns, search_params={"provider": provider, "enrich": "none"})
                for provider, columns in JOBS.items()
            }
            eventually(
                lambda: all(
                    connection.execute(
                        "SELECT count(*) FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id"
                        " WHERE t.job_id = %s",
                        (job_id,),
                    ).fetchone()[0]
                    for job_id in ids.values()
                )
            )
            shown = [
                fleet.ops(*command) for job_id in ids.values() for command in (("show", job_id), ("explain", job_id))
            ]
            recorded = [fleet.ops("record", provider, "/anything") for provider in JOBS]
            # Then each was called, and tells what it heard, without a key
            asked = {call["path"] for call in simulator.calls()}
            assert {path.split("/")[1] for path in asked} >= {"v1", *(set(JOBS) - {"scrapecreators"})}
            told = [
                job(connection, job_id)["error"] or task(connection, job_id)["wait_reason"] for job_id in ids.values()
            ]
            assert all(told)
            texts = [text for done in (*shown, *recorded) for text in (done.stdout, done.stderr)]
            nowhere(MARK, fleet, connection, redis_url, *texts)
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_an_item_that_holds_the_key_is_set_aside_and_recorded_without_it(connection, database_url, redis_url, tmp_path):
    odd = {"aweme_info": {"aweme_id": 7, "author": 7, "desc": ECHO, "play_token": {"kind": 1}}}
    page = json.loads(KEYWORD.page([KEYWORD.item(1), odd], 1).body)
    with running_simulator() as simulator:
        settings = every_provider(simulator.url, KEY)
        # Given a page with an unreadable item that repeats the key
        simulator.set_fault("status", status=200, body=page, times=1)
        with fleet_of(database_url, redis_url, simulator, tmp_path, **settings) as fleet:
            job_id = insert_job(connection, keywords=["lamp"], target_results=5, search_params={"enrich": "none"})
            eventually(lambda: is_final(connection, job_id))
            simulator.set_fault("status", status=200, body=page)
            # When it is looked at, and such a page is recorded
            item = fleet.ops("quarantine", "--json")
            recorded = fleet.ops("record", "scrapecreators", SEARCH_PATH, "--param", "query=lamp")
            (one,) = json.loads(item.stdout)
            raw = fleet.ops("quarantine", str(one["id"]), "--json")
            # Then it is there without the key
            assert json.loads(json.loads(raw.stdout)["raw"])["aweme_info"]["play_token"] == {"kind": 1}
            assert recorded.returncode == 0
            assert "[cut]" in recorded.stdout
            nowhere(MARK, fleet, connection, redis_url, item.stdout, raw.stdout, recorded.stdout)
