"""The figures of the charts, as JSON."""

from collections import OrderedDict
from datetime import timedelta
from time import time
from typing import Any, Final, Literal

from fastapi import APIRouter, Request

from console.reading import reading
from console.security.access import Reader
from db.queries.console import trends
from worker.clock import monotonic

router = APIRouter(include_in_schema=False)

SPANS: Final = {
    "hour": (timedelta(hours=1), timedelta(minutes=1), 10.0),
    "day": (timedelta(days=1), timedelta(minutes=15), 60.0),
}
"""The whole span, the width of one point, and for how many seconds the figures are not added up again."""

NAMES: Final = ("completed", "failed", "timed_out", "retried", "waited", "crashed")


@router.get("/charts/data")
async def data(request: Request, session: Reader, span: Literal["hour", "day"] = "hour") -> dict[str, Any]:
    """Points of time (seconds since 1970) and a list of counts for each, without gaps."""
    kept: OrderedDict[str, tuple[float, dict[str, Any]]] = request.app.state.charts
    whole, width, fresh = SPANS[span]
    if span in kept and monotonic() - kept[span][0] < fresh:
        return kept[span][1]
    async with reading(request) as connection:
        rows = await trends.attempts_by_time(connection, whole, width)
    told = filled(rows, time(), whole, width)
    kept[span] = (monotonic(), told)
    return told


def filled(rows: list[dict[str, Any]], now: float, whole: timedelta, width: timedelta) -> dict[str, Any]:
    """The rows with a zero wherever nothing happened; the newest point is the one under way."""
    step = int(width.total_seconds())
    last = int(now) // step * step
    points = list(range(last - int(whole.total_seconds()) + step, last + step, step))
    by_time = {int(row["at"]): row for row in rows}
    return {
        "at": points,
        "width": step,
        **{name: [int(by_time[point][name]) if point in by_time else 0 for point in points] for name in NAMES},
    }
