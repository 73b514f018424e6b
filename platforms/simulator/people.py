"""Generated creators. A creator is one number; everything else about them follows from the seed and that number.

The handle ends in the number, so a profile can be made from the handle alone, in any process and in any order.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from platforms.simulator.dice import Dice
from platforms.simulator.words import BIOS, HANDLE_WORDS, MAIL_LINES, NICKNAMES, REGIONS, VERIFICATIONS

NUMBERS = 1 << 56
"""Creators are numbered below this: wide enough that a million of them hardly collide."""

_UID_BASE = 6_900_000_000_000_000_000
_CODE_DIGITS = 11
_HANDLE = re.compile(r"[a-z]+_([0-9a-z]{11})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Creator:
    """One generated creator. ``uid`` has 19 digits and passes 2**53, as real ones do."""

    uid: str
    handle: str
    sec_uid: str
    nickname: str
    bio: str
    verification: tuple[str, str]
    """``custom_verify`` and ``enterprise_verify_reason``; both empty for an account that is not verified."""
    followers: int
    following: int
    hearts: int
    videos: int
    standing: Literal["found", "private", "gone"]
    private_flag: bool
    """True for an account whose full profile is told although it calls itself private."""
    link: str | None
    region: str
    picture: str
    """The path of the avatar below its host, without size and suffix."""
    picture_format: Literal["heic", "webp"]
    created_at: int
    """Epoch seconds."""


def uid_of(number: int) -> str:
    """The platform's stable id of a creator."""
    return str(_UID_BASE + number)


def number_of(uid: str) -> int:
    """The creator's number, told by their id."""
    return int(uid) - _UID_BASE


@lru_cache(maxsize=8192)
def creator(seed: int, number: int) -> Creator:
    """The creator with this number in this seed's world."""
    dice = Dice(seed, "creator", number)
    handle = f"{dice.pick(HANDLE_WORDS)}_{code_of(number)}"
    scale = dice.pick((1, 1, 10, 10, 10, 100, 1000))
    followers = dice.between(1000, 9999) * scale + dice.below(scale)
    return Creator(
        uid=uid_of(number),
        handle=handle,
        sec_uid="MS4wLjABAAAA" + dice.hex(64),
        nickname=dice.pick(NICKNAMES),
        bio=_bio(dice, handle),
        verification=dice.pick(VERIFICATIONS) if dice.percent(8) else ("", ""),
        followers=followers,
        following=dice.below(3000),
        # A few pass 2**31, where the provider's rounded counter overflows.
        hearts=dice.between(2_200_000_000, 4_200_000_000) if dice.percent(3) else followers * dice.between(2, 200),
        videos=dice.between(1, 3000),
        standing=dice.pick(("found",) * 97 + ("private",) * 2 + ("gone",)),
        private_flag=dice.percent(1),
        link=_link(dice, handle) if dice.percent(50) else None,
        region=dice.pick(REGIONS),
        picture=f"avt/{dice.hex(16)}",
        picture_format="webp" if dice.percent(9) else "heic",
        created_at=dice.between(1_500_000_000, 1_700_000_000),
    )


def creator_of_handle(seed: int, handle: str) -> Creator | None:
    """The creator who has this handle in this seed's world, in any case of letters; None when nobody has."""
    match = _HANDLE.fullmatch(handle.lower())
    number = number_of_code(match[1]) if match else NUMBERS
    if number >= NUMBERS:
        return None
    found = creator(seed, number)
    return found if found.handle == handle.lower() else None


def number_of_code(code: str) -> int:
    """What `code_of` was made from; `NUMBERS` or more for what it did not make."""
    return int(code, 36)


def code_of(number: int) -> str:
    """A creator's number as text of a fixed length."""
    code = ""
    for _ in range(_CODE_DIGITS):
        number, digit = divmod(number, 36)
        code = _DIGITS[digit] + code
    return code


def _bio(dice: Dice, handle: str) -> str:
    bio = "" if dice.percent(10) else dice.pick(BIOS)
    if not dice.percent(20):
        return bio
    return f"{bio}\n{dice.pick(MAIL_LINES).format(name=handle, upper=handle.upper())}".lstrip("\n")


def _link(dice: Dice, handle: str) -> str:
    return dice.pick(
        ("https://links.example/{}", "shop.example/{}", "http://{}.example", "mailto:{}@mail.example")
    ).format(handle.replace("_", "-"))
