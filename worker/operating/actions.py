"""Every change by an operator is an event ``admin_action``: who did what, when, and to which jobs."""

from typing import Any
from uuid import uuid4

from psycopg import Connection

from db.queries.actions import note_action
from db.session import storable


def note(connection: Connection, actor: str, action: str, *, batch: str = "", part: int = 0, **what: Any) -> str:
    """Write the event, on the caller's connection and in its transaction; give the batch's name.

    ``actor`` says who did it and by which way, such as ``ops alice``. An action with many jobs is told in
    parts, each with a number of its own; the first makes the ``batch``.
    """
    batch = batch or str(uuid4())
    data = {"action": action, "batch": batch, "actor": storable(actor)}
    told = {name: storable(value) if isinstance(value, str) else value for name, value in what.items()}
    note_action(connection, action, f"{action}:{batch}:{part}", {**told, **data})
    return batch
