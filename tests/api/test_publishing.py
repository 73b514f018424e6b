"""Messages as the application published them to QStash: what becomes of each, once, and not before its time."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from console.api.qstash.headers import read_delay
from tests.integration.engine.steps import adopt
from tests.jobs import background_job, insert_background_job, insert_job, job, state, task

APP = "https://app.example.com"
NOBODY = "5f0c7c1e-0000-4000-8000-000000000000"


def publish(client, route, body, base=APP, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body)
    named = {f"Upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
    return client.post(f"/v2/publish/{base}{route}", content=raw, headers={"Content-Type": "application/json", **named})


def due_in(rows, job_id):
    """Seconds until a task is due."""
    (seconds,) = rows.execute(
        "SELECT extract(epoch FROM run_at - clock_timestamp()) FROM worker.tasks WHERE job_id = %s", (job_id,)
    ).fetchone()
    return float(seconds)


@pytest.mark.parametrize("route", ["/api/qstash/process-scraping", "/api/qstash/process-search"])
def test_a_message_about_a_row_names_it_and_leaves_it_to_adoption(client, rows, route):
    job_id = insert_job(rows)
    for _ in range(2):
        answer = publish(client, route, {"jobId": job_id}, Method="POST", Retries="3", Forward_X="y")
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"messageId": job_id, "url": APP + route}
    assert state(rows, job_id) == "ready"
    adopt(rows)
    assert rows.execute("SELECT count(*) FROM worker.tasks WHERE job_id = %s", (job_id,)).fetchone() == (1,)


@pytest.mark.parametrize("adopted_before", [True, False])
def test_a_delay_is_honoured_whether_the_row_was_adopted_before_or_not(client, rows, adopted_before):
    job_id = insert_job(rows)
    if adopted_before:
        adopt(rows)
    assert publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Delay="1h30m").status_code == 201
    adopt(rows)
    made = task(rows, job_id)
    assert (made["state"], made["wait_reason"]) == ("waiting", "scheduled")
    assert 5300 < due_in(rows, job_id) <= 5400
    # Of two messages the sooner one counts, and the later one once more changes nothing
    publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Delay="10m")
    assert 500 < due_in(rows, job_id) <= 600
    publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Delay="1h30m")
    assert 500 < due_in(rows, job_id) <= 600
    # Without a delay it is ready
    publish(client, "/api/qstash/process-scraping", {"jobId": job_id})
    assert (task(rows, job_id)["state"], task(rows, job_id)["wait_reason"]) == ("ready", None)


def test_a_moment_goes_before_a_delay_and_one_that_is_over_is_now(client, rows):
    job_id = insert_job(rows)
    (soon,) = rows.execute("SELECT extract(epoch FROM now())::bigint + 1000").fetchone()
    publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Not_Before=str(soon), Delay="9d")
    assert 900 < due_in(rows, job_id) <= 1001
    publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Not_Before="1")
    assert state(rows, job_id) == "ready"


@pytest.mark.parametrize("status", ["completed", "error", "timeout", "cancelled"])
def test_a_message_about_a_row_that_has_ended_changes_nothing(client, rows, status):
    job_id = insert_job(rows, status=status)
    before = job(rows, job_id)
    assert publish(client, "/api/qstash/process-scraping", {"jobId": job_id}).json()["messageId"] == job_id
    assert job(rows, job_id) == before
    assert state(rows, job_id) is None


def test_a_row_that_another_queue_worked_on_goes_on_here_and_one_of_ours_is_left(client, rows):
    # Given a row that the application's old worker left in the middle, and one that a worker of ours runs
    old, ours = insert_job(rows, status="processing", processed_results=20), insert_job(rows)
    adopt(rows)
    rows.execute(
        "UPDATE worker.tasks SET state = 'leased', token = gen_random_uuid(), owner = 'w', claimed_at = now(),"
        " expires_at = now() + interval '1 hour' WHERE job_id = %s",
        (ours,),
    )
    rows.execute("UPDATE scraping_jobs SET status = 'processing' WHERE id = %s", (ours,))
    before = task(rows, ours)
    for job_id in (old, ours):
        assert publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, Delay="2s").status_code == 201
    assert (job(rows, old)["status"], job(rows, old)["processed_results"], state(rows, old)) == (
        "pending",
        20,
        "waiting",
    )
    assert task(rows, ours) == before
    assert job(rows, ours)["status"] == "processing"


def test_watching_a_row_is_what_the_engine_does_anyway(client, rows):
    job_id = insert_job(rows)
    adopt(rows)
    answer = publish(client, "/api/qstash/process-results", {"jobId": job_id}, Delay="30s", Retries="3")
    assert (answer.status_code, answer.json()["messageId"]) == (201, job_id)
    assert state(rows, job_id) == "ready"


def test_a_message_about_a_background_row_moves_it_once_and_sets_its_retries(client, rows):
    body = {"jobType": "noop", "payload": {}, "attempt": 1, "maxRetries": 5}
    job_id = insert_background_job(rows, "noop")
    for delay in ("2000ms", "1h"):
        answer = publish(client, "/api/jobs/process", {"jobId": job_id, **body}, Delay=delay, Retries="5")
        assert answer.json()["messageId"] == job_id
    row = background_job(rows, job_id)
    assert row["max_retries"] == 5
    (seconds,) = rows.execute(
        "SELECT extract(epoch FROM scheduled_for - worker.utc_now()) FROM background_jobs WHERE id = %s", (job_id,)
    ).fetchone()
    assert seconds <= 2, "the second message may not put it off"
    # What has ended is left
    done = insert_background_job(rows, "noop", status="completed")
    before = background_job(rows, done)
    assert publish(client, "/api/jobs/process", {"jobId": done}, Delay="1h").status_code == 201
    assert background_job(rows, done) == before


def test_a_body_of_a_background_kind_becomes_a_job(client, rows):
    answer = publish(
        client, "/api/jobs/process", {"jobType": "noop", "payload": {"a": 1}}, Delay="1d10h30m", Retries="7"
    )
    row = background_job(rows, answer.json()["messageId"])
    assert (answer.status_code, row["job_type"], row["max_retries"]) == (201, "noop", 7)
    assert 34.4 * 3600 < due_in(rows, str(row["id"])) <= 34.5 * 3600


def test_a_scheduled_mail_becomes_a_job_that_sends_it(client, rows):
    body = {
        "userId": "user_1",
        "emailType": "trial_day2",
        "userEmail": "ada@example.com",
        "templateProps": {"dashboardUrl": "https://x"},
        "scheduledAt": "2026-11-21T00:00:00Z",
    }
    answer = publish(client, "/api/email/send-scheduled", body, Delay="2d")
    job_id = answer.json()["messageId"]
    kind, payload, seconds = rows.execute(
        "SELECT job_type, payload, extract(epoch FROM scheduled_for - worker.utc_now()) FROM background_jobs"
        " WHERE id = %s",
        (job_id,),
    ).fetchone()
    assert (kind, payload) == ("send_email", {"userId": "user_1", "type": "trial_day2"})
    assert 172_000 < seconds <= 172_800
    wrong = publish(client, "/api/email/send-scheduled", {**body, "emailType": "newsletter"})
    assert wrong.status_code == 422
    assert "newsletter" in wrong.json()["detail"] or "type" in wrong.json()["detail"]


def test_a_deduplication_id_makes_one_job_even_of_twenty_at_once(client, rows):
    name = f"welcome-{uuid4()}"
    body = {"jobType": "noop", "payload": {"n": name}}
    with ThreadPoolExecutor(20) as callers:
        answers = list(
            callers.map(lambda _: publish(client, "/api/jobs/process", body, Deduplication_Id=name), range(20))
        )
    assert sorted(one.status_code for one in answers) == [201] + [202] * 19
    assert {one.json().get("deduplicated") for one in answers if one.status_code == 202} == {True}
    assert len({one.json()["messageId"] for one in answers}) == 1
    count = rows.execute("SELECT count(*) FROM background_jobs WHERE payload ->> 'n' = %s", (name,)).fetchone()
    assert count == (1,)
    # As with QStash, the id alone decides
    again = publish(client, "/api/jobs/process", {"jobType": "noop", "payload": {}}, Deduplication_Id=name)
    assert (again.status_code, again.json()["messageId"]) == (202, answers[0].json()["messageId"])


def test_deduplication_by_content_tells_bodies_and_destinations_apart(client):
    flag = {"Content_Based_Deduplication": "true"}
    first = publish(client, "/api/jobs/process", {"jobType": "noop", "payload": {"c": 1}}, **flag)
    again = publish(client, "/api/jobs/process", {"jobType": "noop", "payload": {"c": 1}}, **flag)
    other = publish(client, "/api/jobs/process", {"jobType": "noop", "payload": {"c": 2}}, **flag)
    there = publish(
        client, "/api/jobs/process", {"jobType": "noop", "payload": {"c": 1}}, base="https://b.example", **flag
    )
    assert [one.status_code for one in (first, again, other, there)] == [201, 202, 201, 201]


@pytest.mark.parametrize(
    "destination",
    [
        f"{APP}/api/jobs/process",
        "https%3A%2F%2Fapp.example.com%2Fapi%2Fjobs%2Fprocess",
        "https:/app.example.com/api/jobs/process/",
        "http://localhost:3000/base/api/jobs/process?x=1",
    ],
)
def test_a_destination_is_known_by_its_end_however_it_is_written(client, destination):
    answer = client.post(f"/v2/publish/{destination}", json={"jobType": "noop", "payload": {}})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("destination", "status", "code"),
    [
        (f"{APP}/api/other", 404, "unknown_destination"),
        ("my-topic", 404, "unknown_destination"),
        ("api/llm", 404, "unknown_destination"),
        ("", 404, "unknown_destination"),
        ("https:///api/jobs/process", 404, "unknown_destination"),
    ],
)
def test_a_destination_that_is_not_known_is_told_with_those_that_are(client, destination, status, code):
    answer = client.post(f"/v2/publish/{destination}", json={"jobId": NOBODY})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:trawler:problem:{code}")
    assert "/api/qstash/process-scraping" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("route", "body", "status", "code"),
    [
        ("/api/qstash/process-scraping", {"jobId": NOBODY}, 404, "unknown_job"),
        ("/api/jobs/process", {"jobId": NOBODY}, 404, "unknown_job"),
        ("/api/qstash/process-scraping", {"jobId": "1"}, 422, "invalid_request"),
        ("/api/qstash/process-scraping", {"jobId": 7}, 422, "invalid_request"),
        ("/api/qstash/process-scraping", {}, 422, "invalid_request"),
        ("/api/qstash/process-scraping", [], 422, "invalid_request"),
        ("/api/qstash/process-scraping", b"", 400, "invalid_json"),
        ("/api/qstash/process-scraping", b"[" * 100_000, 400, "invalid_json"),
        ("/api/qstash/process-scraping", b'{"jobId": "\\ud800"}', 422, "invalid_request"),
        ("/api/jobs/process", {"payload": {}}, 422, "invalid_request"),
        ("/api/jobs/process", {"jobType": "fly", "payload": {}}, 422, "invalid_request"),
        ("/api/jobs/process", {"jobType": "noop", "payload": "x"}, 422, "invalid_request"),
        ("/api/jobs/process", {"jobType": "noop", "payload": {"a": "\x00"}}, 422, "invalid_request"),
        ("/api/email/send-scheduled", {"emailType": "welcome"}, 422, "invalid_request"),
    ],
)
def test_a_body_that_names_nothing_that_can_be_done_is_refused(client, rows, route, body, status, code):
    before = rows.execute("SELECT count(*) FROM background_jobs").fetchone()
    answer = publish(client, route, body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:trawler:problem:{code}"), answer.text
    assert rows.execute("SELECT count(*) FROM background_jobs").fetchone() == before


def test_the_id_of_a_background_job_is_no_scraping_job(client, rows):
    answer = publish(client, "/api/qstash/process-scraping", {"jobId": insert_background_job(rows, "noop")})
    assert answer.status_code == 404
    answer = publish(client, "/api/jobs/process", {"jobId": insert_job(rows)})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Delay", "soon"),
        ("Delay", "10"),
        ("Delay", "-1s"),
        ("Delay", "367d"),
        ("Delay", "1.5h"),
        ("Delay", "9" * 200 + "s"),
        ("Not-Before", "tomorrow"),
        ("Not-Before", "9" * 12),
        ("Retries", "-1"),
        ("Retries", "many"),
        ("Retries", "101"),
        ("Deduplication-Id", "x" * 201),
        ("Method", "GET"),
    ],
)
def test_a_header_that_cannot_be_honoured_is_refused_by_its_name(client, rows, header, value):
    job_id = insert_job(rows)
    answer = publish(client, "/api/qstash/process-scraping", {"jobId": job_id}, **{header.replace("-", "_"): value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["header"] == f"Upstash-{header}"
    assert state(rows, job_id) is None


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("10s", timedelta(seconds=10)),
        ("3m", timedelta(minutes=3)),
        ("1d", timedelta(days=1)),
        ("1d10h30m", timedelta(days=1, hours=10, minutes=30)),
        ("2000ms", timedelta(seconds=2)),
        ("0s", timedelta(0)),
        ("366d", timedelta(days=366)),
        ("", None),
        ("s", None),
        ("1", None),
        ("1s ", None),
        ("١s", None),
    ],
)
def test_durations_are_read_as_qstash_writes_them(text, delay):
    assert read_delay(text) == delay
