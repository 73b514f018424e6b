"""TikTok's own account object, as lists of users pass it on: only what is stored or weighed is decoded.

Field facts from recorded user searches (July 2025) and published followings (January 2025). A missing id, or another
type where one is named here, makes the account unreadable; counters take any type, for `count` to judge.
"""

from typing import Any

import msgspec

from platforms.normalise.aweme import Picture, identifier
from platforms.normalise.text import safe_text
from platforms.pages import Item
from worker.errors import ShapeError


class Account(msgspec.Struct, frozen=True):
    """One account. ``verification_type`` is left out: it is 1 for ordinary people in one list and 0 in another."""

    uid: str | int
    unique_id: str | None = None
    nickname: str | None = None
    signature: str | None = None
    """The bio; followings have it, user searches do not."""
    region: str | None = None
    follower_count: Any = None
    following_count: Any = None
    aweme_count: Any = None
    total_favorited: Any = None
    """Likes of everything published; 0 also for accounts that have millions."""
    is_private_account: Any = None
    """0 or 1; followings do not tell it."""
    secret: Any = None
    """The same under its older name."""
    avatar_medium: Picture | None = None
    custom_verify: str | None = None
    enterprise_verify_reason: str | None = None


class Related(msgspec.Struct, frozen=True):
    """An account and the search that brought it up."""

    account: Account
    target: str = ""
    """The handle of the account that others are wanted like; "" where an account is read by itself."""
    word: str = ""
    """The word that found it; "" where no word did."""


def item_of(account: Account, target: str = "", word: str = "") -> Item:
    """The account as an item. Raises `ShapeError` (``no_creator_id``)."""
    uid = identifier(account.uid)
    if not uid:
        raise ShapeError("no_creator_id", "expected the account's uid, seen an empty one")
    return Item(uid, uid, safe_text(account.unique_id or "").strip().lstrip("@"), Related(account, target, word))


def is_private(account: Account) -> bool:
    """Whether the account says of itself that it is closed to strangers."""
    return account.is_private_account in (1, True) or account.secret in (1, True)
