"""The simulator's made-up world and its shipped recordings, without HTTP."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from platforms.simulator import make_fixtures
from platforms.simulator.catalogue import Catalogue, author_at, creators_of, page_starts, videos_of
from platforms.simulator.padding import padded
from platforms.simulator.people import creator_of_handle
from platforms.simulator.replay import Replay
from platforms.simulator.settings import Settings
from platforms.simulator.tiktok_answers import profile
from worker.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def walk(source: Any, query: str) -> list[dict[str, Any]]:
    """Every page with items, following the answers' cursors."""
    pages, cursor = [], 0
    while "search_item_list" in (page := source.search(query, cursor)):
        pages.append(page)
        cursor = page["cursor"]
    return pages


def infos(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item["aweme_info"] for page in pages for item in page["search_item_list"]]


def test_the_same_place_gives_the_same_page_whatever_was_asked_before():
    # Given two catalogues of one seed
    one, other = Catalogue(Settings(seed=5)), Catalogue(Settings(seed=5))
    # When one is asked forwards and the other backwards
    forwards = [one.search("tea", cursor) for cursor in (0, 30, 60)]
    backwards = [other.search("tea", cursor) for cursor in (60, 30, 0)]
    # Then the pages are equal, and another seed has others
    assert forwards == backwards[::-1]
    assert forwards != [Catalogue(Settings(seed=6)).search("tea", cursor) for cursor in (0, 30, 60)]


