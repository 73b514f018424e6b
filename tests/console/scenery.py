"""A deployment as an operator meets it: jobs of every kind and end, on a real fleet with a simulator."""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import psycopg

from platforms.simulator.controls import Controls
from platforms.simulator.people import creator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually
from tests.jobs import background_is_final, insert_background_job, insert_job, is_final

BAD_WORD = "ceramic mug"
SHAKY_WORD = "bike packing"
TARGET = f"@{creator(1, 31_415_926_535_897_947).handle}"
USERS = ("user_2mGq", "user_2nPx", "user_2oLw", "user_2pTz")
WORDS = (
    *(("TikTok", ["desk lamp", "studio light"]), ("TikTok", ["#sourdough"]), ("Instagram", ["trail running"])),
    *(("YouTube", ["film cameras", "35mm"]), ("TikTok", ["cold brew"]), ("Instagram", ["#latteart", "home barista"])),
    *(("YouTube", ["mechanical keyboards"]), ("TikTok", [SHAKY_WORD]), ("TikTok", ["van life"])),
    *(("Instagram", ["street food"]), ("YouTube", ["synth jam"]), ("TikTok", ["thrift flip", "#upcycling"])),
)
RUNNING = (("TikTok", "mid century desk"), ("Instagram", "ceramic glaze"), ("TikTok", "analog synth"))


@dataclass(frozen=True, slots=True)
class Scenery:
    """Ids of jobs that are worth a page of their own."""

    finished: str
    quarantined: str
    running: str


def set_up(connection: psycopg.Connection, simulator: Controls, folder: str) -> Scenery:
    """Put jobs in, wait until those that end have ended, and let others run, wait and stand behind a paused lane."""
    simulator.set_fault("bad_items", match={"query": BAD_WORD})
    simulator.set_fault("status", match={"query": SHAKY_WORD}, times=12)
    finished = [
        insert_job(
            connection, user_id=USERS[n % 4], platform=platform, keywords=words, target_results=40 + 20 * (n % 3)
        )
        for n, (platform, words) in enumerate(WORDS)
    ]
    finished.append(insert_job(connection, user_id=USERS[0], keywords=None, target_username=TARGET, target_results=60))
    quarantined = insert_job(connection, user_id=USERS[1], keywords=[BAD_WORD], target_results=200)
    failed = [
        insert_job(connection, user_id=USERS[2], platform="Pinterest", keywords=["pottery"]),
        insert_job(connection, user_id=USERS[3], keywords=["lamp"], search_params={"min_followers": "many"}),
    ]
    for job_type in ("process_events", "expire_trials", "cleanup_jobs", "reset_monthly_usage", "noop"):
        insert_background_job(connection, job_type)
    insert_background_job(connection, "send_trial_email", {"userId": USERS[0]})
    ended = [*finished, *failed, quarantined]
    eventually(lambda: all(is_final(connection, job_id) for job_id in ended), 150)
    exports = [
        insert_background_job(connection, "export_creators", {"jobId": job_id, "to": folder, "format": kind})
        for job_id, kind in zip(finished, ("csv", "jsonl", "parquet", "csv"), strict=False)
    ]
    eventually(lambda: all(background_is_final(connection, job_id) for job_id in exports), 60)
    simulator.clear_faults()
    spread_over_an_hour(connection)
    connection.execute(
        "UPDATE worker.lanes SET paused = true, paused_at = clock_timestamp() - interval '12 minutes',"
        " pause_reason = 'until the new key is in' WHERE lane = 'scrape.youtube'"
    )
    insert_background_job(connection, "noop", scheduled_for="2030-01-01")
    insert_job(connection, user_id=USERS[3], platform="YouTube", keywords=["woodworking"], target_results=100)
    running = [
        insert_job(connection, user_id=USERS[n], platform=platform, keywords=[word], target_results=(900, 300, 2500)[n])
        for n, (platform, word) in enumerate(RUNNING)
    ]
    eventually(lambda: _pages(connection, running[0]) >= 4, 60)
    return Scenery(finished[0], quarantined, running[0])


def spread_over_an_hour(connection: psycopg.Connection) -> None:
    """Move what happened to each job back by a time of its own, so that charts and lists look like those of a day."""
    connection.execute(
        """
        CREATE TEMPORARY TABLE moved AS
        SELECT id AS task_id, job_id, job_table, interval '1 minute' * (2 + (id * 7919) % 54) AS back FROM worker.tasks;
        UPDATE worker.attempts a SET started_at = started_at - m.back, ended_at = ended_at - m.back
          FROM moved m WHERE m.task_id = a.task_id;
        UPDATE worker.pages p SET written_at = written_at - m.back FROM moved m WHERE m.task_id = p.task_id;
        UPDATE worker.quarantine q SET found_at = found_at - m.back FROM moved m WHERE m.task_id = q.task_id;
        UPDATE worker.spend s SET spent_at = spent_at - m.back FROM moved m WHERE m.job_id = s.job_id;
        UPDATE worker.tasks t SET closed_at = closed_at - m.back, adopted_at = adopted_at - m.back
          FROM moved m WHERE m.task_id = t.id AND t.state = 'closed';
        UPDATE scraping_jobs j SET created_at = created_at - m.back, started_at = started_at - m.back,
               completed_at = completed_at - m.back FROM moved m WHERE m.job_id = j.id::text;
        UPDATE background_jobs b SET created_at = created_at - m.back, scheduled_for = scheduled_for - m.back,
               started_at = started_at - m.back, completed_at = completed_at - m.back, failed_at = failed_at - m.back
          FROM moved m WHERE m.job_id = b.id::text;
        DROP TABLE moved
        """
    )


def _pages(connection: psycopg.Connection, job_id: str) -> int:
    row = connection.execute("SELECT processed_runs FROM scraping_jobs WHERE id = %s::uuid", (job_id,)).fetchone()
    return row[0] if row else 0


def mend_items(connection: psycopg.Connection, url: str) -> int:
    """Put quarantined items into the shape that the parser reads, as a release with a mended parser would find them."""
    kept = connection.execute("SELECT id, raw, walk FROM worker.quarantine ORDER BY id").fetchall()
    for item_id, raw, walk_text in kept:
        walk = json.loads(walk_text)
        asked = urlencode({"query": walk["word"], "cursor": walk["cursor"], "region": "US"})
        answer = httpx.get(f"{url}{SEARCH_PATH}?{asked}", headers={"x-api-key": "test-key"}, trust_env=False)
        wanted = json.loads(raw)["aweme_info"]["aweme_id"]
        good = next(one for one in answer.json()["search_item_list"] if one["aweme_info"]["aweme_id"] == wanted)
        connection.execute("UPDATE worker.quarantine SET raw = %s WHERE id = %s", (json.dumps(good), item_id))
    return len(kept)
