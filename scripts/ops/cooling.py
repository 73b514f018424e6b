"""The command that lets lanes and providers rest for a while."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from db.queries import lanes
from scripts.ops.filters import span
from scripts.ops.frame import USAGE, AsJson, DryRun, actor, answering_redis, database, fail
from scripts.ops.lanes import All, Lanes, Platform, lanes_of, tell
from scripts.ops.providers import known_provider, own_account
from scripts.tables import console, plain, show_json
from worker.operating.actions import note
from worker.settings import load_settings


def cooldown(
    names: Lanes = None,
    platform: Platform = None,
    everything: All = False,
    provider: Annotated[
        str | None, typer.Option(help="A provider: no call is made to it, and its jobs go to others or wait.")
    ] = None,
    length: Annotated[str | None, typer.Option("--for", help="How long, e.g. 10m.")] = None,
    reason: Annotated[str, typer.Option(help="Why; lane and provider show it.")] = "an operator asked for it",
    end: Annotated[bool, typer.Option("--end", help="End it now instead.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let lanes, or a provider, rest for a while; they go on by themselves.

    Examples: ./run ops cooldown scrape.tiktok --for 10m; ./run ops cooldown --provider apify --for 1h;
    ./run ops cooldown scrape.tiktok --end.
    """
    if (length is None) == (not end):
        fail("for how long? give --for, e.g. --for 10m, or --end", USAGE)
    rest = None if length is None else span("--for", length)
    if provider is not None:
        if names or platform or everything:
            fail("a cooldown is of lanes or of a provider; leave one out", USAGE)
        known_provider(provider)
        if dry_run:
            _tell_trial([provider], rest, as_json)
        else:
            _of_provider(provider, rest, reason, as_json)
        return
    with database() as connection:
        meant = lanes_of(connection, names, platform, everything)
        if dry_run:
            _tell_trial(meant, rest, as_json)
            return
        with connection.transaction():
            if rest is None:
                changed = lanes.end_cooldown(connection, meant)
            else:
                changed, until = meant, lanes.cool(connection, meant, rest, reason)
            if changed:
                seconds = rest.total_seconds() if rest else 0
                note(connection, actor(), "cooldown", lanes=changed, seconds=seconds, reason=reason)
    if rest is None:
        tell(meant, changed, "ended", "was not resting", as_json)
    else:
        _tell(meant, until, as_json)


def _of_provider(provider: str, rest: timedelta | None, reason: str, as_json: bool) -> None:
    from worker.limits.overview import let_go
    from worker.limits.resting import accounts_of, let_rest

    with answering_redis() as client:
        if rest is None:
            ended = let_go(client, provider)
        else:
            own = own_account(provider)
            accounts = accounts_of(client, provider) | ({own} if own else set())
            if not accounts:
                fail(f"{provider}: no call was made to it and its credentials are not set here; nothing rests", USAGE)
            probe = timedelta(seconds=load_settings().breaker_seconds)
            until = let_rest(client, provider, accounts, rest, probe, reason)
    with database() as connection:
        note(
            connection,
            actor(),
            "cooldown",
            provider=provider,
            seconds=rest.total_seconds() if rest else 0,
            reason=reason,
        )
    if rest is None:
        tell([provider], [provider] if ended else [], "ended", "was not resting", as_json)
    else:
        _tell([provider], until, as_json)


def _tell_trial(names: list[str], rest: timedelta | None, as_json: bool) -> None:
    what = "would rest no longer" if rest is None else f"would rest for {rest}"
    if as_json:
        show_json({"dry_run": True, "would": names, "seconds": rest.total_seconds() if rest else 0})
        return
    for name in names:
        console.print(f"{plain(name)}  {what}", soft_wrap=True)


def _tell(names: list[str], until: datetime, as_json: bool) -> None:
    if as_json:
        show_json({"resting": names, "until": until})
        return
    for name in names:
        console.print(f"{plain(name)}  rests until {until:%Y-%m-%d %H:%M:%S} UTC", soft_wrap=True)
