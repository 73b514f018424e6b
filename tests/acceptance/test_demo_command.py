"""The demo: everything at once, and nothing left of it."""

import contextlib
import os
import subprocess
import sys

import psutil
import pytest

from platforms.registry import PLATFORM_NAMES
from scripts.demo import JOBS, RESULTS
from tests.fleet import LONGEST_SECONDS, ROOT, eventually, living

pytestmark = pytest.mark.direct("brings servers of its own")


class TestTheDemo:
    def test_completes_its_jobs_shows_them_and_leaves_no_process(self, tmp_path):
        # When the demo runs, with servers of its own
        environment = {**os.environ, "TRAWLER_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
        output = tmp_path / "output"
        seen: set[psutil.Process] = set()
        with output.open("wb") as file:
            demo = subprocess.Popen(
                [sys.executable, "-m", "scripts.demo"], env=environment, cwd=tmp_path, stdout=file, stderr=file
            )
            watched = psutil.Process(demo.pid)

            def over() -> bool:
                # Looking at every process of the machine is slow work, so not too often.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    demo.wait(0.3)
                with contextlib.suppress(psutil.NoSuchProcess):
                    seen.update(watched.children(recursive=True))
                return demo.poll() is not None

            eventually(over, LONGEST_SECONDS)
        # Then it tells that all went well
        text = output.read_text()
        assert demo.returncode == 0, text
        rows = [" ".join(line.split()) for line in text.splitlines()]
        for job in JOBS:
            asked = job.target or ", ".join(job.keywords)
            kind = "similar" if job.target else "hashtag" if asked.startswith("#") else "keyword"
            told = f"{PLATFORM_NAMES[job.platform.lower()]} {kind} {asked} completed"
            (row,) = (row for row in rows if row.startswith(told) and row.endswith(" s"))
            pages, creators, *_ = row.removeprefix(told).split()
            assert int(pages) >= 1
            assert int(creators) == RESULTS
        assert {(job.platform.lower(), bool(job.target)) for job in JOBS} == {
            (name, similar) for name in PLATFORM_NAMES for similar in (False, True)
        }
        # And one creator of each platform, within the width
        assert [row for row in rows if row in PLATFORM_NAMES.values()] == list(PLATFORM_NAMES.values())
        assert text.count('"uniqueId"') == len(PLATFORM_NAMES)
        assert max(map(len, text.splitlines())) <= 100
        assert "every counter equals what is stored" in text
        # And all it started is gone: workers, reconciler, simulator, servers
        assert len(seen) >= 6
        assert living(seen) == []

    def test_that_cannot_start_its_servers_says_so_and_exits_with_1(self, tmp_path):
        (tmp_path / "home").write_text("a file where the folder should be")
        done = subprocess.run(
            [sys.executable, "-m", "scripts.demo"],
            env={**os.environ, "TRAWLER_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        assert done.returncode == 1
        assert "DATABASE_URL" in done.stderr
        assert "Traceback" not in done.stderr
