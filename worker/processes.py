"""What a process knows of itself: where it runs, which release it is, how much memory it holds."""

import contextlib
import os
import resource
import socket
import sys
from importlib.metadata import PackageNotFoundError, version

from db.queries.beating import Sign

HOST = socket.gethostname()
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def release() -> str:
    """The release that runs: ``TRAWLER_RELEASE``, which a deploy sets, else the package's version."""
    if told := os.environ.get("TRAWLER_RELEASE"):
        return told[:100]
    try:
        return version("trawler")
    except PackageNotFoundError:
        return "checkout"


def rss_mb() -> int:
    """Memory this process holds, in MB; its highest so far where the system does not tell the present one."""
    # Asked twice a slice, so it takes the shortest way.
    with contextlib.suppress(OSError):
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        try:
            return int(os.read(statm, 100).split()[1]) * PAGE_BYTES // 1_000_000
        finally:
            os.close(statm)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1_000_000 if sys.platform == "darwin" else 1_000)


def sign(owner: str, kind: str, *, slots: int = 0, in_use: int = 0, polling: bool = False) -> Sign:
    """What this process says of itself now."""
    return Sign(owner, kind, HOST, os.getpid(), slots, in_use, rss_mb(), release(), polling)
