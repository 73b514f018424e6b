"""The first page: lanes, processes, what somebody should look at. Lanes are paused and resumed here."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from psycopg import Connection
from starlette.responses import Response

from console.banners import banners_of
from console.reading import blocking, reading
from console.rendering import done, fragment, page
from console.security.access import Operator, Reader, who
from console.security.passwords import Role
from console.streaming import stream
from db.queries import lanes as lane_changes
from db.queries.console import fleet, trends
from worker.operating.actions import note

router = APIRouter(include_in_schema=False)
PAUSE = 2.0
Reason = Annotated[str, Form(max_length=500)]


async def _seen(request: Request) -> dict[str, Any]:
    seen = await request.app.state.redis.look()
    async with reading(request) as connection:
        lanes = await fleet.lanes(connection)
        failed = {one.lane: one for one in await fleet.failures(connection)}
        processes = await fleet.processes(connection)
        needs = await fleet.needs(connection)
    oldest = min(((lane.oldest, lane.lane) for lane in lanes if lane.oldest), default=None)
    return {
        "lanes": sorted(lanes, key=lambda lane: (not lane.lane.startswith(("scrape.", "search.")), lane.lane)),
        "failed": failed,
        "processes": processes,
        "workers": [one for one in processes if one.kind == "worker" and one.alive],
        "oldest": oldest,
        "running": sum(lane.running for lane in lanes),
        "waiting": sum(lane.ready + lane.waiting for lane in lanes),
        "failed_in_all": sum(one.failed for one in failed.values()),
        "banners": banners_of(lanes, processes, needs, seen),
        "most_ready": fleet.MOST_READY,
    }


@router.get("/")
async def show(request: Request, session: Reader) -> Response:
    """The page."""
    return page(request, "overview.html", **await _seen(request))


@router.get("/streams/overview")
async def follow(request: Request, session: Reader) -> Response:
    """Its pieces, as they change."""
    may_change = session.role is Role.OPERATOR
    token = request.app.state.sessions.form_token(session)

    async def look() -> Mapping[str, str]:
        seen = await _seen(request)
        told = {**seen, "may_change": may_change, "form_token": lambda: token}
        return {
            name: fragment(f"overview/{name}.html", **told) for name in ("banners", "figures", "lanes", "processes")
        }

    return stream(request, look, PAUSE)


@router.get("/overview/credits")
async def credits_of_a_day(request: Request, session: Reader) -> Response:
    """What providers cost, loaded after the page: it reads a day of the ledger."""
    async with reading(request) as connection:
        rows = await trends.credits_by_provider(connection)
    return page(request, "overview/credits.html", rows=rows)


@router.post("/lanes/{lane}/pause")
async def pause(request: Request, session: Operator, lane: str, reason: Reason = "") -> Response:
    """Let no job of a lane start."""

    def change(connection: Connection) -> bool:
        with connection.transaction():
            changed = bool(lane_changes.pause(connection, [lane], reason.strip() or f"paused by {session.name}"))
            if changed:
                note(connection, who(session), "pause", lanes=[lane], reason=reason.strip() or None)
        return changed

    changed = await _on_lane(request, lane, change)
    return done(request, "/", f"{lane} is paused; what runs goes on." if changed else f"{lane} was paused before.")


@router.post("/lanes/{lane}/resume")
async def resume(request: Request, session: Operator, lane: str) -> Response:
    """End the pause and the rest of a lane."""

    def change(connection: Connection) -> bool:
        with connection.transaction():
            changed = bool(lane_changes.resume(connection, [lane]))
            if changed:
                note(connection, who(session), "resume", lanes=[lane])
        return changed

    changed = await _on_lane(request, lane, change)
    return done(request, "/", f"{lane} goes on." if changed else f"{lane} was not held back.")


async def _on_lane(request: Request, lane: str, change: Any) -> bool:
    async with reading(request) as connection:
        if lane not in {one.lane for one in await fleet.lanes(connection)}:
            raise HTTPException(404, f"There is no lane {lane!r}. The first page lists those there are.")
    return bool(await blocking(request, change))
