"""A similar search by a provider that works in runs: a run is started once, whatever is lost, and read to its end."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from tests.conformance.kits.apify_instagram import DATASET, entry, run
from tests.conformance.kits.scrapecreators_instagram import related
from tests.fleet import Fleet, eventually
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, stored_creators, task

LATER = "2026-02-20T07:40:00.000Z"


class Platform(ThreadingHTTPServer):
    """Runs of one Actor over HTTP, kept in memory. The starts that `lost` counts are done and not answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.inputs: dict[str, Any] = {}
        self.asked: list[str] = []
        self.polls: dict[str, int] = {}
        self.lost = 0
        self.answering = threading.Event()
        self.answering.set()
        self.status = "SUCCEEDED"
        self.entries: list[dict[str, Any]] = [entry([related(1), {**related(2), "is_private": True}, related(3)])]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed has left its connection open."""

    def start(self, told: Any) -> dict[str, Any]:
        name = f"run{len(self.inputs) + 1}"
        self.inputs[name] = told
        return self.run(name, "READY")

    def run(self, name: str, status: str) -> dict[str, Any]:
        return run(status, id=name, startedAt=LATER, defaultKeyValueStoreId=f"store{name}")

    def poll(self, name: str) -> dict[str, Any]:
        self.polls[name] = self.polls.get(name, 0) + 1
        return self.run(name, "RUNNING" if self.polls[name] == 1 else self.status)


class Handler(BaseHTTPRequestHandler):
    """Speaks as the API does."""

    server: Platform

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def answer(self, body: Any) -> None:
        with self.server.lock:
            status, told, headers = self.told(self.path.partition("?")[0].split("/")[2:], body)
            lost = body is not None and self.server.lost > 0
            self.server.lost -= lost
        if body is not None:
            self.server.answering.wait(60)
        if lost:
            self.close_connection = True
            return
        document = json.dumps(told).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(document)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(document)

    def told(self, parts: list[str], body: Any) -> tuple[int, Any, dict[str, str]]:
        platform = self.server
        platform.asked.append(f"{self.command} {parts[0]}")
        if self.headers["authorization"] != "Bearer test-token":
            return 401, {"error": {"type": "invalid-token", "message": "Authentication token is not valid."}}, {}
        match parts:
            case ["acts", _, "runs"] if body is not None:
                return 201, {"data": platform.start(body)}, {}
            case ["acts", _, "runs"]:
                listed = [platform.run(name, "RUNNING") for name in reversed(platform.inputs)]
                return 200, {"data": {"items": listed}}, {}
            case ["key-value-stores", store, "records", "INPUT"]:
                return 200, platform.inputs[store.removeprefix("store")], {}
            case ["actor-runs", name]:
                return 200, {"data": platform.poll(name)}, {}
            case ["datasets", dataset, "items"] if dataset == DATASET:
                return 200, platform.entries, {"x-apify-pagination-total": str(len(platform.entries))}
        return 404, {"error": {"type": "page-not-found", "message": "no such endpoint"}}, {}

    def log_message(self, *_: Any) -> None:
        """Nothing is written."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fleet(database_url: str, redis_url: str, platform: Platform, tmp_path) -> Iterator[Fleet]:
    with Fleet(
        database_url, redis_url, "http://127.0.0.1:9", tmp_path, APIFY_TOKEN="test-token", APIFY_BASE_URL=platform.url
    ) as made:
        made.reconciler()
        made.worker()
        yield made


def search(connection: psycopg.Connection) -> str:
    return insert_job(
        connection,
        platform="Instagram",
        keywords=None,
        target_username="@roastery",
        search_params={"provider": "apify"},
    )


@pytest.mark.slow
def test_a_run_is_started_waited_for_and_read(connection, fleet, platform):
    # When
    name = search(connection)
    eventually(lambda: is_final(connection, name))
    # Then
    row = job(connection, name)
    assert (row["status"], row["error"], row["run_id"]) == ("completed", None, "run1")
    assert platform.inputs == {"run1": {"usernames": ["roastery"]}}
    creators = stored_creators(connection, name)
    assert [(one["username"], one["is_private"]) for one in creators] == [
        ("barista1", False),
        ("barista2", True),
        ("barista3", False),
    ]
    assert ("wait", "provider_at_work") in attempts(connection, name)
    spent = connection.execute("SELECT sum(calls), sum(credits) FROM worker.spend WHERE provider = 'apify'").fetchone()
    assert spent == (5, 3)
    assert_counters_are_true(connection, name)


@pytest.mark.slow
def test_a_run_whose_start_was_not_answered_is_found_and_not_started_again(connection, fleet, platform):
    # Given
    platform.lost = 1
    # When
    name = search(connection)
    eventually(lambda: is_final(connection, name))
    # Then
    row = job(connection, name)
    assert (row["status"], row["run_id"], row["processed_results"]) == ("completed", "run1", 3)
    assert list(platform.inputs) == ["run1"]
    assert platform.asked.count("POST acts") == 1
    assert ("retry", "transport") in attempts(connection, name)
    assert_counters_are_true(connection, name)


@pytest.mark.slow
def test_a_run_whose_start_a_killed_worker_never_heard_of_is_found(connection, fleet, platform):
    # Given a worker that dies between the start and its answer
    platform.answering.clear()
    name = search(connection)
    eventually(lambda: platform.inputs)
    fleet.kill(fleet.processes[-1])
    platform.answering.set()
    # When
    fleet.worker()
    eventually(lambda: is_final(connection, name))
    # Then
    row = job(connection, name)
    assert (row["status"], row["run_id"], row["processed_results"]) == ("completed", "run1", 3)
    assert list(platform.inputs) == ["run1"]
    assert_counters_are_true(connection, name)


@pytest.mark.slow
def test_a_target_that_does_not_exist_ends_the_job_with_a_text(connection, fleet, platform):
    # Given
    platform.entries = [{"username": "roastery", "error": "not_found", "errorDescription": "Page not found"}]
    # When
    name = search(connection)
    eventually(lambda: is_final(connection, name))
    # Then
    row = job(connection, name)
    assert row["status"] == "error"
    assert "no Instagram account has the name in target_username, roastery" in row["error"]


@pytest.mark.slow
def test_a_run_that_failed_with_nothing_is_an_error_and_with_something_is_not(connection, fleet, platform):
    # Given
    platform.status = "FAILED"
    # When
    something = search(connection)
    eventually(lambda: is_final(connection, something))
    platform.entries = [entry([])]
    nothing = search(connection)
    eventually(lambda: is_final(connection, nothing))
    # Then
    assert (job(connection, something)["status"], job(connection, something)["processed_results"]) == ("completed", 3)
    assert task(connection, something)["end_reason"] == "run_failed"
    assert job(connection, nothing)["status"] == "error"
    assert "ended as FAILED and left no result" in job(connection, nothing)["error"]
