"""What the code tells: every line of a log and every event of the application's table, read from its text."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet import ROOT

PACKAGES = ("worker", "actors", "db", "platforms", "scripts", "console")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
NOT_FIELDS = {"exc_info", "stack_info"}


@dataclass
class Told:
    """The levels an event is told with, its fields, and where."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)


def log_events() -> dict[str, Told]:
    """Every event that a logger named ``log`` tells. Fails where a name is not written out."""
    found: dict[str, Told] = defaultdict(Told)
    for path, tree in _trees():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for scope, aliases in [(tree, {}), *((function, _aliases(function)) for function in functions)]:
            for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call)):
                if levels := _levels(call.func, aliases):
                    place = f"{path}:{call.lineno}"
                    name = call.args[0] if call.args else None
                    assert isinstance(name, ast.Constant), f"{place}: the name of an event is a word, written out"
                    told = found[str(name.value)]
                    told.levels |= {"error" if level == "exception" else level for level in levels}
                    told.fields |= {word.arg for word in call.keywords if word.arg} - NOT_FIELDS
                    told.places.add(place)
    return dict(found)


def event_types() -> dict[str, list[str]]:
    """Every ``event_type`` that is written, with the places that name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, tree in _trees():
        for node in ast.walk(tree):
            for name in _types_of(node):
                found[name].append(f"{path}:{node.lineno}")
    for path in sorted((ROOT / "db/migrations/sql").glob("*.sql")):
        for name in _types_in_sql(path.read_text(encoding="utf-8")):
            found[name].append(path.name)
    return dict(found)


def _types_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PLACES:
        place = _PLACES[node.func.id]
        for value in [*node.args[place : place + 1], *(w.value for w in node.keywords if w.arg == "event_type")]:
            yield from (one.value for one in _values(value) if isinstance(one, ast.Constant))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        if node.target.id in ("RECEIVED", "ADMIN_ACTION"):
            yield ast.literal_eval(node.value)
        elif node.target.id == "NAMES":
            named = ast.literal_eval(node.value)
            yield from named.values() if isinstance(named, dict) else ()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _types_in_sql(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (v.value if isinstance(v, ast.Constant) else "{" + ast.unparse(v.value) + "}" for v in node.values)
        yield from _types_in_sql("".join(parts))


_PLACES = {"NewEvent": 2, "_event": 1, "Told": 0}
"""Where calls of these say the type of an event; billing events say theirs in tables beside them."""
_IN_SQL = re.compile(r"'((?:job|plan|items|usage)_[a-z_]+)'")


def _types_in_sql(text: str) -> set[str]:
    if "worker.tell" not in text and "{sink.tell}" not in text:
        return set()
    return {name for name in _IN_SQL.findall(text) if name.endswith(("ed", "reset", "timeout"))}


def _aliases(scope: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, set[str]]:
    """Names that stand for methods of the logger: ``tell = log.warning if ... else log.info``."""
    found = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            levels = {level for part in _values(node.value) for level in _levels(part, {})}
            if levels:
                found[node.targets[0].id] = levels
    return found


def _values(node: ast.expr) -> list[ast.expr]:
    return [*_values(node.body), *_values(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _levels(node: ast.expr, aliases: dict[str, set[str]]) -> set[str]:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, set())
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "log":
        return {node.attr} & LEVELS
    return set()


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))
