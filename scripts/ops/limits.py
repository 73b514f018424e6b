"""Commands for the limits of lanes and providers."""

from typing import Annotated, Any

import typer

from db.queries import lanes, spending
from scripts.ops.filters import span
from scripts.ops.frame import USAGE, AsJson, DryRun, actor, answering_redis, database, fail, redis_client, warn
from scripts.ops.lanes import lanes_of
from scripts.ops.providers import known_provider
from scripts.tables import console, plain, show_json, show_table
from worker.operating.actions import note
from worker.redaction import redact
from worker.settings import load_settings

app = typer.Typer(help="Show and set the limits of lanes and providers.", no_args_is_help=True, rich_markup_mode=None)
CAPS = ["lane", "max_running", "max_per_tenant", "ageing_seconds"]


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show what may run at once, how fast providers are called, and what caps have left.

    Rates are calls a second: the ceiling that TRAWLER_RATES sets, and what refusals taught. Example: ./run ops limits
    show.
    """
    settings = load_settings()
    with database() as connection:
        caps = lanes.caps(connection)
        used = spending.used_of_caps(connection)
    rates = _rates(settings.rates)
    budgets = {provider: given.given for provider, given in settings.budgets.items()}
    told = [_line_of(one) for one in caps]
    for one in used:
        one["cap"] = budgets.get(one["provider"], {}).get(one["scope"])
    if as_json:
        show_json({"lanes": told, "rates": rates, "ceilings": settings.rates, "caps": budgets, "used": used})
        return
    show_table("Lanes", told, CAPS)
    show_table("Providers, calls a second", rates, ["provider", "account", "group", "ceiling", "rate", "held_until"])
    show_table("Credits of caps", used, ["provider", "scope", "subject", "credits", "cap"])


@app.command("set")
def set_(
    names: Annotated[list[str] | None, typer.Argument(help="Lanes, as `./run ops lanes` shows them.")] = None,
    max_running: Annotated[int | None, typer.Option(min=0, help="Tasks of the lane that run at once.")] = None,
    max_per_tenant: Annotated[int | None, typer.Option(min=0, help="Of one tenant.")] = None,
    ageing: Annotated[str | None, typer.Option(help="Wait that counts as one step of priority, e.g. 60s.")] = None,
    provider: Annotated[str | None, typer.Option(help="A provider, whose learned rate is corrected.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, max=10_000, help="Calls a second to go on from.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget the learned rate: nothing is slowed.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change the caps of lanes, from the next claim on, or what a provider's refusals taught.

    Examples: ./run ops limits set scrape.tiktok --max-running 64; ./run ops limits set --provider apify --rate 5.
    A provider's ceiling and the caps of credits are settings: TRAWLER_RATES and TRAWLER_BUDGETS.
    """
    of_lanes = (max_running, max_per_tenant, ageing)
    if provider is not None:
        if names or any(one is not None for one in of_lanes) or (rate is None) != forget:
            fail("of a provider give --rate or --forget, and nothing of lanes", USAGE)
        _set_rate(known_provider(provider), rate, dry_run, as_json)
        return
    if rate is not None or forget:
        fail("--rate and --forget are of a provider; name it with --provider", USAGE)
    if not names or all(one is None for one in of_lanes):
        fail("name lanes, and what to set: --max-running, --max-per-tenant or --ageing", USAGE)
    seconds = None if ageing is None else int(span("--ageing", ageing).total_seconds())
    with database() as connection:
        meant = lanes_of(connection, names)
        with connection.transaction(force_rollback=dry_run):
            before = [_line_of(one) for one in lanes.caps(connection) if one.lane in meant]
            lanes.set_caps(connection, meant, max_running, max_per_tenant, seconds)
            after = [_line_of(one) for one in lanes.caps(connection) if one.lane in meant]
            note(connection, actor(), "limits", before=before, after=after)
    if as_json:
        show_json({"dry_run": dry_run, "before": before, "after": after})
        return
    show_table("Would be" if dry_run else "Lanes", after, CAPS)


def _set_rate(provider: str, rate: float | None, dry_run: bool, as_json: bool) -> None:
    from worker.limits.learned import learned_rates, set_rate

    with answering_redis() as client:
        groups = sum(one.provider == provider for one in learned_rates(client)) if dry_run else 0
        groups = groups or (0 if dry_run else set_rate(client, provider, rate))
    if not groups:
        fail(f"{provider}: no call was made to it of late; a ceiling for it is a setting: TRAWLER_RATES", USAGE)
    if not dry_run:
        with database() as connection:
            note(connection, actor(), "limits", provider=provider, rate=rate, groups=groups)
    if as_json:
        show_json({"dry_run": dry_run, "provider": provider, "rate": rate, "groups": groups})
        return
    what = "forgotten" if rate is None else f"{rate:g} calls a second"
    console.print(f"{plain(provider)}  {'would be ' if dry_run else ''}{what}, in {groups} groups of calls")


def _line_of(one: lanes.LaneCaps) -> dict[str, Any]:
    return {name: getattr(one, name) for name in CAPS}


def _rates(ceilings: dict[str, float]) -> list[dict[str, Any]]:
    import redis

    from worker.limits.learned import learned_rates

    try:
        found = learned_rates(redis_client())
    except redis.RedisError as error:
        warn(f"Redis did not answer, so learned rates are not known: {redact(str(error))}")
        found = []
    rows: list[dict[str, Any]] = [
        {
            "provider": one.provider,
            "account": one.account,
            "group": one.group or "all",
            "rate": one.rate,
            "ceiling": ceilings.get(one.provider),
            "held_until": one.held_until,
        }
        for one in found
    ]
    uncalled = sorted(ceilings.keys() - {one.provider for one in found})
    nothing = dict.fromkeys(("account", "group", "rate", "held_until"))
    return rows + [{**nothing, "provider": name, "ceiling": ceilings[name]} for name in uncalled]
