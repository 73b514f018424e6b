"""Writes the shipped recordings: a four-page walk, its end, and the profiles. All values are made up.

The walk has the structure of a real one: 29, 26, 26 and 28 items that hold 103 distinct videos by 90 authors, a page
whose ``has_more`` is 0 although items follow, and every oddity a reader must bear. ``--check`` compares, and writes
nothing.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from platforms.simulator import tiktok_answers
from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator, creator
from platforms.simulator.settings import CURSOR_STEP
from platforms.simulator.tiktok_items import item_of
from platforms.simulator.videos import Video, make_video
from platforms.simulator.words import HASHTAGS

FOLDER = Path(__file__).resolve().parent / "fixtures"

_SEED = "fixtures"
_WORLD = 2031
_QUERY = "desk lamp"
_AUTHORS = 90

_NEW_AUTHORS = ((0, 29), (29, 46), (46, 65), (65, 90))
"""Which authors (by number, from and up to) first appear on each page."""

_PAGE_SIZES = (29, 26, 26, 28)
_PAGE_WITHOUT_MORE = 2

_REPEATED_VIDEOS: tuple[tuple[int, ...], ...] = ((), (), (29, 33, 37), (46, 50, 54))
"""Videos of earlier pages that come again, by their number; a video's number is its place among the distinct ones."""

_OLD_AUTHORS: tuple[tuple[int, ...], ...] = ((), (), (5,), ())
"""Authors of earlier pages who come again with a new video."""

_UNKNOWN_AUTHORS = (13, 71)
"""Authors whose handle has no profile any more: the look-up answers 404."""


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or compare them; 1 when they differ."""
    parser = argparse.ArgumentParser(prog="python -m platforms.simulator.make_fixtures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    checking = parser.parse_args(arguments).check
    wanted = fixtures()
    present = {path.name: path.read_bytes() for path in FOLDER.glob("*")}
    differing = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if checking:
        sys.stderr.writelines(f"{FOLDER / name} is not what make_fixtures writes; run it.\n" for name in differing)
        return 1 if differing else 0
    FOLDER.mkdir(exist_ok=True)
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_bytes(wanted[name])
        else:
            (FOLDER / name).unlink()
    return 0


def fixtures() -> dict[str, bytes]:
    """Every file by its name."""
    authors = _authors()
    files = {}
    for place, page in enumerate(_pages(authors)):
        name = "tiktok_search_keyword.json" if place == 0 else f"tiktok_search_keyword__page{place + 1}.json"
        has_more = place != _PAGE_WITHOUT_MORE
        items = [item_of(video) for video in page]
        files[name] = _encoded(tiktok_answers.search_page(items, _QUERY, (place + 1) * CURSOR_STEP, has_more))
    end = tiktok_answers.search_end(_QUERY, (len(_PAGE_SIZES) + 1) * CURSOR_STEP)
    files["tiktok_search_keyword__end_no_list.json"] = _encoded(end)
    known = [author for place, author in enumerate(authors) if place not in _UNKNOWN_AUTHORS]
    files["tiktok_profiles.json"] = _encoded({author.handle: tiktok_answers.profile(author) for author in known})
    return files


def _authors() -> list[Creator]:
    authors = [
        replace(creator(_WORLD, Dice(_SEED, "author", place).below(NUMBERS)), standing="found")
        for place in range(_AUTHORS)
    ]
    for place in (8, 40, 60):
        authors[place] = replace(authors[place], standing="private")
    authors[22] = replace(authors[22], standing="gone")
    special: dict[int, dict[str, Any]] = {
        0: {"bio": "Lamps, mostly.\nBusiness: hello@lampworks.example", "verification": ("verified account", "")},
        1: {"bio": "📩 BOOKING@BRIGHT-AGENCY.EXAMPLE", "hearts": 3_400_000_123},
        2: {"bio": "Write to ink.quill@mail.example.", "link": None},
        3: {"bio": "", "link": "mailto:Post@Corner-Studio.example?subject=Hello"},
        4: {"bio": "写信给我：info@studio.example。", "verification": ("", "institution account")},
        5: {"bio": "@not_a_mail and not@amail either", "private_flag": True},
        6: {"bio": "two: one@first.example / two@second.example", "picture_format": "webp"},
    }
    for place, changes in special.items():
        authors[place] = replace(authors[place], **changes)
    return authors


def _pages(authors: list[Creator]) -> list[list[Video]]:
    distinct: list[Video] = []
    pages = []
    for page, size in enumerate(_PAGE_SIZES):
        repeated = [distinct[number] for number in _REPEATED_VIDEOS[page]]
        first, end = _NEW_AUTHORS[page]
        makers = [*range(first, end), *_OLD_AUTHORS[page]]
        # Some of the page's authors are on it twice, until it is full.
        makers += makers[: size - len(makers) - len(repeated)]
        new = [_video(len(distinct) + place, authors[maker]) for place, maker in enumerate(makers)]
        distinct += new
        pages.append([*new[:10], *repeated, *new[10:]])
    return pages


def _video(number: int, author: Creator) -> Video:
    video = make_video(author, _QUERY, _SEED, number)
    changes: dict[int, dict[str, Any]] = {
        2: {"text": "", "hashtags": (), "mention": None, "other_extra": False},
        3: {"hashtags": HASHTAGS},
        7: {"kind": 51},
        11: {"mention": author.uid, "other_extra": True},
        17: {"kind": 61, "text": "🎧💡🧵"},
        31: {"hashtags": (), "mention": None, "other_extra": False},
        48: {"duration_ms": 1_468_634},
        57: {"kind": 55, "plays": 0, "likes": 0, "comments": 0, "shares": 0, "saves": 0},
    }
    return replace(video, **changes.get(number, {}))


def _encoded(answer: dict[str, Any]) -> bytes:
    """JSON with one line for each key, and for each item of the list, so that a change shows as few lines."""
    lines = []
    for key, value in answer.items():
        name = msgspec.json.encode(key)
        if key == "search_item_list":
            lines.append(name + b":[\n" + b",\n".join(map(msgspec.json.encode, value)) + b"\n]")
        else:
            lines.append(name + b":" + msgspec.json.encode(value))
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


if __name__ == "__main__":
    sys.exit(main())
