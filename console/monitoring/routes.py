"""``/metrics``, ``/healthz`` and ``/readyz``."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from console.monitoring.access import allow_scrape, may_scrape
from console.monitoring.readiness import OK, checks
from console.monitoring.scraping import scrape


def make_monitoring() -> APIRouter:
    """The three routes. They read ``pool``, ``redis_url`` and ``settings`` of the application's state."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    async def metrics(request: Request, _: Annotated[None, Depends(allow_scrape)]) -> Response:
        """What Prometheus scrapes."""
        state = request.app.state
        text, kind = await scrape(state.pool, state.redis_url, state.settings, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    @router.get("/healthz")
    async def healthz() -> Response:
        """This process serves; it says nothing of others."""
        return JSONResponse({"status": OK}, headers={"Cache-Control": "no-store"})

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        """Jobs that are put in now are done: 200, or 503 with what is not so.

        Everybody gets a word for each check; what was seen, only who may read metrics.
        """
        found = await checks(request.app.state.pool, request.app.state.settings)
        ready = all(check.word == OK for check in found)
        told: dict[str, object] = {
            "status": OK if ready else "not ready",
            "checks": {check.name: check.word for check in found},
        }
        if not ready and await may_scrape(request):
            told["details"] = {check.name: check.detail for check in found if check.word != OK}
        return JSONResponse(told, 200 if ready else 503, headers={"Cache-Control": "no-store"})

    return router
