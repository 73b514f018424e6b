"""What ``./run demo`` shows: a bar a job while they run, then a table and what was stored."""

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from rich import box
from rich.cells import cell_len, chop_cells
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from platforms.registry import PLATFORM_NAMES, fold_platform
from scripts.tables import console, plain

LOOK_SECONDS = 0.05
LONGEST_TEXT = 52
"""Columns of the terminal that a stored text may take."""

WIDE = 100
"""Columns in which nothing has to be folded."""

SHOWN: Final = {
    "creator": ("name", "uniqueId", "followers", "bio", "emails"),
    "video": ("description", "url"),
    "provenance": ("provider", "endpoint", "page"),
}
"""The keys of a stored creator that are shown; docs/creator_json.md has all of them."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What the application would see of one job, and what is really stored."""

    id: str
    platform: str
    kind: str
    words: str
    status: str
    progress: float
    pages: int
    creators: int
    stored: int
    duplicates: int
    first_batch: timedelta | None
    error: str | None

    @property
    def platform_name(self) -> str:
        """The platform as people write it."""
        return PLATFORM_NAMES.get(fold_platform(self.platform), self.platform)

    @property
    def what(self) -> str:
        """What the job looks for."""
        return f"{self.kind} {self.words}"


def look(connection: psycopg.Connection, jobs: list[str]) -> list[JobState]:
    """The state of these jobs, in the order they were put in."""
    with connection.cursor(row_factory=class_row(JobState)) as cursor:
        return cursor.execute(
            """
            SELECT j.id::text, j.platform,
                   CASE WHEN j.target_username IS NOT NULL THEN 'similar'
                        WHEN starts_with(j.keywords ->> 0, '#') THEN 'hashtag' ELSE 'keyword' END AS kind,
                   coalesce(j.target_username,
                            array_to_string(ARRAY(SELECT jsonb_array_elements_text(j.keywords)), ', ')) AS words,
                   j.status, j.progress::float AS progress, j.processed_runs AS pages,
                   j.processed_results AS creators, coalesce(r.stored, 0)::integer AS stored,
                   coalesce((SELECT sum(p.duplicates) FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id
                              WHERE t.job_table = 'scraping_jobs' AND t.job_id = j.id::text), 0)::integer AS duplicates,
                   r.first_at - j.created_at AS first_batch, j.error
              FROM scraping_jobs j
              LEFT JOIN LATERAL (
                   SELECT sum(jsonb_array_length(s.creators)) AS stored, min(s.created_at) AS first_at
                     FROM scraping_results s WHERE s.job_id = j.id) r ON true
             WHERE j.id = ANY (%s::uuid[])
             ORDER BY j.created_at, j.user_id
            """,
            (jobs,),
        ).fetchall()


def watch(connection: psycopg.Connection, jobs: list[str], longest_seconds: float) -> list[JobState]:
    """Show progress until every job is final. Raises `TimeoutError` when that takes too long."""
    deadline = time.monotonic() + longest_seconds
    told: dict[str, str] = {}
    with _progress() as progress:
        bars: dict[str, TaskID] = {}
        while True:
            states = look(connection, jobs)
            for state in states:
                shown: dict[str, Any] = {
                    "completed": state.progress,
                    "found": f"{state.creators:>3} creators",
                    "status": state.status,
                }
                if state.id not in bars:
                    shown |= {"platform": state.platform_name, "what": plain(state.what)}
                    bars[state.id] = progress.add_task("", total=100, **shown)
                progress.update(bars[state.id], **shown)
                if not console.is_terminal and told.get(state.id) != state.status:
                    console.print(
                        f"{state.platform_name:<9} {state.what:<32} {state.status}, {state.creators} creators",
                        markup=False,
                        soft_wrap=True,
                    )
                    told[state.id] = state.status
            if all(state.status in ("completed", "error", "timeout") for state in states):
                return states
            if time.monotonic() > deadline:
                raise TimeoutError(f"the jobs did not end within {longest_seconds:g} s")
            time.sleep(LOOK_SECONDS)


def report(connection: psycopg.Connection, states: list[JobState]) -> None:
    """The table of all jobs, every error in full, and one stored creator of each platform."""
    console.print()
    console.print(_table(states))
    console.print()
    for state in states:
        if state.error:
            console.print(f"{state.platform_name} {plain(state.what)}: {plain(state.error)}", style="red")
    console.print("One stored creator of each platform, shortened:")
    for platform in PLATFORM_NAMES.values():
        ids = [state.id for state in states if state.platform_name == platform]
        if document := _telling_creator(connection, ids):
            console.print(f"\n{platform}", style="bold")
            console.print(JSONHighlighter()(_shortened(document)), soft_wrap=True)


def _table(states: list[JobState]) -> Table:
    """Narrow enough for 80 columns, where only words are folded."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("platform", "what", "status"):
        table.add_column(name, no_wrap=name != "what", overflow="fold")
    batch = "first batch" if console.width >= WIDE else "first\nbatch"
    for name in ("pages", "creators", "duplicates", batch):
        table.add_column(name, justify="right")
    for state in states:
        first = f"{state.first_batch.total_seconds():.2f} s" if state.first_batch else "none"
        numbers = (str(state.pages), str(state.creators), str(state.duplicates), first)
        table.add_row(state.platform_name, plain(state.what), state.status, *numbers)
    return table


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.fields[platform]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[what]}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=32)),
        BarColumn(None, table_column=Column(ratio=1, min_width=8)),
        TextColumn("{task.percentage:>3.0f} %", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[found]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, min_width=len("processing"))),
        console=console,
        expand=True,
        disable=not console.is_terminal,
    )


def _telling_creator(connection: psycopg.Connection, jobs: list[str]) -> dict[str, Any] | None:
    """The first one stored that has an e-mail address; without such a one the first."""
    found = connection.execute(
        """
        SELECT one.value FROM scraping_results s, jsonb_array_elements(s.creators) WITH ORDINALITY AS one (value, place)
         WHERE s.job_id = ANY (%s::uuid[])
         ORDER BY one.value #> '{creator,emails}' = '[]', s.created_at, s.id, one.place LIMIT 1
        """,
        (jobs,),
    ).fetchone()
    return found[0] if found else None


def _shortened(document: dict[str, Any]) -> str:
    """Some keys of a creator as JSON, a line each."""
    parts = []
    for part, names in SHOWN.items():
        told = document.get(part) or {}
        lines = [f"    {json.dumps(name)}: {_cut(told[name])}" for name in names if name in told]
        parts.append(f"  {json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}"


def _cut(value: Any) -> str:
    if isinstance(value, str) and cell_len(value) > LONGEST_TEXT:
        value = f"{chop_cells(value, LONGEST_TEXT - 3)[0]}..."
    return json.dumps(value, ensure_ascii=False)
