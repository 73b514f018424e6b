"""The application's own client of QStash, the real one from npm, with nothing changed but its URL and its token."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from platforms.simulator.running import running_simulator
from platforms.simulator.serving import listening_socket
from tests.api.serving import ALL, TOKENS
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import (
    assert_counters_are_true,
    background_is_final,
    background_job,
    insert_background_job,
    insert_job,
    is_final,
    job,
    stored_ids,
)

SCRIPT = Path(__file__).with_name("qstash_client.mjs")
CLIENT = os.environ.get("QSTASH_CLIENT", "")
APP = "https://app.example.com"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NODE is None, reason="there is no program `node`; install it (on Debian: nodejs)"),
    pytest.mark.skipif(
        not (Path(CLIENT) / "node_modules" / "@upstash" / "qstash").is_dir(),
        reason="QSTASH_CLIENT names no folder with node_modules/@upstash/qstash; "
        'make one: npm install --prefix "$QSTASH_CLIENT" --no-save --no-package-lock @upstash/qstash',
    ),
]


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", "200") as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    """A reconciler, a worker, and the API, each a process of its own."""
    with fleet_of(database_url, redis_url, simulator, tmp_path, **every_provider(simulator.url)) as running:
        bound = listening_socket(0)
        port = bound.getsockname()[1]
        bound.close()
        running.api_url = f"http://127.0.0.1:{port}"
        running.api = running.start("tests.api.running", str(port), API_TOKENS=TOKENS)
        eventually(lambda: answers(running.api_url))
        yield running


def answers(url):
    try:
        return httpx.get(f"{url}/api/v1/openapi.json", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def published(fleet, *messages, token=ALL):
    """What the client was answered, message by message."""
    environment = {
        "PATH": os.environ["PATH"],
        "QSTASH_CLIENT": CLIENT,
        "QSTASH_URL": fleet.api_url,
        "QSTASH_TOKEN": token,
    }
    done = subprocess.run(
        [NODE, SCRIPT],
        input=json.dumps(messages),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_search_that_is_published_is_worked_on_and_stored_once(fleet, connection):
    # Given a row as the application inserts it
    job_id = insert_job(connection, keywords=["desk lamp"], target_results=60)
    message = {
        "url": f"{APP}/api/qstash/process-scraping",
        "body": {"jobId": job_id},
        "retries": 3,
        "notifyOnFailure": True,
        "delay": "0s",
    }
    watch = {"url": f"{APP}/api/qstash/process-results", "body": {"jobId": job_id}, "delay": "30s", "retries": 3}
    # When it is published as the application does, twice, and watched
    told = published(fleet, message, message, watch)
    # Then each is answered with a message, and the job is done once
    assert [one["answer"]["messageId"] for one in told] == [job_id] * 3
    eventually(lambda: is_final(connection, job_id))
    assert job(connection, job_id)["status"] == "completed"
    assert len(stored_ids(connection, job_id)) == 60
    assert_counters_are_true(connection, job_id)


def test_background_jobs_mails_delays_and_deduplication_come_through_the_client(fleet, connection):
    # Given a row as the application's own queue inserts it, beside bodies that are jobs by themselves
    (soon,) = connection.execute("SELECT worker.utc_now() + interval '3 seconds'").fetchone()
    row = insert_background_job(connection, "noop", scheduled_for=soon)
    route = f"{APP}/api/jobs/process"
    told = published(
        fleet,
        {
            "url": route,
            "body": {"jobId": row, "jobType": "noop", "payload": {}, "attempt": 1},
            "delay": "3000ms",
            "retries": 5,
        },
        {"url": route, "body": {"jobType": "noop", "payload": {"a": "é"}}, "delay": 3600, "retries": 2},
        {
            "url": f"{APP}/api/email/send-scheduled",
            "body": {"userId": "user_1", "emailType": "welcome", "userEmail": "a@example.com", "templateProps": {}},
            "delay": "10m",
        },
        {"url": route, "body": {"jobType": "noop", "payload": {}}, "deduplicationId": "once", "notBefore": 4},
        {"url": route, "body": {"jobType": "noop", "payload": {}}, "deduplicationId": "once"},
        {
            "url": route,
            "body": {"jobType": "noop", "payload": {}},
            "contentBasedDeduplication": True,
            "headers": {"my-header": "x"},
            "failureCallback": f"{APP}/api/qstash/dead-letter",
            "timeout": 30,
            "label": "x",
        },
    )
    ids = [one["answer"]["messageId"] for one in told]
    assert ids[0] == row
    assert background_job(connection, row)["max_retries"] == 5
    assert background_job(connection, ids[1])["max_retries"] == 2
    (seconds,) = connection.execute(
        "SELECT extract(epoch FROM scheduled_for - worker.utc_now()) FROM background_jobs WHERE id = %s", (ids[1],)
    ).fetchone()
    assert 3000 < seconds <= 3600
    assert background_job(connection, ids[2])["job_type"] == "send_email"
    assert ids[3] == ids[4]
    assert told[4]["answer"]["deduplicated"] is True
    # Those that are due are run
    for job_id in (row, ids[3], ids[5]):
        eventually(lambda job_id=job_id: background_is_final(connection, job_id))
        assert background_job(connection, job_id)["status"] == "completed"
    assert background_job(connection, ids[1])["status"] == "pending"


def test_what_is_refused_reaches_the_application_as_an_error_with_its_reason(fleet):
    messages = [
        {"url": f"{APP}/api/unknown", "body": {}},
        {"url": f"{APP}/api/qstash/process-scraping", "body": {"jobId": "x"}},
        {"url": f"{APP}/api/jobs/process", "body": {"jobType": "fly", "payload": {}}},
    ]
    told = [one["error"] for one in published(fleet, *messages)]
    assert [one["status"] for one in told] == [404, 422, 422]
    assert "/api/qstash/process-scraping" in told[0]["message"]
    assert "jobId" in told[1]["message"]
    assert "expected one of" in told[2]["message"]
    (told,) = published(fleet, messages[0], token="wrong" * 8)
    assert told["error"]["status"] == 401


def test_a_process_that_is_told_to_end_ends_though_somebody_listens(fleet, connection):
    # Given a job that waits, and a listener
    (told,) = published(
        fleet, {"url": f"{APP}/api/jobs/process", "body": {"jobType": "noop", "payload": {}}, "delay": "1h"}
    )
    url = f"{fleet.api_url}/api/v1/jobs/{told['answer']['messageId']}/events"
    headers = {"Authorization": f"Bearer {ALL}"}
    with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: progress"
        # When the process is told to end, then it does, and the stream with it
        fleet.api.terminate()
        with contextlib.suppress(httpx.RemoteProtocolError):
            list(lines)
        assert fleet.api.wait(15) in (0, -15)
