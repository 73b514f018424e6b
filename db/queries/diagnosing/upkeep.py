"""What keeps vacuum from its work."""

from datetime import timedelta

from psycopg import Connection


def old_transactions(connection: Connection, older: timedelta) -> list[str]:
    """Open and prepared transactions of this database that began long ago. Statistics views."""
    rows = connection.execute(
        """
        SELECT format('pid %%s (%%s, %%s) since %%s', pid, coalesce(nullif(application_name, ''), 'unnamed'), state,
                      date_trunc('second', xact_start AT TIME ZONE 'UTC'))
          FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
           AND xact_start < clock_timestamp() - %(older)s
        UNION ALL
        SELECT format('prepared transaction %%s since %%s', gid, date_trunc('second', prepared AT TIME ZONE 'UTC'))
          FROM pg_prepared_xacts
         WHERE database = current_database() AND prepared < clock_timestamp() - %(older)s
         LIMIT 20
        """,
        {"older": older},
    ).fetchall()
    return [text for (text,) in rows]


def unseen_sessions(connection: Connection) -> int:
    """Sessions of other roles in this database that the present role may not look into. A statistics view."""
    row = connection.execute(
        """
        SELECT count(*) FROM pg_stat_activity a
         WHERE a.datname = current_database() AND a.usename <> current_user
           AND NOT pg_has_role('pg_read_all_stats', 'USAGE') AND NOT pg_has_role(a.usesysid, 'USAGE')
        """
    ).fetchone()
    return row[0] if row else 0


def idle_slots(connection: Connection) -> list[str]:
    """Replication slots that nobody reads and that keep rows or WAL. A statistics view."""
    rows = connection.execute(
        """
        SELECT slot_name FROM pg_replication_slots
         WHERE NOT active AND coalesce(xmin::text, catalog_xmin::text, restart_lsn::text) IS NOT NULL ORDER BY 1
        """
    ).fetchall()
    return [name for (name,) in rows]


def dead_rows(connection: Connection) -> tuple[int, int]:
    """Live and dead rows of ``worker.tasks`` as the statistics have them. A statistics view."""
    row = connection.execute(
        "SELECT n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'worker' AND relname = 'tasks'"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def without_autovacuum(connection: Connection) -> list[str]:
    """Where autovacuum is off: the whole server, or tables of ours and the application's. The catalog."""
    rows = connection.execute(
        """
        SELECT 'the whole server' WHERE NOT current_setting('autovacuum')::boolean
        UNION ALL
        SELECT format('%I.%I', c.relnamespace::regnamespace, c.relname) FROM pg_class c
         WHERE c.relkind = 'r' AND (c.relnamespace = 'worker'::regnamespace
               OR c.relnamespace = 'public'::regnamespace
                  AND c.relname IN ('scraping_jobs', 'scraping_results', 'background_jobs'))
           AND c.reloptions::text ~* 'autovacuum_enabled=(false|off|no|0)'
        """
    ).fetchall()
    return [name for (name,) in rows]
