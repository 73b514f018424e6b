"""`./run bench` as somebody uses it, in seconds: that it measures, not how fast."""

import json

import pytest

from tests.processes import run_to_its_end
from worker.settings import ROOT


@pytest.mark.slow
def test_small_jobs_are_measured_and_every_row_kept(tmp_path):
    told = run_to_its_end("bench", ["--smoke", "--results", str(tmp_path)], {"PYTHONPATH": str(ROOT)}, ROOT)
    assert told.returncode == 0, told.stderr
    assert "jobs per second" in told.stdout
    (file,) = tmp_path.glob("*-small-jobs.json")
    kept = json.loads(file.read_text())
    assert kept["settings"]["runs"] == 1
    assert {"cores", "python", "commit", "processor"} <= kept["machine"].keys()
    (row,) = kept["rows"]
    assert row["who"] == "trawler"
    assert row["jobs_per_second"] > 0
    assert row["client_us"] > 0
