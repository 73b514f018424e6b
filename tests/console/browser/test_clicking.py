"""What an operator does in a browser, on a running fleet."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.console.scenery import BAD_WORD, mend_items
from tests.console.serving import PASSWORD, READ_PASSWORD
from tests.fleet import eventually
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators

PAGES = ("/", "/jobs", "/background", "/schedules", "/quarantine", "/providers", "/configuration")

pytestmark = [pytest.mark.slow, pytest.mark.direct("a browser and a fleet of its own")]


def progress_of(page: Page, job_id: str) -> float:
    return float(page.locator(f"tr:has(a[href='/jobs/{job_id}']) progress").get_attribute("value") or 0)


def test_the_bar_of_a_running_job_moves_without_a_reload(page, console_url, rows):
    job_id = insert_job(rows, keywords=["mid century desk"], target_results=2000)
    eventually(lambda: job(rows, job_id)["processed_runs"] >= 1)
    page.goto(f"{console_url}/jobs")
    page.evaluate("window.notReloaded = true")
    first = progress_of(page, job_id)
    eventually(lambda: progress_of(page, job_id) > first)
    second = progress_of(page, job_id)
    eventually(lambda: progress_of(page, job_id) > second)
    assert page.evaluate("window.notReloaded")
    expect(page.locator("#live")).to_have_text("live")
    # It is followed on its own page too, and cancelled there.
    page.click(f"a[href='/jobs/{job_id}']")
    pages = page.locator(".timeline li.page").count()
    eventually(lambda: page.locator(".timeline li.page").count() > pages)
    page.click("button:text-is('Cancel')")
    expect(page.locator(".told")).to_contain_text("1 job cancelled")
    eventually(lambda: is_final(rows, job_id))
    expect(page.locator(".standing .badge")).to_have_text("error")


def test_a_failed_job_is_retried_after_a_preview_and_ends_well(page, console_url, rows):
    job_id = insert_job(rows, keywords=["pottery"], target_results=10, search_params={"min_followers": "many"})
    eventually(lambda: is_final(rows, job_id))
    page.goto(f"{console_url}/jobs?status=error")
    page.check(f"input[value='{job_id}']")
    expect(page.locator("#ticked")).to_have_text("1 ticked")
    page.click("button:has-text('Retry …')")
    expect(page.locator("#preview-heading")).to_contain_text("1 would be retried")
    assert job(rows, job_id)["status"] == "error"
    rows.execute("UPDATE scraping_jobs SET search_params = NULL WHERE id = %s::uuid", (job_id,))
    page.click("button:text-is('Retry 1')")
    expect(page.locator(".told")).to_contain_text("1 job retried")
    eventually(lambda: job(rows, job_id)["status"] == "completed")
    assert_counters_are_true(rows, job_id)
    noted = rows.execute(
        "SELECT event_data ->> 'actor' FROM events WHERE event_type = 'admin_action' AND aggregate_id = 'retry'"
    ).fetchall()
    assert noted == [("console: somebody on this machine",)]


def test_a_lane_is_paused_by_keyboard_then_nothing_of_it_starts_until_it_is_resumed(page, console_url, rows, fleet):
    page.goto(console_url)
    page.check("#idle")
    page.focus("#pause-scrape\\.youtube")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.type("the balance is low")
    page.keyboard.press("Enter")
    expect(page.locator("tr:has-text('scrape.youtube')")).to_contain_text("the balance is low")
    waiting = insert_job(rows, platform="YouTube", keywords=["woodworking"], target_results=10)
    eventually(lambda: rows.execute("SELECT 1 FROM worker.tasks WHERE job_id = %s", (waiting,)).fetchone())
    page.goto(f"{console_url}/jobs")
    row = page.locator(f"tr:has(a[href='/jobs/{waiting}'])")
    expect(row).to_contain_text("lane scrape.youtube is paused")
    row.locator("button:has-text('why?')").click()
    expect(row.locator(".full")).to_contain_text("is paused: the balance is low")
    assert job(rows, waiting)["status"] == "pending"
    page.goto(console_url)
    page.click("#resume-scrape\\.youtube")
    expect(page.locator(".told")).to_contain_text("scrape.youtube goes on")
    eventually(lambda: job(rows, waiting)["status"] == "completed")


def test_quarantined_items_are_replayed_once_they_can_be_read(page, console_url, rows, simulator):
    simulator.set_fault("bad_items", match={"query": BAD_WORD})
    job_id = insert_job(
        rows, keywords=[BAD_WORD], target_results=5000, search_params={"enrich": "none", "max_api_calls": 3}
    )
    eventually(lambda: is_final(rows, job_id))
    simulator.clear_faults()
    before = len(stored_creators(rows, job_id))
    page.goto(f"{console_url}/quarantine?job={job_id}")
    page.locator("tbody a").first.click()
    expect(page.locator("pre").first).to_contain_text("aweme_info")
    page.go_back()
    page.click("button:has-text('What would a replay do?')")
    expect(page.locator(".told")).to_contain_text("unreadable")
    mend_items(rows, simulator.url)
    page.click("button:text-is('Replay')")
    expect(page.locator(".told")).to_contain_text("stored")
    expect(page.locator("tbody .badge").first).to_have_text(re.compile("stored|duplicate"))
    assert len(stored_creators(rows, job_id)) > before
    assert_counters_are_true(rows, job_id)


def test_who_does_not_know_the_password_is_refused_and_a_reader_finds_no_button(page, guarded_url):
    page.goto(f"{guarded_url}/jobs")
    assert "/login" in page.url
    page.fill("#name", "Mallory")
    page.fill("#password", "let me in")
    page.click("button:has-text('Log in')")
    expect(page.locator("[role=alert]")).to_have_text("Wrong password.")
    page.fill("#name", "Rita")
    page.fill("#password", READ_PASSWORD)
    page.click("button:has-text('Log in')")
    assert page.url == f"{guarded_url}/jobs"
    expect(page.locator(".who")).to_contain_text("read only")
    page.goto(guarded_url)
    expect(page.locator("h1")).to_have_text("Overview")
    assert page.locator("[data-pause], main form[method=post]").count() == 0
    page.click("button:has-text('Log out')")
    page.goto(guarded_url)
    assert "/login" in page.url
    page.fill("#name", "Alice")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Overview")
    expect(page.locator("[data-pause]").first).to_be_attached()


def test_a_bio_with_a_script_is_text_and_a_link_to_one_is_none(page, console_url, rows):
    job_id = insert_job(rows, status="completed", target_results=1)
    bad = "<script>window.broken = true</script><img src=x onerror='window.broken = true'>"
    creator = {
        "creator": {
            "name": bad,
            "uniqueId": "x",
            "bio": bad,
            "emails": [bad],
            "avatarUrl": "https://cdn.example/a.jpg",
        },
        "profileUrl": "javascript:window.broken = true",
        "platform": "Other",
    }
    rows.execute(
        "INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, %s)", (job_id, json.dumps([creator]))
    )
    page.goto(f"{console_url}/jobs/{job_id}")
    card = page.locator(".creator")
    expect(card.locator(".bio")).to_have_text(bad)
    assert card.locator("a, img, script").count() == 0
    assert page.evaluate("window.broken") is None


def test_the_skip_link_is_first_and_leads_to_the_content(page, console_url):
    page.goto(f"{console_url}/jobs")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_every_field_and_button_has_a_name(page, console_url, rows):
    job_id = insert_job(rows, status="error", error="x")
    for path in (
        "/",
        "/jobs",
        f"/jobs/{job_id}",
        "/background",
        "/schedules",
        "/quarantine",
        "/providers",
        "/configuration",
    ):
        page.goto(f"{console_url}{path}")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
                .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
                .map((one) => one.outerHTML)"""
        )
        assert nameless == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("main, header, nav").count() >= 3


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen(page, console_url, rows, width):
    job_id = insert_job(rows, status="error", error="a" * 300, keywords=["b" * 200], user_id="u" * 60)
    page.set_viewport_size({"width": width, "height": 800})
    paths = (
        "/",
        "/jobs",
        f"/jobs/{job_id}",
        "/background",
        "/schedules",
        "/quarantine",
        "/providers",
        "/configuration",
    )
    for path in (*paths, "/jobs/bulk?action=retry&status=error"):
        page.goto(f"{console_url}{path}")
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_colours_follow_the_system_until_somebody_chooses(page, console_url):
    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="light")
    page.goto(f"{console_url}/jobs")
    light = background()
    page.emulate_media(color_scheme="dark")
    dark = background()
    assert light != dark
    page.click("#theme")
    page.click("#theme")
    assert background() == light
    page.reload()
    assert background() == light


def test_the_charts_are_drawn_for_an_hour_and_a_day(page, console_url):
    page.goto(console_url)
    expect(page.locator("#throughput canvas")).to_be_visible()
    expect(page.locator("#errors-legend")).to_contain_text("crashes")
    page.click("[data-span=day]")
    expect(page.locator("#throughput-legend")).to_contain_text("24 hours")
