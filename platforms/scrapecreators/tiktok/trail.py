"""What a walk to similar creators must know of the target, kept in the walk's cursor so that it survives a crash."""

from collections.abc import Sequence
from math import log10

import msgspec

from platforms.normalise.numbers import count
from platforms.normalise.text import safe_text
from platforms.normalise.tiktok_account import Account, is_private, item_of
from platforms.pages import Item, Walk


class Trail(msgspec.Struct, frozen=True):
    """The cursor of a walk: the provider's own place, and the target that the found accounts are held against."""

    at: int
    """The provider's own cursor; 0 is the beginning."""
    uid: str
    followers: int | None
    words: list[str]
    """The target's own words."""

    @property
    def text(self) -> str:
        """As a walk keeps it."""
        return msgspec.json.encode(self).decode()

    def moved(self, at: int) -> str:
        """The cursor of another page of the walk."""
        return msgspec.structs.replace(self, at=at).text


_TRAIL = msgspec.json.Decoder(Trail)


def trail_of(walk: Walk) -> Trail:
    """The trail in a walk's cursor."""
    return _TRAIL.decode(str(walk.cursor))


def best_first(found: Sequence[Item], trail: Trail, target: str, word: str) -> tuple[tuple[Item, ...], int]:
    """The accounts worth giving, best match first, and how many were dropped: the target itself and private ones.

    Equals stay in the provider's order. Each item is told what it was found by: the target and the word.
    """
    kept = [one for one in found if not _is_target(one, trail, target) and not is_private(one.raw.account)]
    kept.sort(key=lambda one: likeness(one.raw.account, trail), reverse=True)
    return tuple(item_of(one.raw.account, target, word) for one in kept), len(found) - len(kept)


def likeness(account: Account, trail: Trail) -> float:
    """How like the target an account is: one for each of the target's words it says, and up to one for its size.

    Size is compared by powers of ten: as large as the target gives one, ten times as large or small a half.
    """
    said = safe_text(" ".join((account.nickname or "", account.unique_id or "", account.signature or ""))).casefold()
    words = sum(word.casefold() in said for word in trail.words)
    followers = count(account.follower_count)
    if followers is None or trail.followers is None:
        return float(words)
    return words + 1 / (1 + abs(log10(followers + 1) - log10(trail.followers + 1)))


def _is_target(item: Item, trail: Trail, target: str) -> bool:
    return item.creator_id == trail.uid or item.handle.casefold() == target.casefold()
