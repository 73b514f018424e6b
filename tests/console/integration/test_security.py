"""Who sees and changes what, over HTTP."""

import re

import psycopg
import pytest
from fastapi.routing import APIRoute

from console.application import PAGES as PAGES_OF
from tests.console.serving import HOME, PASSWORD, READ_PASSWORD, Browser, served
from tests.jobs import insert_job

PAGES = (
    *("/", "/jobs", "/jobs?table=search_jobs", "/jobs/bulk", "/background", "/schedules", "/quarantine", "/providers"),
    *("/configuration", "/overview/credits", "/charts/data"),
)
JOB = "11111111-1111-4111-8111-111111111111"
CHANGES = (
    ("/lanes/scrape.tiktok/pause", {}),
    ("/lanes/scrape.tiktok/resume", {}),
    ("/jobs/bulk", {"action": "retry", "id": JOB}),
    (f"/jobs/{JOB}/export", {}),
    ("/schedules", {"name": "x", "cron": "* * * * *", "job_type": "noop"}),
    ("/schedules/switch", {"name": "x"}),
    ("/schedules/run", {"name": "x"}),
    ("/schedules/remove", {"name": "x"}),
    ("/quarantine/replay", {}),
    ("/providers/scrapecreators/resume", {}),
    ("/configuration", {"name": "trial.days", "value": "9"}),
)


def changes_there_are() -> set[str]:
    return {
        route.path
        for module in PAGES_OF
        for route in module.router.routes
        if isinstance(route, APIRoute) and "POST" in route.methods
    }


def test_every_change_there_is_is_tried_here():
    paths = changes_there_are()
    tried = {re.sub(r"/jobs/[0-9a-f-]{36}/", "/jobs/{job_id}/", path) for path, _ in CHANGES}
    tried = {path.replace("scrape.tiktok", "{lane}").replace("/scrapecreators/", "/{provider}/") for path in tried}
    assert paths - {"/login", "/logout"} == tried


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_a_page_without_a_login(guarded, path):
    answer = await guarded.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", ["/streams/overview", f"/streams/jobs/{JOB}", f"/streams/jobs?job={JOB}"])
async def test_nobody_follows_a_page_without_a_login(guarded, path):
    assert (await guarded.get(path)).status_code == 401


async def test_the_right_password_lets_in_and_leads_back(guarded):
    page = await guarded.get("/jobs?status=error")
    assert page.headers["location"] == "/login?next=/jobs%3Fstatus%3Derror"
    answer = await guarded.submit("/login", "/login", name="Alice", password=PASSWORD, next="/jobs?status=error")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?status=error")
    assert "Alice" in (await guarded.get("/")).text


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
async def test_a_login_leads_to_no_other_site(guarded, to):
    answer = await guarded.submit("/login", "/login", name="A", password=PASSWORD, next=to)
    assert answer.headers["location"] == "/"


async def test_a_login_begins_a_new_session(guarded):
    await guarded.get("/login")
    before = dict(guarded.cookies)
    await guarded.log_in()
    assert dict(guarded.cookies) != before


