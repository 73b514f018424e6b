"""Which lanes a command is about, and how it says what became of each."""

from collections.abc import Sequence
from typing import Annotated

import psycopg
import typer

from db.queries import inspecting
from scripts.ops.frame import USAGE, fail
from scripts.tables import console, plain, show_json

Lanes = Annotated[list[str] | None, typer.Argument(help="Names of lanes, as `./run ops lanes` shows them.")]
Platform = Annotated[str | None, typer.Option(help="All lanes of this platform, in any casing.")]
All = Annotated[bool, typer.Option("--all", help="Every lane there is.")]


def lanes_of(
    connection: psycopg.Connection, names: Sequence[str] | None, platform: str | None = None, everything: bool = False
) -> list[str]:
    """The lanes that are meant, each once; ends the command when one of them is none, or nothing is named."""
    known = inspecting.lane_names(connection)
    if (bool(names) + (platform is not None) + everything) != 1:
        fail("which lanes? give names of lanes, --platform or --all, and one of these alone", USAGE)
    if everything:
        return known
    if platform is not None:
        folded = platform.strip().lower()
        found = [lane for lane in known if lane in (f"scrape.{folded}", f"search.{folded}")]
        if not found:
            fail(f"{platform}: no lane of such a platform; there are: {', '.join(known) or 'no lanes yet'}", USAGE)
        return found
    wanted = list(dict.fromkeys(names or ()))
    if unknown := [name for name in wanted if name not in known]:
        fail(f"{', '.join(unknown)}: no such lane; there are: {', '.join(known) or 'none yet'}", USAGE)
    return wanted


def tell(names: Sequence[str], changed: Sequence[str], done: str, otherwise: str, as_json: bool) -> None:
    """Say of each lane or provider whether it was changed."""
    if as_json:
        show_json({done: sorted(changed), "unchanged": sorted(set(names) - set(changed))})
        return
    for name in dict.fromkeys(names):
        console.print(f"{plain(name)}  {done if name in changed else otherwise}", soft_wrap=True)
