"""Cancelling and retrying by the API: the same as by the command, with the same words, and noted as an action."""

import pytest

from tests.integration.engine.steps import adopt
from tests.jobs import background_job, insert_background_job, insert_job, job, task

NOBODY = "5f0c7c1e-0000-4000-8000-000000000000"


def actions(rows):
    return [
        data
        for (data,) in rows.execute(
            "SELECT event_data FROM events WHERE event_type = 'admin_action' ORDER BY timestamp"
        )
    ]


def test_a_job_that_waits_is_cancelled_at_once_and_twice_is_harmless(client, rows):
    job_id = insert_job(rows)
    adopt(rows)
    told = client.post(f"/api/v1/jobs/{job_id}/cancel", json={"reason": "over\u2028now"})
    assert (told.status_code, told.json()["outcome"]) == (200, "cancelled")
    row = job(rows, job_id)
    assert (row["status"], row["error"]) == ("error", "cancelled: over\u2028now")
    assert actions(rows)[-1]["actor"] == "api app"
    count = len(actions(rows))
    again = client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["outcome"]) == (200, "cancelled")
    assert len(actions(rows)) == count


def test_a_job_that_runs_is_asked_to_stop(client, rows):
    job_id = insert_job(rows)
    adopt(rows)
    rows.execute(
        "UPDATE worker.tasks SET state = 'leased', token = gen_random_uuid(), owner = 'w', claimed_at = now(),"
        " expires_at = now() + interval '1 hour' WHERE job_id = %s",
        (job_id,),
    )
    rows.execute("UPDATE scraping_jobs SET status = 'processing' WHERE id = %s", (job_id,))
    told = client.post(f"/api/v1/jobs/{job_id}/cancel", json={})
    assert (told.status_code, told.json()["outcome"]) == (200, "asked")
    assert task(rows, job_id)["cancel_at"] is not None
    assert client.post(f"/api/v1/jobs/{job_id}/retry").status_code == 409


@pytest.mark.parametrize("status", ["completed", "timeout"])
def test_a_job_that_has_ended_is_not_cancelled(client, rows, status):
    job_id = insert_job(rows, status=status)
    answer = client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:trawler:problem:not_cancellable")
    assert f"it is {status}" in answer.json()["detail"]


def test_a_job_that_failed_goes_on_and_one_that_did_not_does_not(client, rows):
    scraping = insert_job(rows, status="error", error="no", processed_results=30)
    background = insert_background_job(rows, "noop", status="failed", error="no")
    for job_id in (scraping, background):
        told = client.post(f"/api/v1/jobs/{job_id}/retry")
        assert (told.status_code, told.json()["outcome"]) == (200, "pending")
        answer = client.post(f"/api/v1/jobs/{job_id}/retry")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:trawler:problem:not_retryable")
    assert (job(rows, scraping)["status"], job(rows, scraping)["processed_results"]) == ("pending", 30)
    assert background_job(rows, background)["status"] == "pending"


def test_a_retry_from_the_start_drops_what_was_found(client, rows):
    job_id = insert_job(rows, status="timeout", processed_results=1)
    rows.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s, '[{}]')", (job_id,))
    assert client.post(f"/api/v1/jobs/{job_id}/retry", json={"from_start": True}).status_code == 200
    assert job(rows, job_id)["processed_results"] == 0
    assert rows.execute("SELECT count(*) FROM scraping_results WHERE job_id = %s", (job_id,)).fetchone() == (0,)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_what_is_no_job_is_told(client, action):
    answer = client.post(f"/api/v1/jobs/{NOBODY}/{action}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:trawler:problem:unknown_job")


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("cancel", {"reason": 3}, "/reason"),
        ("cancel", {"reason": "a\x00"}, "/reason"),
        ("cancel", {"reason": "x" * 501}, "/reason"),
        ("retry", {"from_start": "yes"}, "/from_start"),
        ("retry", {"from_the_start": True}, "/from_the_start"),
    ],
)
def test_a_body_that_is_not_as_expected_is_refused(client, rows, action, body, pointer):
    answer = client.post(f"/api/v1/jobs/{insert_job(rows, status='error')}/{action}", json=body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
