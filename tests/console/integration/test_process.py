"""The console's process: when it starts, when it refuses, how it ends."""

import re
import signal
import socket

import httpx
import pytest

from tests.fleet import Fleet, eventually
from tests.processes import run_to_its_end


@pytest.fixture
def deployment(database_url, redis_url, tmp_path):
    with Fleet(database_url, redis_url, "http://127.0.0.1:9", tmp_path) as fleet:
        yield fleet


def refused(fleet: Fleet, *arguments: str, **settings: str) -> tuple[int, str]:
    told = run_to_its_end("console", arguments, {**fleet.environment, **settings}, fleet.logs)
    return told.returncode, told.stderr


@pytest.mark.parametrize("host", ["::", "192.0.2.4"])
def test_beyond_loopback_it_refuses_to_start_without_a_password(deployment, host):
    code, told = refused(deployment, CONSOLE_HOST=host, CONSOLE_PORT="0")
    assert code == 2
    assert "CONSOLE_PASSWORD or an API token" in told


def test_a_wrong_setting_is_told(deployment):
    code, told = refused(deployment, CONSOLE_PASSWORD="short")
    assert code == 2
    assert "CONSOLE_PASSWORD is 5 characters long" in told


def test_a_port_that_somebody_has_is_told_and_tried_again_by_a_supervisor(deployment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, told = refused(deployment, "--port", str(taken.getsockname()[1]))
    assert code == 69
    assert "CONSOLE_PORT" in told


def test_a_database_without_our_schema_is_told(deployment, empty_database):
    code, told = refused(deployment, "--port", "0", DATABASE_URL=empty_database)
    assert code == 2
    assert "./run migrate" in told


def test_it_serves_on_a_free_port_and_ends_cleanly_while_a_page_is_followed(deployment):
    process = deployment.start("console", "--port", "0")
    url = eventually(lambda: re.search(r'"url": "(http://127\.0\.0\.1:\d+)"', deployment.log()))[1]
    with httpx.Client(base_url=url, trust_env=False) as client:
        client.get("/").raise_for_status()
        with client.stream("GET", "/streams/overview") as stream:
            assert next(stream.iter_lines()).startswith("event: ")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
