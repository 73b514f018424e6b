"""When a walk goes on and when it has ended, the same for every provider. Pure."""

from typing import Final

import msgspec

from platforms.pages import Page, Walk

PAGE_CEILING: Final = 500
"""Pages of one walk: 15,000 results at 30 a page, beyond any depth a search has shown."""

BARREN_LIMIT: Final = 3
"""Pages in a row with nothing new. The same page asked twice can differ, so one such page proves nothing."""

MOST_RESETS: Final = 2
"""How often one walk may begin again because the provider lost its place."""


def advance(
    walk: Walk, page: Page, new_items: int, *, page_ceiling: int = PAGE_CEILING, barren_limit: int = BARREN_LIMIT
) -> Walk:
    """The walk after a page that brought ``new_items`` results not seen before.

    It ends for the page's own ``end_reason`` (the provider said so), or as ``repeated_cursor`` (the next cursor is the
    one just asked), ``nothing_new`` (``barren_limit`` pages in a row without anything new) or ``page_ceiling``. Pages
    that repeat an earlier walk do not count as without anything new.
    """
    if page.lost_place:
        return _begin_again(walk)
    if page.start is not None and page.start != walk.start:
        walk = msgspec.structs.replace(walk, start=page.start, resets=0)
    ordinal = walk.ordinal + 1
    barren = walk.barren if page.step else 0 if new_items > 0 or walk.again > 0 else walk.barren + 1
    cursor = walk.cursor if page.next_cursor is None else page.next_cursor
    if page.ended or page.next_cursor is None:
        reason = page.end_reason
    elif page.next_cursor == walk.cursor:
        reason = "repeated_cursor"
    elif barren >= barren_limit:
        reason = "nothing_new"
    elif ordinal >= page_ceiling:
        reason = "page_ceiling"
    else:
        reason = None
    return msgspec.structs.replace(
        walk,
        cursor=cursor,
        ordinal=ordinal,
        barren=barren,
        again=max(walk.again - 1, 0),
        ended=reason is not None,
        end_reason=reason,
        once=page.once,
    )


def _begin_again(walk: Walk) -> Walk:
    """The walk after the provider lost its place: from its start, and after `MOST_RESETS` times ended."""
    if walk.resets >= MOST_RESETS:
        return msgspec.structs.replace(walk, ended=True, end_reason="cursor_lost")
    return msgspec.structs.replace(
        walk, cursor=walk.start, ordinal=walk.ordinal + 1, resets=walk.resets + 1, again=walk.ordinal, once=False
    )
