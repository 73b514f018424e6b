"""Creators as a Parquet file. Needs the package pyarrow, which Trawler does not bring along."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO, Final

from actors.handlers.flattening import Cell, flat
from worker.errors import FailJob

ROWS_AT_ONCE: Final = 5_000
"""Rows of one row group; they are all that is in memory."""


def load_pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``. Raises `FailJob` where they are not installed."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise FailJob(
            "parquet_missing",
            "format is 'parquet', and the package pyarrow is not installed; expected it beside the worker; install it "
            "(it is Trawler's extra 'parquet') and restart the workers, or ask for 'csv' or 'jsonl'",
        ) from None


def write_parquet(
    lines: Iterable[bytes], columns: Sequence[str], kinds: Mapping[str, set[type]], file: BinaryIO
) -> None:
    """Write one row a creator (JSON text); a column holds one type: numbers or truth where all its values are."""
    arrow, parquet = load_pyarrow()
    schema = arrow.schema([(column, _type_of(arrow, kinds.get(column, set()))) for column in columns])
    with parquet.ParquetWriter(file, schema) as writer:
        for rows in _chunks(lines):
            arrays = [
                arrow.array([_as(row.get(field.name), arrow.types.is_string(field.type)) for row in rows], field.type)
                for field in schema
            ]
            writer.write_table(arrow.table(arrays, schema=schema))


def _type_of(arrow: Any, kinds: set[type]) -> Any:
    told = kinds - {type(None)}
    if told == {bool}:
        return arrow.bool_()
    if told == {int}:
        return arrow.int64()
    return arrow.float64() if told and told <= {int, float} else arrow.string()


def _as(cell: Cell, text: bool) -> Cell:
    return str(cell) if text and cell is not None else cell


def _chunks(lines: Iterable[bytes]) -> Iterator[list[dict[str, Cell]]]:
    every = iter(lines)
    while chunk := [flat(line) for line in islice(every, ROWS_AT_ONCE)]:
        yield chunk