def test_another_process_makes_the_same_world():
    # Given the creators this process computes
    here = creators_of(9, "чай & tea", 60)
    # When a process with another hash seed computes them
    code = "from platforms.simulator.catalogue import creators_of; print(*creators_of(9, 'чай & tea', 60))"
    environment = {"PYTHONHASHSEED": "77", "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    # Then they are the same
    assert tuple(told.stdout.split()) == here


def test_a_whole_walk_holds_exactly_the_creators_and_videos_that_are_told_without_it():
    # Given a catalogue of 500 items a query
    pages = walk(Catalogue(Settings(seed=3, items_per_query=500)), "tea")
    items = infos(pages)
    # Then the walk has that many items, and the told creators and videos in their order
    assert len(items) == 500
    assert tuple(dict.fromkeys(info["author"]["uid"] for info in items)) == creators_of(3, "tea", 500)
    assert tuple(dict.fromkeys(info["aweme_id"] for info in items)) == videos_of(3, "tea", 500)


def test_a_shorter_walk_is_the_beginning_of_a_longer_one():
    assert creators_of(3, "tea", 700)[: len(creators_of(3, "tea", 100))] == creators_of(3, "tea", 100)


def test_pages_are_as_uneven_as_real_ones():
    # Given a long walk
    pages = walk(Catalogue(Settings(items_per_query=3000)), "tea")
    sizes = [len(page["search_item_list"]) for page in pages]
    # Then pages hold 24 to 30 items, some tell no more although more follow, cursors go in steps of 30
    assert {*sizes[:-1]} == set(range(24, 31))
    assert [page["cursor"] for page in pages] == [30 * (place + 1) for place in range(len(pages))]
    assert 0 < sum(page["has_more"] == 0 for page in pages[:-1]) < len(pages) / 3
    # And some percent of authors and of videos come again, within a page too
    assert 0.02 < 1 - len(creators_of(1, "tea", 3000)) / 3000 < 0.2
    assert 0.005 < 1 - len(videos_of(1, "tea", 3000)) / 3000 < 0.08
    assert any(len({info["author"]["uid"] for info in infos([page])}) < len(infos([page])) for page in pages)


def test_walks_of_different_words_share_a_few_creators():
    tea, coffee = (set(creators_of(1, query, 1000)) for query in ("tea", "coffee"))
    assert 0 < len(tea & coffee) < 50


@pytest.mark.parametrize("items", [0, 1, 24, 1000])
def test_the_page_starts_end_with_the_number_of_items(items):
    assert page_starts(1, "tea", items)[-1] == items


def test_the_end_of_a_walk_has_the_recorded_shape():
    # Given a walk that is over
    end = Catalogue(Settings(items_per_query=10)).search("tea", 30)
    # Then the list is absent, and the rest says so
    assert "search_item_list" not in end
    assert (end["aweme_list"], end["has_more"], end["cursor"]) == (None, 0, 60)
    assert end["search_nil_info"]["search_nil_item"] == "federation_empty"


def test_an_item_lacks_what_real_items_lack():
    for info in infos(walk(Catalogue(Settings(items_per_query=200)), "tea")):
        author = info["author"]
        assert "signature" not in author
        assert "is_verified" not in author
        assert (author["aweme_count"], author["verification_type"]) == (0, 0)
        assert len(author["avatar_medium"]["url_list"]) == 3
        assert ".jpeg?" in author["avatar_medium"]["url_list"][2]
        assert not any(".jpeg?" in link for link in author["avatar_medium"]["url_list"][:2])
        assert info["text_extra"] is None or {extra["type"] for extra in info["text_extra"]} <= {0, 1, 5}
        for extra in info["text_extra"] or []:
            assert ("hashtag_name" in extra) == (extra["type"] == 1)


def test_a_profile_follows_from_the_handle_alone_and_agrees_with_the_search():
    # Given an author of a page
    author = infos([Catalogue(Settings(seed=4)).search("tea", 0)])[0]["author"]
    # When their profile is asked for, in other letters
    told = Catalogue(Settings(seed=4)).profile(author["unique_id"].upper())
    # Then it is the same person
    assert told is not None
    assert told["user"]["id"] == author["uid"]
    assert told["statsV2"]["followerCount"] == str(author["follower_count"])
    assert told["user"]["verified"] == bool(author["custom_verify"] or author["enterprise_verify_reason"])


@pytest.mark.parametrize("handle", ["", "nobody", "amber_zzzzzzzzzzz", "amber_00000000001x", "wrong_00000000001"])
def test_a_made_up_handle_is_nobody(handle):
    assert creator_of_handle(1, handle) is None


def test_profiles_are_as_mixed_as_real_ones():
    # Given the profiles of two thousand authors
    told = [profile(author_at(1, "tea", position)) for position in range(2000)]
    users = [answer for answer in told if "user" in answer]
    # Then some are private or gone, and of the rest a fifth tells a mail address and half have no link
    assert 10 < sum("account_private" in answer for answer in told) < 100
    assert 5 < sum("account_deactivated" in answer for answer in told) < 60
    mails = [answer for answer in users if ".example" in answer["user"]["signature"].lower()]
    assert 0.15 < len(mails) / len(users) < 0.25
    assert 0.4 < sum("bioLink" not in answer["user"] for answer in users) / len(users) < 0.6
    # And some heart counters have overflowed, while the exact ones have not
    overflowed = [answer for answer in users if answer["stats"]["heartCount"] < 0]
    assert overflowed
    assert all(int(answer["statsV2"]["heartCount"]) >= 1 << 31 for answer in overflowed)
    assert all(answer["itemList"] == [] for answer in users)


def test_padding_makes_a_page_as_large_as_an_untrimmed_one_and_changes_nothing_that_is_read():
    for cursor in range(0, 600, 30):
        # Given a page
        page = Catalogue(Settings()).search("tea", cursor)
        # When it is padded
        body = msgspec.json.encode(padded(page))
        # Then it has the size of a real one, and its fields are as before
        assert 1_300_000 < len(body) < 2_800_000
        for plain, full in zip(infos([page]), infos([msgspec.json.decode(body)]), strict=True):
            assert full.items() >= {**plain, "video": full["video"], "author": full["author"]}.items()
            assert full["video"].items() >= plain["video"].items()
            assert full["author"].items() >= plain["author"].items()
            assert len(full["video"]["bit_rate"]) > 5
        assert len(msgspec.json.encode(page)) < 115_000


def test_the_shipped_recordings_are_what_their_script_writes():
    assert make_fixtures.main(["--check"]) == 0


def test_a_recording_that_was_edited_by_hand_is_told(tmp_path, monkeypatch, capsys):
    # Given a folder that lacks all files but one, which is wrong
    monkeypatch.setattr(make_fixtures, "FOLDER", tmp_path)
    (tmp_path / "tiktok_profiles.json").write_text("{}")
    # When it is checked, written and checked again
    before, _, after = (make_fixtures.main(arguments) for arguments in (["--check"], [], ["--check"]))
    # Then the first check names the files and the second is content
    assert (before, after) == (1, 0)
    assert "tiktok_search_keyword__page4.json" in capsys.readouterr().err


def test_the_shipped_walk_has_the_structure_of_the_recorded_one():
    # Given the shipped walk
    pages = walk(Replay(make_fixtures.FOLDER), "any words")
    items = infos(pages)
    # Then pages, videos and authors count as in the recording
    assert [len(page["search_item_list"]) for page in pages] == [29, 26, 26, 28]
    assert len({info["aweme_id"] for info in items}) == 103
    assert len({info["author"]["uid"] for info in items}) == 90
    assert [len({info["author"]["uid"] for info in infos([page])}) for page in pages] == [29, 17, 23, 28]
    assert [page["has_more"] for page in pages] == [1, 1, 0, 1]


def test_the_shipped_walk_holds_every_oddity():
    items = infos(walk(Replay(make_fixtures.FOLDER), "any words"))
    extras = [extra for info in items for extra in info["text_extra"] or []]
    assert any(info["desc"] == "" for info in items)
    assert any(info["text_extra"] is None for info in items)
    assert {extra["type"] for extra in extras} == {0, 1, 5}
    assert {"обзор", "مراجعة", "道具", "🎧", "fyp"} <= {extra.get("hashtag_name") for extra in extras}
    assert {0, 51, 55, 61} <= {info["aweme_type"] for info in items}
    assert any(info["author"]["custom_verify"] for info in items)
    assert any(info["author"]["enterprise_verify_reason"] for info in items)
    assert any(".webp?" in info["author"]["avatar_medium"]["url_list"][0] for info in items)


def test_the_shipped_profiles_cover_every_kind_of_answer():
    # Given the look-up of every author of the shipped walk
    replay = Replay(make_fixtures.FOLDER)
    handles = {info["author"]["unique_id"] for info in infos(walk(replay, "any words"))}
    told = [replay.profile(handle) for handle in handles]
    # Then most are found, three private, one gone, two unknown
    kinds = Counter(next(iter(answer)) if answer else "unknown" for answer in told)
    assert kinds == {"user": 84, "account_private": 3, "account_deactivated": 1, "unknown": 2}
    # And mail addresses come plain, in capitals, before a full stop and as a link
    users = [answer["user"] for answer in told if answer and "user" in answer]
    bios = " ".join(user["signature"] for user in users)
    assert all(text in bios for text in ("hello@lampworks.example", "BOOKING@BRIGHT-AGENCY.EXAMPLE", "@mail.example."))
    assert any(user.get("bioLink", {}).get("link", "").startswith("mailto:") for user in users)


def test_the_shipped_recordings_are_small_and_name_no_real_host():
    bodies = [path.read_text() for path in make_fixtures.FOLDER.iterdir()]
    assert sum(len(body.encode()) for body in bodies) < 600_000
    for body in bodies:
        assert "tiktok.com" not in body
        assert "tiktokcdn" not in body


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (None, "does not exist"),
        ({}, "first page"),
        ({"tiktok_search_keyword.json": "{"}, "is not JSON"),
        ({"tiktok_search_keyword.json": "[]"}, "no JSON object"),
        ({"tiktok_search_keyword.json": "{}", "tiktok_search_keyword__page3.json": "{}"}, "no gap"),
        ({"tiktok_search_keyword.json": "{}", "tiktok_profiles.json": '{"a":1}'}, "is not an object"),
    ],
    ids=["no folder", "no walk", "cut JSON", "a list", "a gap", "a profile that is a number"],
)
def test_a_folder_that_cannot_be_replayed_is_refused_with_the_reason(tmp_path, files, complaint):
    # Given a folder that is not a recording
    folder = tmp_path / "recording"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    # Then loading it says what is wrong
    with pytest.raises(ConfigurationError, match=complaint):
        Replay(folder)
