"""Commands for what the application's table of configurations says to the worker."""

from typing import Annotated, Any

import psycopg
import typer

from db.queries.configuration import StoredValue, put_value, read_values
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, DryRun, actor, database, fail, warn
from scripts.tables import console, plain, show_json, show_table
from worker.configuration import FRESH_SECONDS
from worker.configuration_keys import KEYS, Key
from worker.operating.actions import note

app = typer.Typer(help="Read and change configurations.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Category and key with a dot between, as `list` shows them.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show every configuration that the worker reads. Example: ./run ops config list."""
    with database() as connection:
        shown = _shown(connection, list(KEYS))
    if as_json:
        show_json(shown)
        return
    show_table("Configurations", shown, ["name", "type", "value", "from", "default"])
    _warn_of_bad(shown)


@app.command()
def get(name: Name, as_json: AsJson = False) -> None:
    """Show one configuration. Example: ./run ops config get timeouts.standard_job_timeout."""
    key = _known(name)
    with database() as connection:
        (shown,) = _shown(connection, [key.name])
    if as_json:
        show_json(shown)
    else:
        console.print(plain(f"{shown['value']}  ({shown['from']}; {key.kind.name})"), soft_wrap=True)
        _warn_of_bad([shown])


@app.command("set")
def set_(
    name: Name,
    value: Annotated[str, typer.Argument(help="The new value, e.g. 90m, 7 days, 12 or true.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write one configuration's row. Example: ./run ops config set timeouts.standard_job_timeout 90m."""
    key = _known(name)
    try:
        text = key.kind.write(key.read(value))
    except ValueError as error:
        fail(str(error), USAGE)
    category, _, short = key.name.partition(".")
    with database() as connection:
        (before,) = _shown(connection, [key.name])
        if dry_run:
            _tell_change(before, text, as_json)
            return
        with connection.transaction():
            put_value(connection, category, short, text, key.kind.name, key.meaning.replace("`", ""))
            note(connection, actor(), "config", name=key.name, value=text, before=before["value"])
        (row,) = read_values(connection, [key.name])
        (shown,) = _shown(connection, [key.name])
    if as_json:
        show_json(shown)
    else:
        console.print(plain(f"{key.name}  {text}"), soft_wrap=True)
    if row.hot:
        warn(f"running workers see it within {FRESH_SECONDS:.0f} s")
    else:
        warn("its is_hot_reloadable is 'false': workers see it when they start again")


def _tell_change(before: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        show_json({"dry_run": True, "name": before["name"], "value": before["value"], "would_be": text})
    else:
        told = f"{before['name']}  {before['value']} would be {text}; nothing was changed"
        console.print(plain(told), soft_wrap=True)


def _known(name: str) -> Key[Any]:
    if name not in KEYS:
        fail(f"there is no configuration {name!r}; expected one of: {', '.join(KEYS)}", NOT_FOUND)
    return KEYS[name]


def _shown(connection: psycopg.Connection, names: list[str]) -> list[dict[str, Any]]:
    rows = {row.name: row for row in read_values(connection, names)}
    return [_one(KEYS[name], rows.get(name)) for name in names]


def _one(key: Key[Any], row: StoredValue | None) -> dict[str, Any]:
    default = key.kind.write(key.default)
    shown = {"name": key.name, "type": key.kind.name, "value": default, "from": "default", "default": default}
    problem = None
    if row is not None:
        try:
            shown |= {"value": key.kind.write(key.read(row.value)), "from": "row"}
        except ValueError as error:
            problem = str(error)
    return {**shown, "hot": row is None or row.hot, "problem": problem, "meaning": key.meaning.replace("`", "")}


def _warn_of_bad(shown: list[dict[str, Any]]) -> None:
    for one in shown:
        if one["problem"]:
            warn(f"{one['problem']}; each worker keeps its last good value; mend it: ./run ops config set")
