"""``./run bench``: measures, writes the rows, shows the medians."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import peers, small_jobs
from bench.machine import machine
from bench.results import LOCAL, keep
from db.migrating import migrate
from worker.embedded import embedded_servers
from worker.errors import ConfigurationError

JOBS = 10_000
SMOKE_JOBS = 200


def main() -> int:
    """Measure and keep the rows; 0 unless it cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="./run bench",
        description="Measures how fast small jobs are done, on servers of its own. Let the machine be idle meanwhile.",
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median is shown (default: 5)")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"small jobs a run (default: {JOBS:,})")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--peers", action="store_true", help="measure the peers that are installed, too")
    parser.add_argument("--install-peers", action="store_true", help="install them first, which asks the package index")
    parser.add_argument("--results", type=Path, default=LOCAL, help="folder of the rows (default: bench/results/local)")
    parser.add_argument("--smoke", action="store_true", help="a run of seconds, to see that the benches work")
    told = parser.parse_args()
    if told.install_peers:
        peers.install()
    jobs, runs = (SMOKE_JOBS, 1) if told.smoke else (told.jobs, told.runs)
    before = machine()
    settings = {"jobs": jobs, "runs": runs, "processes": told.processes}
    with tempfile.TemporaryDirectory(prefix="trawler-bench-") as folder:
        try:
            with embedded_servers(Path(folder, "servers")) as servers:
                migrate(servers.database_url)
                rows = list(
                    small_jobs.measure(
                        servers,
                        Path(folder),
                        jobs=jobs,
                        runs=runs,
                        processes=told.processes,
                        peers=told.peers or told.install_peers,
                    )
                )
                keep("small-jobs", before, settings, rows, told.results)
        except ConfigurationError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
