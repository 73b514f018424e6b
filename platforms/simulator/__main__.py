"""``python -m platforms.simulator``: the simulator on a loopback port, until it is told to end."""

import argparse
import signal
import sys
from datetime import timedelta
from pathlib import Path

from platforms.simulator.app import create_app
from platforms.simulator.running import READY
from platforms.simulator.serving import LoopbackServer, listening_socket, url_of
from platforms.simulator.settings import Settings
from worker.errors import ConfigurationError


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 2 when it cannot start."""
    asked = _parser().parse_args(arguments)
    settings = Settings(
        replay=asked.replay,
        seed=asked.seed,
        items_per_query=asked.items_per_query,
        page_bytes=asked.page_bytes,
        latency=timedelta(milliseconds=asked.latency_ms),
        credits=asked.credits,
        run_seconds=asked.run_ms / 1000,
        token_seconds=asked.token_seconds,
    )
    try:
        app = create_app(settings)
        bound = listening_socket(asked.port)
    except ConfigurationError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    with bound:
        server = LoopbackServer(app, lambda: _say(f"{READY}{url_of(bound)}"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        server.run([bound])
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m platforms.simulator",
        description="Loopback stand-ins for every provider. See docs/simulator.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, default = parser.add_argument, Settings()
    add("--port", type=_number, required=True, help="port on 127.0.0.1; 0 takes a free one")
    add("--replay", type=Path, metavar="DIR", help="serve the recorded answers of this folder, not the catalogue")
    add("--seed", type=int, default=default.seed, help="catalogue: the world to make up")
    add("--items-per-query", type=_number, default=default.items_per_query, help="catalogue: length of each walk")
    add("--page-bytes", choices=("small", "real"), default=default.page_bytes, help="catalogue: real pages have 2 MB")
    add("--latency-ms", type=_number, default=0, help="milliseconds added to every answer of the provider")
    add("--credits", type=_number, default=default.credits, help="credits of each ScrapeCreators key")
    add("--run-ms", type=_number, default=int(default.run_seconds * 1000), help="milliseconds an Apify run takes")
    add("--token-seconds", type=_number, default=default.token_seconds, help="life of a TikTok Research token")
    return parser


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


if __name__ == "__main__":
    sys.exit(main())
