"""Users who get mails, and what their rows say of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from actors.mail.choosing import post_of_this_process

SENDER = "Lumen <hello@mail.example.com>"


def new_user(connection: psycopg.Connection, trial: str | None = "active", **columns: Any) -> str:
    """A user whose trial began just now, as the application makes one; give the Clerk id.

    ``trial`` None leaves the row of the subscription out; ``mails`` is the row of the mails' states, made only then.
    """
    mails = columns.pop("mails", None)
    subscription = {"trial_status": trial, "subscription_status": columns.pop("subscription", "trialing")}
    days_ago = columns.pop("days_ago", 0)
    row = {"user_id": f"user_{uuid4().hex[:10]}", "email": "ada@example.org", "full_name": "Ada Lovelace", **columns}
    (key,) = connection.execute(
        f"INSERT INTO users ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))}) RETURNING id".encode(),
        list(row.values()),
    ).fetchone()
    if trial is not None:
        connection.execute(
            "INSERT INTO user_subscriptions (user_id, trial_status, subscription_status, trial_start_date,"
            " trial_end_date) VALUES (%s, %s, %s, worker.utc_now() - %s * interval '1 day',"
            " worker.utc_now() + (7 - %s) * interval '1 day')",
            (key, *subscription.values(), days_ago, days_ago),
        )
    if mails is not None:
        connection.execute(
            "INSERT INTO user_system_data (user_id, email_schedule_status) VALUES (%s, %s)", (key, json.dumps(mails))
        )
    return row["user_id"]


def mails_of(connection: psycopg.Connection, user_id: str) -> dict[str, Any]:
    """What the application reads of a user's mails; fails where there is more than one row."""
    rows = connection.execute(
        "SELECT email_schedule_status FROM user_system_data WHERE user_id = (SELECT id FROM users WHERE user_id = %s)",
        (user_id,),
    ).fetchall()
    assert len(rows) <= 1
    return rows[0][0] if rows else {}


def status_of(connection: psycopg.Connection, user_id: str, mail: str) -> str | None:
    """The state of one mail; None where nothing is said of it."""
    return mails_of(connection, user_id).get(mail, {}).get("status")


@contextmanager
def sending_by(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Iterator[None]:
    """Let this process send mails by these settings."""
    for name, value in {"MAIL_FROM": SENDER, **settings}.items():
        monkeypatch.setenv(name, value)
    post_of_this_process.cache_clear()
    yield
    post_of_this_process.cache_clear()
