"""``./run up`` keeps the console alive beside the workers."""

import re
import signal

import httpx
import pytest

from tests.fleet import Fleet, eventually

pytestmark = [pytest.mark.slow, pytest.mark.direct("its processes find each other by more than the database")]


def test_up_starts_the_console_and_ends_it(database_url, redis_url, tmp_path):
    settings = {"TRAWLER_PROCESSES": "1", "CONSOLE_PORT": "0"}
    with Fleet(database_url, redis_url, "http://127.0.0.1:9", tmp_path, **settings) as fleet:
        up = fleet.start("scripts.up")

        def ready(times: int) -> list[str] | None:
            found = re.findall(r'"url": "(http://127\.0\.0\.1:\d+)"', fleet.log())
            return found if len(found) >= times else None

        (url,) = eventually(lambda: ready(1))
        assert httpx.get(url, trust_env=False).status_code == 200
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)


def test_up_leaves_the_console_out_where_it_is_told_to(database_url, redis_url, connection, tmp_path):
    settings = {"TRAWLER_PROCESSES": "1", "CONSOLE_PORT": "0"}
    with Fleet(database_url, redis_url, "http://127.0.0.1:9", tmp_path, **settings) as fleet:
        up = fleet.start("scripts.up", "--no-console")
        eventually(lambda: connection.execute("SELECT 1 FROM worker.workers WHERE kind = 'worker'").fetchone())
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0
        assert "console_ready" not in fleet.log()
