"""The command that moves the older, one-table layout of users into the five tables."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg.errors import InsufficientPrivilege

from db.queries.user_profiles.backups import restore_statement
from db.queries.user_profiles.older_table import OLDER
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, actor, database, fail, warn
from scripts.tables import console, plain, show_json, show_table
from worker.clock import utc_now
from worker.operating.actions import note

if TYPE_CHECKING:
    from actors.user_profiles.report import Adoption, Progress

SHOWN = 20
"""Skipped rows that are printed for people."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
STAGES = {"look": "looking at rows", "backup": "backup", "move": "moving", "verify": "verifying"}


def migrate_user_profiles(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    backup: Annotated[
        str | None, typer.Option(help="Name of the backup, a table of schema worker; by default with the time in it.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows of one transaction.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Move users of the older layout. Example: ./run ops migrate-user-profiles --dry-run."""
    from actors.user_profiles.adoption import adopt
    from actors.user_profiles.layout import layout_of
    from actors.user_profiles.looking import foresee

    if backup is not None and not NAME.fullmatch(backup):
        fail(f"--backup {backup}: no name; expected small letters, digits and _, at most 63, a letter first", USAGE)
    with database() as connection, _advice():
        layout = layout_of(connection)
        if layout is None:
            fail(f"there is no table {OLDER}; nothing is to be moved in this database", NOT_FOUND)
        with _progress() as progress:
            if dry_run:
                told = foresee(connection, layout, batch, progress)
            else:
                told = adopt(connection, layout, utc_now(), batch, progress, backup)
                note(connection, actor(), "migrate-user-profiles", backup=told.backup, rows=told.rows)
        restore = restore_statement(connection, told.backup) if told.backup else None
    if as_json:
        show_json({**asdict(told), "verified_good": told.good, "restore": restore})
    else:
        _tell(told, restore)
    if not told.good:
        fail(
            f"what is stored is not what worker.{told.backup} says: {'; '.join(told.differences)}; mend these rows, or "
            "set their updated_at if you changed them on purpose, then run the command again",
            NOT_FOUND,
        )


@contextmanager
def _advice() -> Iterator[None]:
    """Says what to do where something is not stored as it should be, and where the role may not do this."""
    from actors.user_profiles.verifying import Mismatch

    try:
        yield
    except Mismatch as error:
        fail(
            f"a batch was taken back, as what was stored is not what the older rows say: {error}; batches before "
            "it stay; look for a trigger that changes rows, then run the command again",
            NOT_FOUND,
        )
    except InsufficientPrivilege as error:
        fail(
            f"{error.diag.message_primary}; this command needs the role that runs the migrations, and to see all rows: "
            "name it in DATABASE_URL, then run the command again",
            USAGE,
        )


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Shows how far it is on a terminal, on standard error; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True)
    columns = (TextColumn("{task.description:16}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bars:
        tasks = {}

        def progress(stage: str, done: int, rows: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(STAGES[stage], total=None)
            bars.update(tasks[stage], completed=done, total=rows or None)

        yield progress


def _tell(told: "Adoption", restore: str | None) -> None:
    would = "would be " if told.dry_run else ""
    results = told.results
    console.print(
        f"{told.rows:,} rows: "
        + ", ".join(f"{results.get(word, 0):,} {would}{word}" for word in ("moved", "completed", "kept", "skipped"))
    )
    for name, rows in told.unknown_columns.items():
        console.print(f"column {plain(name)}: not known, not moved; {rows:,} rows have a value there", soft_wrap=True)
    if told.absent_columns:
        console.print(f"columns that are not there: {', '.join(told.absent_columns)}", soft_wrap=True)
    if told.skipped:
        show_table("Skipped", told.skipped[:SHOWN], ["row", "user_id", "reason"])
        if (more := results["skipped"] - SHOWN) > 0:
            console.print(f"and {more:,} more: {_where(told)}", soft_wrap=True)
            most_first = sorted(told.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
            console.print(f"reasons: {', '.join(f'{rows:,} {name}' for name, rows in most_first)}", soft_wrap=True)
        warn(f"{results['skipped']:,} rows {'would be' if told.dry_run else 'were'} skipped; mend them, and run again")
    if told.dry_run:
        if told.backup:
            console.print(
                f"A run was cut off: the next one goes on with its backup worker.{told.backup}, "
                "and rows that are newer need one more.",
                soft_wrap=True,
            )
        return
    if told.backup is None:
        console.print("Nothing is to be moved; no backup was made.")
        return
    console.print(
        f"verified: {sum(told.verified.values()):,} rows of five tables, {told.changed_since:,} changed since;"
        f" sha256 {told.checksums[1][:16] if told.checksums else ''}"
    )
    console.print(f"backup   worker.{told.backup}{', of a run that was cut off' if told.continued else ''}")
    console.print(f"restore  {plain(restore or '')}", soft_wrap=True)
    console.print(f"drop     DROP TABLE worker.{told.backup}")
    console.print(f"{told.seconds:.1f} s")


def _where(told: "Adoption") -> str:
    if told.dry_run or told.backup is None:
        return f"--json names {min(1_000, told.results['skipped']):,}"
    return f"rows of worker.{told.backup} with trawler_result 'skipped'"
