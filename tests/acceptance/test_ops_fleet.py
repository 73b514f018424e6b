"""What an operator does to a whole fleet: lanes, limits, rests, drains, exports, and a look at all of it."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from datetime import UTC, datetime, timedelta

import pytest
import redis

from platforms.simulator.running import running_simulator
from tests.fleet import Fleet, eventually, fleet_of, let_all_go
from tests.integration.engine.steps import value
from tests.integration.operating.made import actions
from tests.jobs import background_is_final, background_job, insert_job, is_final, job, state
from worker.limits.rate_limiter import RATES

WIDTH = 100
THIN = {"enrich": "none"}
LANE = "scrape.tiktok"


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", "90", "--seed", "1") as simulator:
        yield simulator


@pytest.fixture
def simulator(running):
    running.clear_calls()
    yield running
    running.open_gate()
    running.clear_faults()


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, running, tmp_path_factory, rows):
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, running, logs, COLUMNS=str(WIDTH)) as fleet:
        eventually(lambda: value(rows, "SELECT count(*) = 2 FROM worker.workers"))
        eventually(lambda: value(rows, "SELECT count(*) = 1 FROM worker.lanes WHERE lane = 'job.export_creators'"))
        yield fleet


@pytest.fixture(autouse=True)
def _all_goes_on(rows, module_redis_url):
    """What a test held back goes on after it."""
    yield
    rows.execute("UPDATE worker.lanes SET paused = false, cooldown_until = '-infinity', max_running = 256")
    let_all_go(module_redis_url)


def walk(rows, word: str, **columns) -> str:
    return insert_job(rows, keywords=[word], search_params=THIN, **{"target_results": 1000, **columns})


def told(done: subprocess.CompletedProcess[str]) -> dict:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def fits(text: str) -> bool:
    return max(map(len, text.splitlines())) <= WIDTH


def at_the_gate(rows, simulator, word: str) -> str:
    """Id of a job in the middle of its first page."""
    simulator.set_fault("gate", match={"query": word}, times=1)
    job_id = walk(rows, word)
    simulator.wait_for_gate()
    return job_id


class TestLanesAndWorkers:
    def test_are_shown_within_the_width_and_as_json(self, fleet):
        for command in ("lanes", "workers"):
            done = fleet.ops(command)
            assert (done.returncode, done.stderr) == (0, "")
            assert fits(done.stdout)
        assert LANE in fleet.ops("lanes").stdout
        (worker,) = (one for one in json.loads(fleet.ops("workers", "--json").stdout) if one["kind"] == "worker")
        shown = fleet.ops("workers").stdout
        assert all(word in shown for word in (worker["id"], worker["host"], str(worker["pid"]), worker["release"]))
        assert (worker["slots"], worker["polling"]) == (16, False)

    def test_lose_no_letter_in_a_narrow_terminal(self, fleet, tmp_path):
        narrow = Fleet(fleet.environment["DATABASE_URL"], fleet.environment["REDIS_URL"], "", tmp_path, COLUMNS="46")
        (worker,) = (one for one in json.loads(fleet.ops("workers", "--json").stdout) if one["kind"] == "worker")
        shown = narrow.ops("workers").stdout
        assert max(map(len, shown.splitlines())) <= 46
        assert worker["id"] in shown
        ends = re.findall(r"(\S+) *$", shown, re.MULTILINE)
        assert worker["release"] in "".join(ends)


class TestPauseOfAPlatformAndOfAll:
    def test_holds_the_lanes_that_are_meant_and_no_other(self, fleet, rows):
        dry = told(fleet.ops("pause", "--platform", "TikTok", "--reason", "x", "--dry-run", "--json"))
        assert dry == {"would be paused": [LANE, "search.tiktok"], "unchanged": []}
        assert value(rows, "SELECT count(*) FROM worker.lanes WHERE paused") == 0
        done = told(fleet.ops("pause", "--platform", "TikTok", "--reason", "x", "--json"))
        assert done["paused"] == [LANE, "search.tiktok"]
        everything = told(fleet.ops("pause", "--all", "--reason", "y", "--json"))
        assert everything["unchanged"] == [LANE, "search.tiktok"]
        assert value(rows, "SELECT bool_and(paused) FROM worker.lanes")
        told(fleet.ops("resume", "--platform", "tiktok", "--json"))
        assert not value(rows, "SELECT bool_or(paused) FROM worker.lanes WHERE lane ~ 'tiktok'")
        told(fleet.ops("resume", "--all", "--json"))
        assert not value(rows, "SELECT bool_or(paused) FROM worker.lanes")
        assert [event["action"] for event in actions(rows)][-4:] == ["pause", "pause", "resume", "resume"]

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (("--platform", "mars"), "mars: no lane of such a platform"),
            ((), "which lanes?"),
            ((LANE, "--all"), "one of these alone"),
        ],
    )
    def test_named_wrongly_is_told_what_is_expected(self, fleet, arguments, word):
        done = fleet.ops("pause", *arguments, "--reason", "x")
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr


class TestResumeOfAProvider:
    def test_makes_the_jobs_that_wait_for_it_due_at_once_and_no_others(self, fleet, rows, simulator):
        # Given a job without a page and one with a page that wait an hour for the provider, and another job
        simulator.set_fault("status", status=429, headers={"Retry-After": "3600"}, match={"query": "first"})
        simulator.set_fault("status", status=429, headers={"Retry-After": "3600"}, match={"query": "later"}, after=1)
        jobs = [walk(rows, "first")]
        eventually(lambda: state(rows, jobs[0]) == "waiting")
        fleet.ops("resume", "--provider", "scrapecreators")
        simulator.set_fault("status", status=429, headers={"Retry-After": "3600"}, match={"query": "first"})
        jobs.append(walk(rows, "later"))
        eventually(lambda: [state(rows, job_id) for job_id in jobs] == ["waiting", "waiting"])
        other = rows.execute(
            "INSERT INTO background_jobs (job_type, payload, scheduled_for) VALUES ('noop', '{}', '2099-01-01')"
            " RETURNING id::text"
        ).fetchone()[0]
        eventually(lambda: state(rows, other) == "waiting")
        simulator.clear_faults()
        # When it is looked at, nothing changes
        dry = told(fleet.ops("resume", "--provider", "scrapecreators", "--dry-run", "--json"))
        assert (dry["would be resumed"], dry["jobs_due"]) == (["scrapecreators"], 2)
        assert [state(rows, job_id) for job_id in jobs] == ["waiting", "waiting"]
        # When it was mended
        done = told(fleet.ops("resume", "--provider", "scrapecreators", "--json"))
        # Then both go on
        assert (done["resumed"], done["jobs_due"]) == (["scrapecreators"], 2)
        eventually(lambda: all(is_final(rows, job_id) for job_id in jobs))
        assert {job(rows, job_id)["status"] for job_id in jobs} == {"completed"}
        assert state(rows, other) == "waiting"


class TestCooldown:
    def test_of_a_lane_keeps_jobs_from_starting_until_it_is_over(self, fleet, rows):
        assert fleet.ops("cooldown", LANE, "--for", "1h", "--dry-run").stdout == f"{LANE}  would rest for 1:00:00\n"
        assert "be gentle" not in fleet.ops("lanes").stdout
        done = fleet.ops("cooldown", LANE, "--for", "1h", "--reason", "be gentle")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(rf"{LANE}  rests until \d{{4}}-.* UTC\n", done.stdout)
        job_id = walk(rows, "rests", target_results=1)
        eventually(lambda: state(rows, job_id) == "ready")
        assert "be gentle" in fleet.ops("explain", job_id).stdout
        assert "be gentle" in fleet.ops("lanes").stdout
        # It ends by hand, and jobs go on
        assert told(fleet.ops("cooldown", LANE, "--end", "--json")) == {"ended": [LANE], "unchanged": []}
        eventually(lambda: is_final(rows, job_id))
        assert "was not resting" in fleet.ops("cooldown", LANE, "--end").stdout

    def test_of_a_provider_makes_no_call_to_it_and_a_good_call_ends_it(self, fleet, rows, simulator):
        # Given a provider that rests for an hour
        rests = told(fleet.ops("cooldown", "--provider", "scrapecreators", "--for", "1h", "--json"))
        assert datetime.fromisoformat(rests["until"]) > datetime.now(UTC) + timedelta(minutes=58)
        (paused,) = json.loads(fleet.ops("status", "--json").stdout)["breakers"]
        assert (paused["provider"], paused["reason"]) == ("scrapecreators", "operator")
        # When a job comes, it waits without a call, as far as the worker has heard of it
        job_id = eventually(lambda: _refused(rows, simulator))
        # Then it is done when the rest is ended
        simulator.clear_calls()
        told(fleet.ops("cooldown", "--provider", "scrapecreators", "--end", "--json"))
        told(fleet.ops("resume", "--provider", "scrapecreators", "--json"))
        eventually(lambda: is_final(rows, job_id))

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ((LANE,), "for how long?"),
            ((LANE, "--for", "1h", "--end"), "for how long?"),
            ((LANE, "--for", "soon"), "--for is 'soon'"),
            (("--provider", "nobody", "--for", "1h"), "no such provider"),
            ((LANE, "--provider", "apify", "--for", "1h"), "leave one out"),
            (("--provider", "apify", "--for", "1h"), "nothing rests"),
        ],
    )
    def test_named_wrongly_is_told_what_is_expected(self, fleet, arguments, word):
        done = fleet.ops("cooldown", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr


def _refused(rows, simulator) -> str | None:
    """Id of a job that the breaker kept waiting; None while processes trust what they heard before."""
    simulator.clear_calls()
    job_id = walk(rows, "rested", target_results=1)
    eventually(lambda: is_final(rows, job_id) or state(rows, job_id) == "waiting")
    return None if is_final(rows, job_id) else job_id


class TestLimits:
    def test_of_a_lane_are_shown_set_and_hold_from_the_next_claim_on(self, fleet, rows):
        dry = told(fleet.ops("limits", "set", LANE, "--max-running", "0", "--dry-run", "--json"))
        assert (dry["before"][0]["max_running"], dry["after"][0]["max_running"]) == (256, 0)
        assert value(rows, "SELECT max_running FROM worker.lanes WHERE lane = %s", LANE) == 256
        done = fleet.ops("limits", "set", LANE, "--max-running", "0", "--max-per-tenant", "5", "--ageing", "2m")
        assert (done.returncode, done.stderr) == (0, "")
        shown = told(fleet.ops("limits", "show", "--json"))
        (lane,) = (one for one in shown["lanes"] if one["lane"] == LANE)
        assert lane == {"lane": LANE, "max_running": 0, "max_per_tenant": 5, "ageing_seconds": 120}
        job_id = walk(rows, "capped", target_results=1)
        eventually(lambda: state(rows, job_id) == "ready")
        assert "is full: 0 of 0 run" in fleet.ops("explain", job_id).stdout
        assert fleet.ops("limits", "set", LANE, "--max-running", "256", "--max-per-tenant", "8").returncode == 0
        eventually(lambda: is_final(rows, job_id))
        assert fits(fleet.ops("limits", "show").stdout)
        assert [event["action"] for event in actions(rows)][-2:] == ["limits", "limits"]

    def test_of_a_provider_are_what_refusals_taught_and_can_be_corrected(
        self, fleet, rows, simulator, module_redis_url
    ):
        # Given a provider that was called
        job_id = walk(rows, "rated", target_results=1)
        eventually(lambda: is_final(rows, job_id))
        # When its rate is set
        done = told(fleet.ops("limits", "set", "--provider", "scrapecreators", "--rate", "4", "--json"))
        assert done["groups"] >= 1
        rates = told(fleet.ops("limits", "show", "--json"))["rates"]
        assert {one["rate"] for one in rates if one["provider"] == "scrapecreators"} == {4.0}
        assert fits(fleet.ops("limits", "show").stdout)
        # Then the engine goes on from there, as its own script says
        after = walk(rows, "rated too", target_results=1)
        eventually(lambda: is_final(rows, after))
        with redis.Redis.from_url(module_redis_url, decode_responses=True) as client:
            names = [name for name in client.scan_iter(f"{RATES}{{scrapecreators:*") if name.endswith("}")]
            assert {round(float(client.hget(name, "limit"))) for name in names} == {4}
            # And when it is forgotten, nothing is slowed
            told(fleet.ops("limits", "set", "--provider", "scrapecreators", "--forget", "--json"))
            assert [client.hget(name, "rate") for name in names] == [None] * len(names)

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ((LANE,), "what to set"),
            (("--max-running", "3"), "name lanes"),
            (("scrape.mars", "--max-running", "3"), "no such lane"),
            ((LANE, "--rate", "3"), "are of a provider"),
            (("--provider", "apify"), "--rate or --forget"),
            (("--provider", "apify", "--rate", "3"), "no call was made to it of late"),
            ((LANE, "--max-running", "-1"), "--max-running"),
        ],
    )
    def test_named_wrongly_are_told_what_is_expected(self, fleet, arguments, word):
        done = fleet.ops("limits", "set", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr

    def test_without_redis_are_shown_as_far_as_they_are_known(self, fleet, tmp_path):
        away = Fleet(fleet.environment["DATABASE_URL"], "redis://127.0.0.1:1/0", "", tmp_path)
        away.environment["TRAWLER_RATES"] = '{"apify": 3}'
        done = away.ops("limits", "show", "--json")
        assert done.returncode == 0
        assert "Redis did not answer" in done.stderr
        assert [(one["provider"], one["ceiling"]) for one in json.loads(done.stdout)["rates"]] == [("apify", 3)]


class TestDrain:
    def test_waits_until_running_jobs_have_ended_and_starts_no_other(self, fleet, rows, simulator):
        # Given a running job, and a lane that was paused for another reason
        running = at_the_gate(rows, simulator, "drained")
        fleet.ops("pause", "scrape.youtube", "--reason", "costs")
        # When the fleet is drained and does not come to rest in time
        late = fleet.ops("drain", "--reason", "deploy", "--timeout", "1s")
        assert (late.returncode, late.stderr) == (4, "")
        assert f"1 in {LANE} still run" in late.stdout
        # Then nothing else starts, and when the job is over all is idle
        second = walk(rows, "waits for the end", target_results=1)
        eventually(lambda: state(rows, second) == "ready")
        simulator.open_gate()
        done = told(fleet.ops("drain", "--timeout", "1m", "--json"))
        assert (done["idle"], done["running"]) == (True, {})
        assert is_final(rows, running)
        assert state(rows, second) == "ready"
        # And its end resumes what it paused, and not what was paused before
        ended = told(fleet.ops("drain", "--end", "--json"))
        assert LANE in ended["resumed"]
        assert value(rows, "SELECT array_agg(lane) FROM worker.lanes WHERE paused") == ["scrape.youtube"]
        eventually(lambda: is_final(rows, second))
        assert "no lane was drained" in fleet.ops("drain", "--end").stdout


class TestExport:
    def test_writes_the_creators_of_a_job_to_a_file(self, fleet, rows, tmp_path):
        job_id = walk(rows, "exported", target_results=7)
        eventually(lambda: is_final(rows, job_id))
        done = fleet.ops("export", job_id, "--to", str(tmp_path), "--format", "jsonl")
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: background_is_final(rows, done.stdout.strip()))
        result = background_job(rows, done.stdout.strip())["result"]
        assert result["creators"] == 7
        assert len((tmp_path / f"creators-{job_id}.jsonl").read_text().splitlines()) == 7

    @pytest.mark.parametrize(
        ("arguments", "code", "word"),
        [
            (("--to", "/x"), 2, "what is to be exported?"),
            (("0f1f2f3f-0000-4000-8000-000000000000", "--to", "x"), 2, "--to is 'x'"),
            (("0f1f2f3f-0000-4000-8000-000000000000", "--to", "/x"), 1, "there is no job"),
            (("--campaign", "spring", "--to", "/x"), 2, "--campaign is 'spring'"),
            (("lamp", "--to", "/x"), 2, "not a job id"),
        ],
    )
    def test_of_nothing_is_told_what_is_expected(self, fleet, arguments, code, word):
        done = fleet.ops("export", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert word in done.stderr


class TestTop:
    def test_shows_what_runs_with_its_progress_within_the_width(self, fleet, rows, simulator):
        running = at_the_gate(rows, simulator, "watched")
        done = fleet.ops("top", "--once")
        assert (done.returncode, done.stderr) == (0, "")
        for word in ("1 worker, ", "1 reconciler", LANE, running, "0 %", "0/1000"):
            assert word in done.stdout
        assert fits(done.stdout)
        seen = told(fleet.ops("top", "--json"))
        assert [one["job_id"] for one in seen["running"]] == [running]
        simulator.open_gate()
        eventually(lambda: is_final(rows, running))
        assert running not in fleet.ops("top", "--once").stdout

    @pytest.mark.parametrize("key", [b"q", b"xyq", b"\x03"], ids=["q", "others before", "Ctrl-C"])
    def test_at_a_terminal_it_ends_with_a_key_and_leaves_the_screen_as_it_was(self, fleet, key):
        ours, theirs = pty.openpty()
        environment = {**fleet.environment, "TERM": "xterm"}
        command = [sys.executable, "-m", "scripts.ops", "top", "--every", "30"]
        seen = b""
        with subprocess.Popen(
            command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=_own_terminal,
        ) as process:  # fmt: skip
            os.close(theirs)
            while b"1 worker, " not in seen:
                seen += os.read(ours, 4096)
            os.write(ours, key)
            with contextlib.suppress(OSError):  # a terminal that nobody writes to any more is an error to read
                while more := os.read(ours, 4096):
                    seen += more
            assert process.wait(60) == 0, seen
        os.close(ours)
        assert b"\x1b[?1049h" in seen
        assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"\x1b[?1049h")
        assert b"Traceback" not in seen


def _own_terminal() -> None:
    """In the new process: the terminal is its own, so that Ctrl-C reaches it, whoever started the tests and how."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
