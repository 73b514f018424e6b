"""Progress as it happens: what a listener hears, when it ends, and that a thousand listeners cost what one does."""

import asyncio
import json
from contextlib import contextmanager

from console.api.progress import hub as hub_module
from console.api.progress import route
from console.api.progress.hub import Hub
from db.session import make_pool
from tests.fleet import eventually
from tests.integration.engine.steps import adopt
from tests.jobs import insert_background_job, insert_job
from tests.searches import ask, insert_search


@contextmanager
def listening(client, job_id):
    """The events of a job, one after the other."""
    with client.stream("GET", f"/api/v1/jobs/{job_id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines):
    event = {}
    for line in lines:
        if not line and event:
            yield event["event"], json.loads(event["data"]), event.get("id")
            event = {}
        name, _, value = line.partition(": ")
        if name:
            event[name] = value


def test_a_listener_hears_where_the_job_stands_each_change_and_the_end(client, rows):
    job_id = insert_job(rows)
    with listening(client, job_id) as heard:
        name, data, _ = next(heard)
        assert (name, data["status"], data["progress"], data["state"]) == ("progress", "pending", 0.0, None)
        adopt(rows)
        assert next(heard)[1]["state"] == "ready"
        rows.execute("UPDATE scraping_jobs SET progress = 40, processed_results = 40 WHERE id = %s", (job_id,))
        name, data, _ = next(heard)
        assert (name, data["progress"], data["results"], data["target"]) == ("progress", 40.0, 40, 100)
        rows.execute("UPDATE scraping_jobs SET status = 'completed', progress = 100 WHERE id = %s", (job_id,))
        name, data, event_id = next(heard)
        assert (name, data["status"], event_id) == ("end", "completed", "ended")
        assert list(heard) == []


def test_who_connects_again_after_the_end_is_told_that_nothing_more_comes(client, rows):
    job_id = insert_job(rows, status="completed")
    with listening(client, job_id) as heard:
        assert [name for name, *_ in heard] == ["end"]
    answer = client.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "ended"})
    assert (answer.status_code, answer.content) == (204, b"")
    # Unless it goes on
    rows.execute("UPDATE scraping_jobs SET status = 'pending' WHERE id = %s", (job_id,))
    with client.stream("GET", f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "ended"}) as answer:
        assert answer.status_code == 200


def test_jobs_of_the_other_tables_and_rows_that_go_away_are_heard_of(client, rows):
    background = insert_background_job(rows, "noop", status="failed", error="no")
    with listening(client, background) as heard:
        assert [(name, data["table"], data["progress"], data["error"]) for name, data, _ in heard] == [
            ("end", "background_jobs", None, "no")
        ]
    ask(rows, "heard-1", keywords=["lamp"])
    search = insert_search(rows, "heard-1", completed_count=10)
    with listening(client, search) as heard:
        assert next(heard)[1]["progress"] == 10.0
        rows.execute("DELETE FROM search_jobs WHERE id = 'heard-1'")
        assert [name for name, *_ in heard] == ["gone"]


def test_heartbeats_come_while_nothing_happens_and_a_reader_that_leaves_is_forgotten(api, client, rows, monkeypatch):
    monkeypatch.setattr(route, "HEARTBEAT_SECONDS", 0.1)
    with client.stream("GET", f"/api/v1/jobs/{insert_job(rows)}/events") as answer:
        lines = answer.iter_lines()
        assert eventually(lambda: next(lines).startswith(": ping"))
        assert api.app.state.api_services.hub.listening == 1
    assert eventually(lambda: api.app.state.api_services.hub.listening == 0)


def test_more_listeners_than_may_be_are_told_to_come_again(client, rows, monkeypatch):
    monkeypatch.setattr(route, "MOST_LISTENERS", 1)
    job_id = insert_job(rows)
    with listening(client, job_id) as heard:
        next(heard)
        answer = client.get(f"/api/v1/jobs/{job_id}/events")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


async def test_two_hundred_listeners_hear_of_their_jobs_by_one_connection(module_database_url, rows):
    # Given two hundred listeners of twenty jobs, and a hub with one connection
    jobs = [insert_job(rows) for _ in range(20)]
    pool = make_pool(module_database_url, "one for all", 1)
    await pool.open()
    looks = 0

    def connect():
        nonlocal looks
        looks += 1
        return pool.connection()

    hub = Hub(connect)

    async def listen(job_id):
        return [standing.status async for standing in hub.follow(job_id)]

    listeners = [asyncio.create_task(listen(job_id)) for job_id in jobs * 10]
    await until(lambda: hub.listening == 200)
    # When all their jobs end
    rows.execute("UPDATE scraping_jobs SET status = 'completed' WHERE id = ANY (%s::uuid[])", (jobs,))
    heard = await asyncio.wait_for(asyncio.gather(*listeners), 30)
    # Then each has heard it, and nobody is looked for any more
    assert {told[-1] for told in heard} == {"completed"}
    assert hub.listening == 0
    seen = looks
    assert seen < 200
    await until(lambda: hub._poller.done())
    assert looks == seen
    await hub.close()
    await pool.close()


async def test_a_database_that_is_away_for_a_while_costs_a_listener_time_and_no_more(
    module_database_url, rows, monkeypatch
):
    monkeypatch.setattr(hub_module, "AWAY_SECONDS", 0.05)
    job_id = insert_job(rows)
    pool = make_pool(module_database_url, "hub", 1)
    await pool.open()
    hub = Hub(lambda: pool.connection(timeout=1))
    following = hub.follow(job_id)
    assert (await anext(following)).status == "pending"
    # When its connections are cut while the job ends
    rows.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hub'")
    rows.execute("UPDATE scraping_jobs SET status = 'error', error = 'no' WHERE id = %s", (job_id,))
    standing = await asyncio.wait_for(anext(following), 30)
    assert (standing.status, standing.error) == ("error", "no")
    await following.aclose()
    await hub.close()
    await pool.close()


async def until(look, seconds=30):
    async with asyncio.timeout(seconds):
        while not look():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
