"""TikTok keyword search: ``GET /v1/tiktok/search/keyword``. Page facts from 108 recorded calls, 2025.

A page holds 0 to 30 videos in 1.3 to 2.8 MB of JSON. The whole page is decoded typed at once, skipping what is not
read; only when that fails is each item decoded by itself, so that one odd item costs itself and not the page.
"""

from typing import Any, Final

import msgspec

from platforms.contract import (
    Capability,
    Cursor,
    Item,
    Page,
    Profile,
    Provenance,
    Query,
    Request,
    Response,
    SearchKind,
    StaleCursor,
    Unreadable,
)
from platforms.decoding import decode
from platforms.normalise.aweme import Aweme
from platforms.normalise.creator import VideoCreator
from platforms.normalise.numbers import count
from platforms.normalise.text import safe_text
from platforms.normalise.tiktok import tiktok_creator
from platforms.outcome import Judgement, judge_by
from platforms.scrapecreators.client import PROVIDER, Answer, said, told
from platforms.scrapecreators.outcomes import SEARCH_RULES
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.tiktok_profile import TikTokProfile
from worker.errors import ShapeError

ENDPOINT: Final = "tiktok/search/keyword"
PAGE_SIZE: Final = 30
"""How far a page moves the cursor, whatever number of items it holds."""

_PASSED_ON: Final = ("sort_by", "date_posted")


class Hit(msgspec.Struct):
    """One entry of the list. Trimmed answers lack ``aweme_info`` and are another shape, which is not guessed at."""

    aweme_info: Aweme


class KeywordAnswer(Answer):
    """What every reading of a page needs. ``has_more`` is left out: it turns 0 while items still follow."""

    cursor: Any = None
    search_nil_info: Any = None


class TypedPage(KeywordAnswer):
    """A page with every item readable."""

    search_item_list: list[Hit] | None = None


class RawPage(KeywordAnswer):
    """A page whose items are read one by one."""

    search_item_list: list[msgspec.Raw] | None = None


_TYPED = msgspec.json.Decoder(TypedPage)
_RAW = msgspec.json.Decoder(RawPage)
_HIT = msgspec.json.Decoder(Hit)


class TikTokKeyword:
    """The adapter. Cursors are offsets and do not expire, but the list below them shifts: restart, and dedupe."""

    capability: Final = Capability(
        platform="tiktok",
        kind=SearchKind.KEYWORD,
        provider=PROVIDER,
        endpoint=ENDPOINT,
        version=1,
        cursor_lifetime=None,
        stale_cursor=StaleCursor.RESTART_AND_DEDUPE,
    )
    profiles: Final = TikTokProfile()
    first_cursor: Final[Cursor] = 0

    def request(self, query: Query, word: str, cursor: Cursor) -> Request:
        """The call for one page of one word."""
        options = {name: query.options[name] for name in _PASSED_ON if query.options.get(name)}
        return Request(f"/v1/{ENDPOINT}", {"query": word, "cursor": str(cursor), "region": query.region, **options})

    def judge(self, response: Response) -> Judgement:
        """What the answer means. Never raises."""
        return judge_by(SEARCH_RULES, response.status, told(response), response.headers)

    def parse(self, response: Response, cursor: Cursor) -> Page:
        """The page in an answer judged ``ok``.

        The end is an empty or missing list together with ``search_nil_info``. An empty list alone is a page without
        results; after a few of them the walk's own guard ends it.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        answer, items, unreadable = _read(response.body)
        cost = credits_of(answer, ENDPOINT)
        if not items and not unreadable and answer.search_nil_info is not None:
            return Page((), (), None, ended=True, credits=cost)
        if items is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected search_item_list or search_nil_info, seen neither ({said(answer)})")
        if unreadable and not items:
            first = unreadable[0]
            raise ShapeError("all_items_unreadable", f"none of {len(unreadable)} items can be read: {first.message}")
        return Page(tuple(items), tuple(unreadable), _next_cursor(answer, cursor), ended=False, credits=cost)

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> VideoCreator:
        """The creator JSON of one item."""
        return tiktok_creator(item, profile, enhancement_status, provenance)


def _next_cursor(answer: KeywordAnswer, asked: Cursor) -> int:
    """The cursor told; one page further when none is. One that does not move on is given back as the one asked."""
    before = count(asked) or 0
    after = count(answer.cursor)
    return before + PAGE_SIZE if after is None else max(before, after)


def _read(body: bytes) -> tuple[KeywordAnswer, list[Item] | None, list[Unreadable]]:
    try:
        page = decode(_TYPED, body)
    except msgspec.ValidationError:
        return _read_one_by_one(body)
    if page.search_item_list is None:
        return page, None, []
    try:
        return page, [_item(hit.aweme_info) for hit in page.search_item_list], []
    except ShapeError:
        return _read_one_by_one(body)


def _read_one_by_one(body: bytes) -> tuple[KeywordAnswer, list[Item] | None, list[Unreadable]]:
    try:
        page = decode(_RAW, body)
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_page_shape", f"expected a page of search results: {error}") from error
    if page.search_item_list is None:
        return page, None, []
    items: list[Item] = []
    unreadable: list[Unreadable] = []
    for raw in page.search_item_list:
        try:
            items.append(_item(decode(_HIT, bytes(raw)).aweme_info))
        except msgspec.ValidationError as error:
            unreadable.append(Unreadable(bytes(raw), "wrong_item_shape", str(error)))
        except ShapeError as error:
            unreadable.append(Unreadable(bytes(raw), error.reason, str(error)))
    return page, items, unreadable


def _item(aweme: Aweme) -> Item:
    creator_id, content_id = _identifier(aweme.author.uid), _identifier(aweme.aweme_id)
    if not creator_id:
        raise ShapeError("no_creator_id", "expected the author's uid, seen an empty one")
    if not content_id:
        raise ShapeError("no_content_id", "expected the video's aweme_id, seen an empty one")
    return Item(creator_id, content_id, safe_text(aweme.author.unique_id or "").strip().lstrip("@"), aweme)


def _identifier(told_id: str | int) -> str:
    """An id as text; "" for none. 0 is what the app API sends for nobody."""
    text = safe_text(str(told_id)).strip()
    return "" if text == "0" else text
