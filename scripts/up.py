"""All that real use needs, supervised: ``./run up``. Ctrl-C ends it cleanly, a second one at once."""

import argparse
import os
import signal
import sys
import threading

import structlog
from sqlalchemy.exc import DBAPIError

from db.migrating import migrate
from scripts.servers import servers_for
from scripts.supervisor import Child, Supervisor
from worker.boot import check_database
from worker.console_settings import load_console_settings
from worker.errors import ConfigurationError
from worker.logging import configure_logging
from worker.redaction import redact
from worker.settings import load_settings

log = structlog.get_logger()


def main() -> int:
    """Run until told to stop; 0 after a clean stop, 2 when the configuration is wrong."""
    parser = argparse.ArgumentParser(
        prog="./run up",
        description="Starts servers (unless DATABASE_URL and REDIS_URL are set), migrates, and keeps workers, a "
        "reconciler and the console alive.",
    )
    parser.add_argument("--processes", type=int, help="worker processes (default: TRAWLER_PROCESSES)")
    parser.add_argument(
        "--console",
        action=argparse.BooleanOptionalAction,
        help="the operators' pages and the HTTP API (default: CONSOLE_WITH_UP)",
    )
    arguments = parser.parse_args()
    stopping = threading.Event()

    def on_signal(*_: object) -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()
        log.info("stopping")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        settings, console = load_settings(), load_console_settings()
        configure_logging(settings.log_level, settings.log_format)
        if not settings.scrapecreators_api_key.get_secret_value():
            log.warning("api_key_missing", variable="SCRAPECREATORS_API_KEY", consequence="every job will end as error")
        with servers_for(settings, settings.home) as servers:
            check_database(servers.database_url)
            migrate(servers.database_url)
            workers = arguments.processes or settings.processes
            children = [Child("reconciler", "scripts.reconciler")]
            children += [Child(f"worker {number}", "actors") for number in range(1, workers + 1)]
            if console.with_up if arguments.console is None else arguments.console:
                children.append(Child("console", "console"))
            environment = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
            log.info("up", workers=workers, own_postgres=not settings.database_url.get_secret_value())
            with Supervisor(children, environment) as supervisor:
                return supervisor.run(stopping)
    except (ConfigurationError, DBAPIError) as error:
        print(f"up: {redact(str(error)).strip()}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
