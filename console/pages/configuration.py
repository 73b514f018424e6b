"""What may be changed while everything runs: see and set."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from psycopg import Connection
from starlette.responses import Response

from console.reading import blocking
from console.rendering import done, page
from console.security.access import Operator, Reader, who
from db.queries.configuration import StoredValue, put_value, read_values
from worker.configuration import FRESH_SECONDS
from worker.configuration_keys import KEYS, Key
from worker.operating.actions import note

router = APIRouter(include_in_schema=False)


@router.get("/configuration")
async def show(request: Request, session: Reader) -> Response:
    """Every key with its value, and where that comes from."""
    rows = {row.name: row for row in await blocking(request, read_values, list(KEYS))}
    return page(request, "configuration.html", keys=[_shown(key, rows.get(key.name)) for key in KEYS.values()])


@router.post("/configuration")
async def change(
    request: Request,
    session: Operator,
    name: Annotated[str, Form(max_length=200)],
    value: Annotated[str, Form(max_length=1000)],
) -> Response:
    """Write one row."""
    key = KEYS.get(name)
    if key is None:
        raise HTTPException(404, f"There is no configuration {name!r}.")
    try:
        text = key.kind.write(key.read(value))
    except ValueError as error:
        return done(request, "/configuration", f"{error}.", good=False)

    def write(connection: Connection) -> StoredValue:
        category, _, short = key.name.partition(".")
        with connection.transaction():
            before = read_values(connection, [key.name])
            put_value(connection, category, short, text, key.kind.name, key.meaning.replace("`", ""))
            was = before[0].value if before else None
            note(connection, who(session), "configuration_set", name=key.name, value=text, before=was)
        (row,) = read_values(connection, [key.name])
        return row

    row = await blocking(request, write)
    when = (
        f"running workers see it within {FRESH_SECONDS:.0f} s"
        if row.hot
        else "its is_hot_reloadable is 'false': workers see it when they start again"
    )
    return done(request, "/configuration", f"{key.name} is {text}; {when}.")


def _shown(key: Key[Any], row: StoredValue | None) -> dict[str, Any]:
    default = key.kind.write(key.default)
    shown = {"name": key.name, "type": key.kind.name, "value": default, "from": "default", "default": default}
    problem = None
    if row is not None:
        shown["value"] = row.value
        shown["from"] = "row"
        try:
            key.read(row.value)
        except ValueError as error:
            problem = f"{error}; each worker keeps its last good value"
    meaning, expected = key.meaning.replace("`", ""), key.expected
    return {**shown, "hot": row is None or row.hot, "problem": problem, "meaning": meaning, "expected": expected}
