"""Who answers our calls: their health, their limits, their credits."""

from typing import Annotated, Any, Final

import redis
from fastapi import APIRouter, HTTPException, Query, Request
from psycopg import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actors.providers import PROVIDERS, Providers
from console.reading import blocking, reading
from console.rendering import done, page
from console.security.access import Operator, Reader, who
from db.queries.console import supply
from platforms.registry import ADAPTERS, PLATFORM_NAMES
from worker.limits.overview import let_go
from worker.operating.actions import note
from worker.redaction import redact

router = APIRouter(include_in_schema=False)
DAYS: Final = (1, 7, 30)


@router.get("/providers")
async def show(request: Request, session: Reader, days: Annotated[int, Query(ge=1, le=366)] = 7) -> Response:
    """A card each."""
    settings = request.app.state.settings
    providers = Providers(settings)
    seen = await request.app.state.redis.look()
    async with reading(request) as connection:
        endpoints = await supply.endpoints(connection)
        used = {(row["provider"], row["account"]): row["credits"] for row in await supply.used_today(connection)}
        spent = await supply.spent(connection, days)
    cards = []
    for name, reach in PROVIDERS.items():
        told = reach(settings)
        caps = settings.budgets.get(name)
        cards.append(
            {
                "name": name,
                "missing": told.missing,
                "configured": providers.configured(name),
                "account": told.account if not told.missing else None,
                "reads": _reads(name),
                "breakers": [one for one in seen.breakers if one.provider == name],
                "rates": [one for one in seen.rates if one.provider == name],
                "ceiling": settings.rates.get(name),
                "caps": caps.given if caps else {},
                "used_today": used.get((name, told.account)),
                "endpoints": [one for one in endpoints if one.provider == name],
                "spent": [row for row in spent if row["provider"] == name],
            }
        )
    cards.sort(key=lambda card: (not card["breakers"], not card["configured"]))
    return page(request, "providers.html", cards=cards, seen=seen, days=days, choices=DAYS)


@router.post("/providers/{provider}/resume")
async def resume(request: Request, session: Operator, provider: str) -> Response:
    """End the pauses and waits of a provider that was mended; learned rates stay."""
    if provider not in PROVIDERS:
        raise HTTPException(404, f"There is no provider {provider!r}.")
    view = request.app.state.redis
    try:
        ended = await run_in_threadpool(let_go, view.client(), provider)
    except (redis.RedisError, ValueError) as error:
        raise HTTPException(503, f"Redis did not answer: {redact(str(error))}. Start it and try again.") from None
    view.forget()

    def change(connection: Connection) -> None:
        note(connection, who(session), "resume_provider", provider=provider, ended=ended)

    if ended:
        await blocking(request, change)
    text = f"{provider} is called again." if ended else f"{provider} was not held back."
    return done(request, "/providers", text)


def _reads(provider: str) -> list[str]:
    """What it is asked for: platforms and kinds of searches."""
    kinds: dict[str, list[Any]] = {}
    for adapter in ADAPTERS:
        one = adapter.capability
        if one.provider == provider:
            kinds.setdefault(PLATFORM_NAMES[one.platform], []).append(str(one.kind))
    return [f"{platform}: {', '.join(sorted(set(names)))}" for platform, names in kinds.items()]
