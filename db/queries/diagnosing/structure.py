"""What the schema has, beside what this release needs: objects, columns, triggers, rights. All from the catalog."""

import re
from pathlib import Path
from typing import Final

from psycopg import Connection

from db.grants import grants, missing

MIGRATIONS = Path(__file__).parents[2] / "migrations" / "sql"
UUID, TEXT, INTEGER, NUMBER, JSON = ("uuid",), ("text", "varchar", "bpchar"), ("int4", "int8"), ("numeric",), ("jsonb",)
TIME = ("timestamp", "timestamptz")
NEEDED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "scraping_jobs": {
        "id": UUID,
        **dict.fromkeys(("user_id", "status", "platform", "region", "target_username", "error"), TEXT),
        **dict.fromkeys(("keywords", "search_params"), JSON),
        **dict.fromkeys(("processed_runs", "processed_results", "target_results", "cursor"), INTEGER),
        "progress": NUMBER,
        **dict.fromkeys(("created_at", "started_at", "completed_at", "timeout_at", "updated_at"), TIME),
    },
    "scraping_results": {"job_id": UUID, "creators": JSON, "created_at": TIME},
    "background_jobs": {
        "id": UUID,
        **dict.fromkeys(("job_type", "status", "error"), TEXT),
        **dict.fromkeys(("payload", "result"), JSON),
        **dict.fromkeys(("priority", "max_retries", "retry_count"), INTEGER),
        **dict.fromkeys(("scheduled_for", "started_at", "completed_at", "failed_at", "created_at", "updated_at"), TIME),
    },
    "search_jobs": {
        **dict.fromkeys(("id", "platform", "search_type", "status"), TEXT),
        **dict.fromkeys(("total_count", "completed_count"), INTEGER),
        **dict.fromkeys(("created_at", "updated_at", "completed_at"), TIME),
    },
    "search_results": {
        **dict.fromkeys(("job_id", "profile_id", "username", "display_name", "platform", "profile_url"), TEXT),
        **dict.fromkeys(("post_url", "post_description", "avatar_url", "is_verified", "email", "bio"), TEXT),
        "followers": INTEGER,
        "raw_data": JSON,
        "created_at": TIME,
    },
}
"""The application's columns that the engine reads or writes, and the types it can do with."""
MAY_LACK: Final = ("search_jobs", "search_results")
"""Tables that an application may do without."""

_TABLE = re.compile(r"^CREATE TABLE worker\.(\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^    (?!UNIQUE|CHECK|PRIMARY|FOREIGN|CONSTRAINT)(\w+) ", re.MULTILINE)
_ALTER = re.compile(r"^ALTER TABLE worker\.(\w+)(.*?);", re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION worker\.(\w+)", re.MULTILINE)
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+) ON worker\.", re.MULTILINE)


def expected_objects() -> set[str]:
    """What the migrations make in the schema ``worker``, read from their own text, which ships with every release."""
    found = set()
    for path in sorted(MIGRATIONS.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for table, body in _TABLE.findall(text):
            found |= {f"table {table}", *(f"column {table}.{column}" for column in _COLUMN.findall(body))}
        for table, body in _ALTER.findall(text):
            found |= {f"column {table}.{column}" for column in re.findall(r"ADD COLUMN (\w+)", body)}
            found -= {f"column {table}.{column}" for column in re.findall(r"DROP COLUMN (\w+)", body)}
        found |= {f"function {name}" for name in _FUNCTION.findall(text)}
        found |= {f"index {name}" for name in _INDEX.findall(text)}
        for kind, name in re.findall(r"^DROP (TABLE|INDEX|FUNCTION) worker\.(\w+)", text, re.MULTILINE):
            found = {o for o in found if o != f"{kind.lower()} {name}" and not o.startswith(f"column {name}.")}
    return found


def present_objects(connection: Connection) -> set[str]:
    """The same words for what the schema ``worker`` has; an index that is not valid does not count. The catalog."""
    return {
        word
        for (word,) in connection.execute(
            """
            SELECT 'table ' || c.relname FROM pg_class c
             WHERE c.relnamespace = 'worker'::regnamespace AND c.relkind IN ('r', 'p')
            UNION ALL
            SELECT format('column %s.%s', c.relname, a.attname)
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'worker'::regnamespace AND c.relkind IN ('r', 'p')
               AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT 'index ' || c.relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
             WHERE c.relnamespace = 'worker'::regnamespace AND i.indisvalid
            UNION ALL
            SELECT 'function ' || p.proname FROM pg_proc p WHERE p.pronamespace = 'worker'::regnamespace
            """
        )
    }


def column_types(connection: Connection) -> dict[str, dict[str, str]]:
    """Type of each column of the application's tables that the engine needs. The catalog."""
    found: dict[str, dict[str, str]] = {table: {} for table in NEEDED}
    for table, column, kind in connection.execute(
        """
        SELECT c.relname, a.attname, y.typname
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type y ON y.oid = a.atttypid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
           AND a.attnum > 0 AND NOT a.attisdropped
        """,
        (list(NEEDED),),
    ):
        found[table][column] = kind
    return found


def triggers(connection: Connection) -> dict[str, str]:
    """Triggers of ours on the application's tables, with how they are enabled (``O`` and ``A`` fire). The catalog."""
    rows = connection.execute(
        """
        SELECT c.relname || '.' || g.tgname, g.tgenabled::text
          FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
         WHERE c.relnamespace = 'public'::regnamespace AND g.tgname IN ('trawler_inserted', 'trawler_pending')
        """
    ).fetchall()
    return dict(rows)


def missing_rights(connection: Connection) -> list[str]:
    """What the present role may not do of ``grants.sql``; a table that is not there is passed over. The catalog."""
    return sorted(missing(connection))


def tables_with_hidden_rows(connection: Connection) -> list[str]:
    """Tables whose Row Level Security binds the present role, without a policy that shows it all rows. The catalog."""
    rows = connection.execute(
        """
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s) AND row_security_active(c.oid)
           AND NOT EXISTS (
               SELECT FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
                  AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                  AND EXISTS (SELECT FROM unnest(p.polroles) AS r (oid)
                               WHERE CASE WHEN r.oid = 0 THEN true ELSE pg_has_role(r.oid, 'USAGE') END))
         ORDER BY 1
        """,
        ([one.name.removeprefix("public.") for one in grants() if one.name.startswith("public.")],),
    ).fetchall()
    return [name for (name,) in rows]
