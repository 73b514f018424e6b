"""Reads what a run left: ``GET /v2/datasets/{id}/items``, a bare list by offset and limit.

One entry is one profile that was asked for; the accounts related to it, up to 80, are our results. An account that does
not exist is an entry with ``error`` in a run that succeeded.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from platforms.apify.client import FAILURES
from platforms.apify.endpoint import Endpoint
from platforms.apify.places import Reading, read, write
from platforms.contract import Query
from platforms.normalise.instagram_hit import moment
from platforms.normalise.instagram_similar import Related, related_item, without_target
from platforms.normalise.numbers import count
from platforms.outcome import Judgement, Outcome
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import Listing, ListReader, refuse_if_nothing_is_readable
from worker.clock import utc_now

LIMIT: Final = 10
"""Entries a page. The offset moves by this and not by what came, as entries can be left out of a page."""

LAG: Final = timedelta(seconds=15)
"""How long after a run its dataset may still seem empty."""

PAUSE: Final = timedelta(seconds=3)
NO_RELATED: Final = "no_related"


class Entry(msgspec.Struct, rename="camel", kw_only=True):
    """A profile that was asked for, or why there is none."""

    id: str | int | None = None
    private: Any = None
    error: Any = None
    error_description: Any = None


class TypedEntry(Entry, rename="camel", kw_only=True):
    """An entry with every related account readable."""

    related_profiles: list[Related] | None = None


class RawEntry(Entry, rename="camel", kw_only=True):
    """An entry whose related accounts are read one by one."""

    related_profiles: list[msgspec.Raw] | None = None


def _related(entries: Any) -> list[Any]:
    return [one for entry in entries for one in entry.related_profiles or ()]


_READER: Final[ListReader[Any, Any, Related]] = ListReader(
    list[TypedEntry], list[RawEntry], _related, _related, Related, related_item
)


class DatasetItems(Endpoint):
    """The source."""

    endpoint = "datasets/items"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page."""
        place = read(Reading, walk.cursor)
        return Request(
            f"/v2/datasets/{place.dataset}/items",
            {"format": "json", "offset": str(place.offset), "limit": str(LIMIT)},
        )

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """Every related account but the target itself.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``all_items_unreadable``.
        """
        listing, place = _READER.read(response.body), read(Reading, walk.cursor)
        entries: list[Entry] = listing.answer
        if not entries and place.offset == 0 and _just_ended(place, response):
            return Page(not_ready=PAUSE)
        if (refused := _refusal(entries, walk.word)) is not None:
            return Page(judgement=refused)
        refuse_if_nothing_is_readable(listing)
        return _page(listing, place, response, walk.word)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One account set aside earlier; None for the target. Raises `ShapeError` when it still cannot be read."""
        return next(iter(without_target([_READER.reread(raw)], walk.word)), None)


def _page(listing: Listing[Any], place: Reading, response: Response, target: str) -> Page:
    entries: list[Entry] = listing.answer
    told = listing.items or []
    ids = {str(entry.id) for entry in entries}
    kept = [item for item in without_target(told, target) if item.creator_id not in ids]
    found = place.found + len(kept)
    total = count(response.headers.get("x-apify-pagination-total"))
    full = len(entries) >= LIMIT if total is None else place.offset + len(entries) < total
    ended = not entries or not full
    if ended and found == 0 and place.status in FAILURES:
        said = f"run {place.run} ended as {place.status} and left no result"
        return Page(judgement=Judgement(Outcome.FAIL_OVER, FAILURES[place.status], said))
    following = msgspec.structs.replace(place, offset=place.offset + LIMIT, found=found)
    return Page(
        tuple(kept),
        tuple(listing.unreadable),
        None if ended else write(following),
        ended,
        end_reason=FAILURES.get(place.status) or (NO_RELATED if entries and found == 0 else "exhausted"),
        dropped=len(told) - len(kept),
        run_id=place.run,
    )


def _refusal(entries: list[Entry], target: str) -> Judgement | None:
    """Why there is no profile of the target; None where there is one, and for no entry at all."""
    if not entries:
        return None
    if all(entry.error for entry in entries):
        error = f"{entries[0].error}: {entries[0].error_description or ''}".strip(": ")[:300]
        folded = error.casefold().replace("_", " ")
        if "not found" in folded or "not exist" in folded:
            said = f"no Instagram account has the name in target_username, {target} ({error})"
            return Judgement(Outcome.STOP_JOB, "target_not_found", said)
        return Judgement(Outcome.FAIL_OVER, "actor_error", f"the run could not read {target} ({error})")
    if all(entry.private is True or entry.error for entry in entries):
        said = "target_username is a private account, and only public ones have related accounts to read"
        return Judgement(Outcome.STOP_JOB, "target_private", said)
    return None


def _just_ended(place: Reading, response: Response) -> bool:
    """Whether the run ended within `LAG` of this answer, by Apify's own clock where the answer tells it."""
    ended = moment(place.finished_at)
    if ended is None:
        return False
    try:
        now: datetime = parsedate_to_datetime(response.headers.get("date", ""))
        now = now.replace(tzinfo=UTC) if now.tzinfo is None else now
    except (ValueError, TypeError):
        now = utc_now()
    return now - ended < LAG
