"""The command that tells what provider calls cost."""

from enum import StrEnum
from typing import Annotated

import typer

from db.queries import spending
from scripts.ops.frame import AsJson, database, job_ids
from scripts.tables import show_json, show_table

By = StrEnum("By", {name.upper(): name for name in spending.SPENT_BY})  # type: ignore[misc]


def spend(
    by: Annotated[list[By] | None, typer.Option(help="Add up by this; may be given often.")] = None,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Days (UTC) to look back, today among them.")] = 30,
    provider: Annotated[str | None, typer.Option(help="This provider alone.")] = None,
    job: Annotated[str | None, typer.Option(help="This job alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show calls and credits, in each provider's own unit. Example: ./run ops spend --by day --by endpoint --days 7."""
    chosen = [str(one) for one in by] if by else ["provider", "endpoint"]
    job_id = job_ids([job])[0] if job else None
    with database() as connection:
        rows = spending.spent(connection, chosen, days, provider, job_id)
    if as_json:
        show_json(rows)
        return
    columns = [name for name in spending.SPENT_BY if name in chosen or name == "provider"]
    show_table(f"Spend of {days} day{'s' if days > 1 else ''}", rows, [*columns, "calls", "credits"])
