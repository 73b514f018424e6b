"""Which column of the older table becomes which field of the five tables, what it gets by default, what is refused."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, get_args

from actors.user_profiles.values import SHOWN, Unreadable, read
from db.queries.user_parts import PARTS

_KINDS: Final[dict[Any, str]] = {str: "text", datetime: "timestamp", int: "integer", bool: "boolean", Any: "jsonb"}
_OTHER_NAMES: Final = {"full_name": ("full_name", "name"), "business_name": ("business_name", "company_name")}
"""What the oldest tables call a field; the first of the columns that has a value is taken."""
_DEFAULTS: Final[dict[str, Any]] = {
    "onboarding_step": "pending",
    "is_admin": False,
    "current_plan": "free",
    "subscription_status": "none",
    "trial_status": "pending",
    "billing_sync_status": "pending",
    "plan_features": "{}",
    "email_schedule_status": "{}",
    "usage_campaigns_current": 0,
    "usage_creators_current_month": 0,
    "enrichments_current_month": 0,
}
"""What a field that must have a value gets, as the tables themselves would have it. Times: `_times`."""
_LOWEST: Final = {
    "plan_campaigns_limit": -1,
    "plan_creators_limit": -1,
    "usage_campaigns_current": 0,
    "usage_creators_current_month": 0,
    "enrichments_current_month": 0,
}
_NONE_WHEN_EMPTY: Final = ("stripe_customer_id", "stripe_subscription_id")
_INDEXED: Final = ("email", "stripe_customer_id", "stripe_subscription_id")
MOST_INDEXED_BYTES: Final = 2_000
"""An index takes some 2,700 bytes of one value."""

Row = dict[str, Any]


def _kind(annotation: Any) -> str:
    if isinstance(annotation, types.UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not types.NoneType)
    return _KINDS[annotation]


FIELDS: Final[dict[str, dict[str, str]]] = {
    table: {
        **{one.name: _kind(one.type) for one in fields(part) if one.name not in ("id", "user_id")},
        "created_at": "timestamp",
        "updated_at": "timestamp",
    }
    for table, part in PARTS.items()
}
"""The fields of each of the five tables with their SQL types, without the keys."""

KNOWN: Final = frozenset(
    ["user_id", *(source for own in FIELDS.values() for name in own for source in _OTHER_NAMES.get(name, (name,)))]
)
"""Columns of the older table that have a place in the five tables."""
NO_PLACE: Final = ("id",)
"""Columns that are known and go nowhere: the five tables have keys of their own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What this database allows: plans, and the most characters of a column."""

    plans: frozenset[str]
    limits: Mapping[tuple[str, str], int]


def read_parts(document: Mapping[str, Any], taken_at: datetime, rules: Rules) -> dict[str, Row]:
    """The fields of a row, by table; times are UTC without a zone. Raises `Unreadable`."""
    parts = {table: {name: _field(document, name, kind) for name, kind in own.items()} for table, own in FIELDS.items()}
    for table, own in parts.items():
        for name, value in own.items():
            if value is not None:
                _check(table, name, value, rules)
    _times(parts, taken_at)
    return parts


def _field(document: Mapping[str, Any], name: str, kind: str) -> Any:
    for source in _OTHER_NAMES.get(name, (name,)):
        raw = document.get(source)
        if raw is not None and not (raw == "" and (name in _NONE_WHEN_EMPTY or name in _OTHER_NAMES)):
            return read(source, kind, raw)
    return _DEFAULTS.get(name)


def _check(table: str, name: str, value: Any, rules: Rules) -> None:
    if isinstance(value, str):
        limit = rules.limits.get((table, name))
        if limit is not None and len(value) > limit:
            raise Unreadable(f"{name}: {len(value):,} characters; {table} takes {limit}")
        if name in _INDEXED and (size := len(value.encode())) > MOST_INDEXED_BYTES:
            raise Unreadable(f"{name}: {size:,} bytes; its index takes {MOST_INDEXED_BYTES:,}")
    if name in ("current_plan", "intended_plan") and value not in rules.plans:
        raise Unreadable(f"{name}: {value[:SHOWN]!r} is no plan of subscription_plans")
    if name in _LOWEST and value < _LOWEST[name]:
        raise Unreadable(f"{name}: {value} is below {_LOWEST[name]}")
    if name == "email_schedule_status" and not value.lstrip().startswith("{"):
        raise Unreadable(f"{name}: expected a JSON object")


def _times(parts: Mapping[str, Row], taken_at: datetime) -> None:
    signed_up = parts["user_system_data"]["signup_timestamp"]
    for own in parts.values():
        own["created_at"] = own["created_at"] or signed_up or taken_at
        own["updated_at"] = own["updated_at"] or own["created_at"]
    parts["user_system_data"]["signup_timestamp"] = signed_up or parts["users"]["created_at"]
    parts["user_usage"]["usage_reset_date"] = parts["user_usage"]["usage_reset_date"] or taken_at
