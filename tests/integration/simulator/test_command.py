"""The simulator as a command and as an application."""

import asyncio
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest

from platforms.simulator.app import create_app
from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import SEARCH_PATH, Settings
from tests.integration.simulator.calls import ROOT, asking, in_background, infos, search, walk
from worker.errors import ConfigurationError


async def test_a_latency_is_added_to_every_answer():
    with Simulator(Settings(latency=timedelta(milliseconds=60))) as running:
        async with asking(running.url) as http:
            assert (await search(http)).elapsed >= timedelta(milliseconds=60)


async def test_the_application_serves_without_a_port():
    # Given the application alone
    transport = httpx.ASGITransport(create_app(Settings(items_per_query=30)))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator", headers={"x-api-key": "k"}) as http:
        # Then it answers, and a dropped connection is an exception
        assert len(infos(*await walk(http))) == 30
        await http.post("/_simulator/faults", json={"path": SEARCH_PATH, "kind": "drop"})
        with pytest.raises(ConnectionResetError):
            await search(http)


async def test_the_command_serves_until_it_is_told_to_end():
    # Given the command with a held call and a hanging one
    with running_simulator("--items-per-query", "40", "--seed", "8") as running:
        async with asking(running.url) as http:
            assert tuple(dict.fromkeys(info["author"]["uid"] for info in infos(*await walk(http)))) == creators_of(
                8, "tea", 40
            )
            running.set_fault("gate", match={"query": "held"})
            async with in_background(search(http, query="held")):
                await asyncio.to_thread(running.wait_for_gate)
                # When it is told to end
                running.process.terminate()
                # Then it ends at once and cleanly
                assert await asyncio.to_thread(running.process.wait, 5) == 0


def test_ctrl_c_ends_the_command_cleanly():
    with running_simulator() as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(5) == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "platforms.simulator", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_bad_replay_folder_ends_the_command_with_the_reason(tmp_path):
    # Given a folder with a file that is not JSON
    (tmp_path / "tiktok_search_keyword.json").write_text("not json")
    # When the command is to replay it, or a folder that is not there
    bad, missing = (run("--port", "0", "--replay", str(path)) for path in (tmp_path, tmp_path / "none"))
    # Then both end with 2 and say why, without a traceback
    assert (bad.returncode, missing.returncode) == (2, 2)
    assert "tiktok_search_keyword.json is not JSON" in bad.stderr
    assert "does not exist" in missing.stderr
    assert "Traceback" not in bad.stderr + missing.stderr


def test_a_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigurationError, match="cannot be used"):
            Simulator(port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="exit 2"), running_simulator(port=taken.getsockname()[1]):
            pass


def test_help_names_every_option():
    told = run("--help").stdout
    for option in ("--port", "--replay", "--seed", "--items-per-query", "--page-bytes", "--latency-ms", "--credits"):
        assert option in told