async def test_a_wrong_password_is_refused_and_too_many_are_made_to_wait(guarded):
    for _ in range(5):
        assert (await guarded.log_in("wrong")).status_code == 401
    refused = await guarded.log_in(PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert (await guarded.get("/")).status_code == 303


async def test_nobody_logs_in_without_a_name(guarded):
    assert (await guarded.log_in(name="  ")).status_code == 401


async def test_a_log_out_ends_the_session(guarded):
    await guarded.log_in()
    await guarded.submit("/logout")
    assert (await guarded.get("/")).status_code == 303


async def test_a_reader_sees_every_page_and_no_button(guarded):
    await guarded.log_in(READ_PASSWORD)
    for path in PAGES:
        page = await guarded.get(path)
        assert page.status_code == 200
        forms = re.findall(r'<form[^>]* method="post"[^>]* action="([^"]+)"', page.text)
        assert [form for form in forms if form != "/logout"] == []
        assert "data-pause" not in page.text


@pytest.mark.parametrize(("path", "fields"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_reader_changes_nothing(guarded, connection, path, fields):
    await guarded.log_in(READ_PASSWORD)
    answer = await guarded.submit(path, "/", **fields)
    assert answer.status_code == 403
    assert "logged in to read" in answer.text
    assert connection.execute("SELECT count(*) FROM events WHERE event_type = 'admin_action'").fetchone() == (0,)


@pytest.mark.parametrize(("path", "fields"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
async def test_nobody_changes_anything_without_a_login(guarded, path, fields):
    answer = await guarded.submit(path, "/login", **fields)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login"


@pytest.mark.parametrize(("path", "fields"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("token", [None, "", "abc.def"])
async def test_a_form_without_a_token_changes_nothing_with_or_without_a_password(open_console, path, fields, token):
    await open_console.get("/")
    answer = await open_console.post(path, data={**fields, **({"form_token": token} if token is not None else {})})
    assert answer.status_code == 403


async def test_the_token_of_another_session_is_none(database_url, redis_url, open_console):
    async with served(database_url, redis_url) as other:
        token = await other.token("/schedules")
    answer = await open_console.post("/configuration", data={"form_token": token, "name": "trial.days", "value": "9"})
    assert answer.status_code == 403


async def test_a_form_from_another_site_is_refused_even_with_a_token(open_console):
    token = await open_console.token("/schedules")
    data = {"form_token": token, "name": "trial.days", "value": "9"}
    for origin, code in (("https://evil.example", 403), (HOME, 303)):
        answer = await open_console.post("/configuration", data=data, headers={"Origin": origin})
        assert answer.status_code == code


async def test_without_a_password_another_name_of_the_host_is_refused(open_console):
    for path in ("/", "/static/console.css", "/charts/data"):
        answer = await open_console.get(path, headers={"Host": "rebound.example:8600"})
        assert answer.status_code == 400
        assert "CONSOLE_ALLOWED_HOSTS" in answer.text


async def test_reached_from_elsewhere_without_a_password_the_pages_are_off(database_url, redis_url):
    async with served(database_url, redis_url, host="10.0.0.4") as browser:
        for path in PAGES:
            answer = await browser.get(path)
            assert answer.status_code == 403
            assert "CONSOLE_PASSWORD" in answer.text


async def test_every_answer_has_the_headers_that_keep_a_page_ours(open_console):
    for path in (*PAGES, "/nothing", "/static/console.css"):
        headers = (await open_console.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "'unsafe-inline'" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert (await open_console.get("/jobs")).headers["cache-control"] == "no-store"
    assert "immutable" in (await open_console.get("/static/console.css")).headers["cache-control"]


async def test_over_https_the_cookie_is_for_https_alone(database_url, redis_url):
    home = "https://127.0.0.1:8600"
    async with served(database_url, redis_url, home, password=PASSWORD) as browser:
        await browser.log_in()
        cookie = next(one for one in browser.cookies.jar if one.name == "__Host-trawler_console")
        assert cookie.secure
        assert (await browser.get("/")).status_code == 200


async def test_no_page_holds_a_script_or_a_style_of_its_own(open_console, connection):
    job_id = insert_job(connection)
    for path in (*PAGES, f"/jobs/{job_id}", "/login", "/nothing"):
        page = (await open_console.get(path)).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page), path
        assert set(re.findall(r'(?:src|href)="(?:https?:)?//([^/"]+)', page)) == set(), path


async def test_what_a_row_holds_is_text(open_console: Browser, connection: psycopg.Connection):
    bad = '<script>alert("x")</script>'
    job_id = insert_job(connection, user_id=bad, keywords=[bad], status="error", error=bad, platform=bad[:40])
    for path in (
        "/jobs",
        f"/jobs/{job_id}",
        f"/jobs/{job_id}/why",
        f"/jobs?q={bad}",
        "/jobs/bulk?action=retry&status=error",
    ):
        page = (await open_console.get(path)).text
        assert "&lt;script&gt;" in page or path.endswith("/why"), path
        assert "<script>" not in page, path
