"""The console's process: ``./run console``."""

import argparse
import signal
import socket
import sys

import structlog
import uvicorn

from worker.api_settings import load_api_settings
from worker.boot import UNAVAILABLE, check_schema, exit_code, find_servers
from worker.console_settings import ConsoleSettings, exposure_misfit, load_console_settings
from worker.errors import ConfigurationError, ServerUnavailable
from worker.logging import configure_logging
from worker.settings import load_settings
from worker.tether import end_with_parent
from worker.watching import begin_watching, end_watching

log = structlog.get_logger()
STOP_SECONDS = 5
"""Pages that are open are told nothing for so long, then they are cut off; browsers connect again."""


def main() -> int:
    """Serve until told to stop; 0 after a clean stop, 2 for a wrong setting, 69 when something does not answer."""
    parser = argparse.ArgumentParser(prog="./run console", description="The operators' pages and the HTTP API.")
    parser.add_argument("--host", help="address to listen on (default: CONSOLE_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (default: CONSOLE_PORT)")
    arguments = parser.parse_args()
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        begin_watching(settings, "console")
        console = load_console_settings(**given)
        database_url, redis_url = find_servers(settings)
        check_schema(database_url)
        if misfit := exposure_misfit(console, has_api_tokens=bool(load_api_settings().tokens)):
            raise ConfigurationError(misfit)
        listener = _listen(console)
    except ConfigurationError as error:
        print(f"console: {error}", file=sys.stderr)  # noqa: T201 - logs may not be set up yet
        return exit_code(error)
    end_with_parent()

    # Imported late: a wrong setting should be told before half a second of imports.
    from console.application import make_application

    server = uvicorn.Server(
        uvicorn.Config(
            make_application(settings, database_url, redis_url, console),
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=bool(console.trusted_proxies),
            forwarded_allow_ips=console.trusted_proxies or [],
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    log.info("console_ready", url=f"http://{shown}:{port}", secured=console.secured)

    # The server hands the signal on when it has ended; ours is told by then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    server.run(sockets=[listener])
    end_watching()
    return 0 if server.started else UNAVAILABLE


def _listen(settings: ConsoleSettings) -> socket.socket:
    """A socket that listens. Raises `ServerUnavailable` when the address or port cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise ServerUnavailable(
            f"CONSOLE_HOST and CONSOLE_PORT are {settings.host} and {settings.port}, which cannot be listened on: "
            f"{error}; expected an address of this machine and a port that nobody has; change one of them"
        ) from None
    listener.set_inheritable(False)
    return listener


if __name__ == "__main__":
    sys.exit(main())
