"""Putting jobs in: one, or up to a thousand that are all put in or none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import Connection
from psycopg.errors import ForeignKeyViolation

from console.api.bodies import BackgroundJob, ScrapingJob
from console.api.idempotency import Put, Request, fingerprint, put_once
from console.api.judging import judged_background, judged_search
from console.api.problems import Wrong, Wrongs, invalid
from console.api.services import Services
from db.queries.api_bulk import insert_background_jobs
from db.queries.api_keys import campaigns_among
from worker.enqueueing import enqueue_scraping_jobs


def put_searches(
    services: Services, owner: str, asked: Sequence[ScrapingJob], keys: Sequence[str | None], at: str
) -> list[Put]:
    """Put searches in, all or none, in one transaction that is committed when this returns.

    ``at`` is where they stand in the body, with ``{}`` for their number. Raises `Problem` 422 that tells all that is
    wrong, and 409.
    """
    wrongs = Wrongs()
    with services.working() as connection:
        there = campaigns_among(connection, [one.campaign_id for one in asked if one.campaign_id is not None])
        judged = [
            judged_search(one, services.settings.providers, there, at.format(place), wrongs)
            for place, one in enumerate(asked)
        ]
        wrongs.refuse()
        rows = [one for one in judged if one is not None]
        with _all_or_none(connection):
            return put_once(
                connection,
                "scraping_jobs",
                owner,
                _requests("scraping_jobs", asked, keys),
                lambda places: enqueue_scraping_jobs(connection, [rows[place] for place in places]),
            )


def put_background(
    services: Services, owner: str, asked: Sequence[BackgroundJob], keys: Sequence[str | None], at: str
) -> list[Put]:
    """As `put_searches`, for background jobs."""
    wrongs = Wrongs()
    judged = [judged_background(one, services.handlers, at.format(place), wrongs) for place, one in enumerate(asked)]
    wrongs.refuse()
    rows = [one for one in judged if one is not None]
    with services.working() as connection, _all_or_none(connection):
        return put_once(
            connection,
            "background_jobs",
            owner,
            _requests("background_jobs", asked, keys),
            lambda places: insert_background_jobs(connection, [rows[place] for place in places]),
        )


def _requests(kind: str, asked: Sequence[ScrapingJob | BackgroundJob], keys: Sequence[str | None]) -> list[Request]:
    return [
        Request(key, fingerprint(kind, one.model_dump(mode="json", exclude={"idempotency_key"})))
        for one, key in zip(asked, keys, strict=True)
    ]


@contextmanager
def _all_or_none(connection: Connection) -> Iterator[None]:
    try:
        with connection.transaction():
            yield
    except ForeignKeyViolation:
        # It was there when it was looked for.
        wrong = Wrong("campaign_id names no campaign any more; expected the id of a campaign", pointer="/campaign_id")
        raise invalid([wrong]) from None
