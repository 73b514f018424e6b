"""Which rights the statements of the product need, computed from their text.

A statement counts when it is reached: all modules above `db` are read, of `db` what they name, and what that names in
turn; then the functions of the schema ``worker`` that those statements call. Postgres asks for SELECT on what is read,
INSERT, UPDATE and DELETE on what is written, UPDATE on what is locked, and EXECUTE on what is called.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.fleet import ROOT

OF_THE_OWNER = {
    *("scripts/migrate.py", "scripts/demo.py", "scripts/demo_screen.py"),
    # The move of users from the older layout is made once; it makes a table, and writes users whom a fleet only reads.
    *("scripts/ops/user_profiles.py", "actors/user_profiles"),
}
"""Modules and packages that run as the owner of the schema."""

ANY_TABLE = {
    re.compile(r"public\.\{(?:job_table|table|kind\.name)\}"): ("scraping_jobs", "background_jobs", "search_jobs"),
    re.compile(r"public\.\{kind\.results\}"): ("scraping_results", "search_results"),
}
"""What an f-string may name in these places."""
BY_PARTS = {
    # `update_user` writes whichever table its fields are in; these are those that `complete_onboarding` changes.
    "public.users": {"SELECT", "UPDATE"},
    **{f"public.{name}": {"SELECT", "INSERT", "UPDATE"} for name in ("user_subscriptions", "user_usage")},
    "public.user_billing": {"SELECT", "INSERT", "UPDATE"},
    "public.user_system_data": {"SELECT"},
}
TABLE = r"((?:public|worker)\.\w+)\b(?!\s*\()"
NEEDS = (
    (re.compile(r"\bINSERT\s+INTO\s+((?:public|worker)\.\w+)"), {"INSERT"}),
    (re.compile(rf"\bUPDATE\s+{TABLE}"), {"SELECT", "UPDATE"}),
    (re.compile(rf"\bDELETE\s+FROM\s+{TABLE}"), {"SELECT", "DELETE"}),
    (re.compile(rf"(?:(?<!DELETE )\bFROM|\bJOIN|\bUSING|,)\s+{TABLE}"), {"SELECT"}),
)
CHANGED_ON_CONFLICT = re.compile(
    r"\bINSERT\s+INTO\s+((?:public|worker)\.\w+)(?:(?!INSERT\s+INTO).)*?DO\s+UPDATE", re.DOTALL
)
LOCKED = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|SHARE|KEY\s+SHARE)\b(?:\s+OF\s+(\w+(?:,\s*\w+)*))?")
CALLED = re.compile(r"\bworker\.(\w+)\s*\(")
FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION worker\.(\w+)(.*?)(?:^\$(?:body)?\$;|^RETURN [^;]*;)", re.MULTILINE | re.DOTALL
)


def needed() -> dict[str, set[str]]:
    """Rights by table, and ``EXECUTE`` by function as ``worker.name()``."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, rights in BY_PARTS.items():
        found[table] |= rights
    bodies = _functions()
    called: set[str] = set()
    waiting = list(_statements())
    while waiting:
        text = waiting.pop()
        for name in set(CALLED.findall(text)) & bodies.keys() - called:
            called.add(name)
            waiting.append(bodies[name])
        for table, rights in _of(text):
            found[table] |= rights
    return {**found, **{f"worker.{name}()": {"EXECUTE"} for name in called}}


def _of(text: str) -> Iterator[tuple[str, set[str]]]:
    for place, names in ANY_TABLE.items():
        if place.search(text):
            for name in names:
                yield from _of(place.sub(f"public.{name}", text))
            return
    for pattern, rights in NEEDS:
        for table in pattern.findall(text):
            yield table, rights
    for table in CHANGED_ON_CONFLICT.findall(text):
        yield table, {"SELECT", "UPDATE"}
    for lock in LOCKED.finditer(text):
        before = text[: lock.start()]
        aliases = re.findall(r"\w+", lock[1] or "")
        if not aliases:
            tables = re.findall(rf"\bFROM\s+{TABLE}", before)[-1:]
        else:
            tables = [t for alias in aliases for t in re.findall(rf"\b{TABLE}\s+(?:AS\s+)?{alias}\b", before)[-1:]]
        for table in tables:
            yield table, {"SELECT", "UPDATE"}


def _functions() -> dict[str, str]:
    bodies: dict[str, str] = {}
    for path in sorted((ROOT / "db/migrations/sql").glob("*.sql")):
        bodies |= {name: _uncommented(body) for name, body in FUNCTION.findall(path.read_text(encoding="utf-8"))}
    # A trigger's function is run by whoever writes the table, and asks nobody for a right; what a function does with
    # the rights of its owner, its caller needs none for.
    return {
        name: "" if "SECURITY DEFINER" in body else body
        for name, body in bodies.items()
        if "RETURNS trigger" not in body
    }


def _uncommented(sql: str) -> str:
    return re.sub(r"--.*", "", sql)


def _statements() -> Iterator[str]:
    definitions: dict[str, list[ast.stmt]] = defaultdict(list)
    for path in (ROOT / "db").rglob("*.py"):
        if not {"migrations", "models"} & set(path.parts):
            for statement in ast.parse(path.read_text(encoding="utf-8")).body:
                for name in _defined(statement):
                    definitions[name].append(statement)
    waiting: set[str] = set()
    for folder in ("worker", "actors", "scripts", "console"):
        for path in (ROOT / folder).rglob("*.py"):
            if not _of_the_owner(path):
                tree = ast.parse(path.read_text(encoding="utf-8"))
                waiting |= _named(tree)
                yield from _texts(tree)
    reached: set[str] = set()
    while waiting:
        reached.add(name := waiting.pop())
        for statement in definitions[name]:
            waiting |= _named(statement) - reached
            yield from _texts(statement)


def _of_the_owner(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / one) for one in OF_THE_OWNER)


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    return [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _named(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text below, f-strings with their places in braces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield _uncommented("".join(_piece(value) for value in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _uncommented(node.value)


def _piece(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    assert isinstance(value, ast.FormattedValue)
    return f"{{{ast.unparse(value.value)}}}"
