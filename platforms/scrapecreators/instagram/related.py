"""Accounts that Instagram relates to one: the list in ``GET /v1/instagram/profile``, up to 80 of them.

Instagram decides how many there are; 80, 21 and none were recorded. The list has no further pages.
"""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.instagram_similar import Related, related_item, without_target
from platforms.outcome import Judgement, Outcome, Rule, judge_by
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said, told
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError

NO_RELATED: Final = "no_related"
_PRIVATE: Final = "is_private"
_MISSING: Final = "user is null"

RULES: Final = (
    Rule(
        "target_private",
        lambda s, m: s == 200 and m == _PRIVATE,
        Outcome.STOP_JOB,
        "target_username is a private account, and only public ones have related accounts to read",
    ),
    Rule(
        "target_not_found",
        lambda s, m: (s == 200 and m == _MISSING) or (s in (404, 410) and not m.startswith("not json")),
        Outcome.STOP_JOB,
        "no Instagram account has the name in target_username",
    ),
    Rule(
        "target_closed",
        lambda s, m: s == 403 and not m.startswith("not json"),
        Outcome.STOP_JOB,
        "the account in target_username is closed to readers",
    ),
    *(rule for rule in TARGET_RULES if rule.name not in ("closed", "not_found")),
)
"""What an answer about the target means: without the target there is no search."""


class Edge(msgspec.Struct):
    """One entry of the list."""

    node: Related


class TypedEdges(msgspec.Struct):
    """The list with every entry readable."""

    edges: list[Edge] | None = None


class RawEdges(msgspec.Struct):
    """The list whose entries are read one by one."""

    edges: list[msgspec.Raw] | None = None


class User(msgspec.Struct):
    """The target."""

    id: str | int | None = None
    is_private: Any = None


class TypedUser(User):
    """The target with its list."""

    edge_related_profiles: TypedEdges | None = None


class RawUser(User):
    """The target with its list unread."""

    edge_related_profiles: RawEdges | None = None


class TypedData(msgspec.Struct):
    """What is around the target."""

    user: TypedUser


class RawData(msgspec.Struct):
    """What is around the target."""

    user: RawUser


class TypedAnswer(Answer):
    """The answer with every entry readable."""

    data: TypedData | None = None


class RawAnswer(Answer):
    """The answer whose entries are read one by one."""

    data: RawData | None = None


class _Head(msgspec.Struct):
    """What judging needs. ``user`` is read apart, as null and missing are different things."""

    data: dict[str, msgspec.Raw] | None = None


_HEAD = msgspec.json.Decoder(_Head)
_USER = msgspec.json.Decoder(User | None)
_READER: Final = ListReader(
    TypedAnswer,
    RawAnswer,
    lambda answer: _edges(answer),
    lambda answer: _edges(answer),
    Edge,
    lambda edge: related_item(edge.node),
)


class RelatedProfiles(Endpoint):
    """The source: one call, one page."""

    endpoint = "instagram/profile"
    rules = RULES

    def judge(self, response: Response) -> Judgement:
        """What the answer means: a 200 may say that the target is private or missing. Never raises."""
        seen = told(response) or _seen(response.body)
        return judge_by(self.rules, response.status, seen, response.headers)

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the target."""
        return Request(f"/v1/{self.endpoint}", {"handle": walk.word})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """Every related account but the target itself; none is a clear end.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_user``,
                ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        answer = listing.answer
        if answer.data is None:
            reason = "success_false" if answer.success is False else "missing_user"
            raise ShapeError(reason, f"expected data.user, seen no data ({said(answer)})")
        refuse_if_nothing_is_readable(listing)
        found = listing.items or []
        kept = without_target(found, walk.word, str(answer.data.user.id or ""))
        return Page(
            tuple(kept),
            tuple(listing.unreadable),
            ended=True,
            credits=credits_of(answer, self.credits),
            end_reason="exhausted" if kept else NO_RELATED,
            dropped=len(found) - len(kept),
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One account set aside earlier; None for the target. Raises `ShapeError` when it still cannot be read."""
        return next(iter(without_target([_READER.reread(raw)], walk.word)), None)


def _edges(answer: Any) -> Any:
    """The list, wherever the answer says nothing of it an empty one: Instagram leaves it out for some accounts."""
    if answer.data is None:
        return None
    related = answer.data.user.edge_related_profiles
    return (related.edges if related else None) or []


def _seen(body: bytes) -> str:
    """What a 200 says of the target that is no page; "" for a page, and for what `RelatedProfiles.parse` refuses."""
    try:
        told_user = (_HEAD.decode(body).data or {}).get("user")
        if told_user is None:
            return ""
        user = _USER.decode(told_user)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    if user is None:
        return _MISSING
    return _PRIVATE if user.is_private is True else ""
