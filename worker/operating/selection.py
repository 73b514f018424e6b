"""Which jobs an operator means: ids, a filter, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

TABLES: Final = ("scraping_jobs", "background_jobs", "search_jobs")
"""The application's tables of jobs."""

SEARCH_KINDS: Final = ("keyword", "similar")
"""Kinds of searches; any other kind is the type of a background job."""

MOST: Final = 10_000
"""Jobs that one action looks at and changes at most; the oldest come first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs that are meant: all conditions hold together, and what is not given asks for nothing.

    ``status``, ``platform`` and ``user`` are words of the row. ``kind`` is ``keyword`` or ``similar``, or the type of a
    background job. ``error_like`` is found anywhere in the error, letter by letter, in any casing. ``since`` and
    ``until`` bound the row's last change, which for a job that ended is its end; they need a time zone. A search is
    named by the UUID by which the engine knows it.

    Raises `ValueError`, which says what was given and what is expected.
    """

    ids: Sequence[str] = ()
    status: str | None = None
    platform: str | None = None
    kind: str | None = None
    campaign: str | None = None
    user: str | None = None
    error_like: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    table: str | None = None

    def __post_init__(self) -> None:
        for job_id in self.ids:
            _expect_uuid("id", job_id)
        if self.campaign is not None:
            _expect_uuid("campaign", self.campaign)
        if self.table is not None and self.table not in TABLES:
            raise ValueError(f"table is {self.table!r}; expected one of {', '.join(TABLES)}")
        if self.limit is not None and not 1 <= self.limit <= MOST:
            raise ValueError(f"limit is {self.limit}; expected 1 to {MOST:,}")
        if len(self.ids) > MOST:
            raise ValueError(f"{len(self.ids):,} ids; expected {MOST:,} at most; name them in parts")
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} is {moment.isoformat()} without a time zone; expected one, e.g. UTC")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since is not before until; expected a span of time; swap them")

    @property
    def names_nothing(self) -> bool:
        """Whether neither ids nor any condition is given: all jobs would be meant."""
        given = (self.status, self.platform, self.kind, self.campaign, self.user, self.error_like, self.since)
        return not self.ids and self.until is None and all(one is None for one in given)

    @property
    def tables(self) -> list[str]:
        """The tables that may hold such jobs."""
        found = [self.table] if self.table else list(TABLES)
        if self.platform is not None or self.kind in SEARCH_KINDS:
            found = [table for table in found if table != "background_jobs"]
        elif self.kind is not None:
            found = [table for table in found if table == "background_jobs"]
        return found

    def parameters(self) -> Mapping[str, Any]:
        """As the statements of `db.queries.selecting` take it."""
        return {
            "ids": [str(UUID(job_id)) for job_id in self.ids] or None,
            "status": self.status,
            "platform": self.platform,
            "kind": self.kind,
            "campaign": self.campaign,
            "user": self.user,
            "error_like": self.error_like,
            "since": self.since,
            "until": self.until,
        }


def _expect_uuid(what: str, text: str) -> None:
    try:
        UUID(text)
    except ValueError:
        raise ValueError(f"{what} is {text[:100]!r}; expected a UUID") from None
