"""What steers a whole test run: the servers it is given, and a pooler before Postgres."""

import os
import subprocess
import sys

import pytest

from tests.fleet import ROOT

ANY_DATABASE_TEST = "tests/integration/engine/test_schema.py"
NO_SERVER = "postgresql://nobody@127.0.0.1:1/none"


def run_of_tests(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", ANY_DATABASE_TEST, *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("beside", [[], ["-n", "1"]], ids=["in one process", "side by side"])
def test_a_database_that_is_given_is_the_one_that_is_used(beside):
    # When the tests are given a server that is not there, then they fail for want of it and use no other
    done = run_of_tests("-x", *beside, DATABASE_URL=NO_SERVER)
    assert done.returncode != 0
    assert "OperationalError" in done.stdout


def test_a_pooler_that_is_not_known_is_told_before_anything_runs():
    done = run_of_tests(TEST_POOLER="another")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "TEST_POOLER is 'another'; expected 'pgbouncer'" in done.stderr
