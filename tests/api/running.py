"""``python -m tests.api.running PORT``: the API as a process of its own, with the environment's settings."""

import sys

import uvicorn

from tests.api.serving import make_host
from worker.boot import find_servers
from worker.logging import configure_logging
from worker.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    configure_logging(settings.log_level, "json")
    uvicorn.run(
        make_host(find_servers(settings)[0], tokens=None, settings=settings),
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=20,
    )
