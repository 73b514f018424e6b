"""The shape of answers: what counts as usual, and which departures are told."""

from typing import Any

import msgspec
import pytest

from platforms.drift import MOST_PATHS, Change, Shape, departures, enough, fingerprint, merged, shape_of

REQUIRED = ("list[].author.uid", "list[].plays")


def answer(count: int = 12, **changes: Any) -> dict[str, Any]:
    """An answer whose items differ from the usual by ``changes``; None leaves a field out."""

    def item(number: int) -> dict[str, Any]:
        told = {"id": str(number), "plays": number, "note": "x", "author": {"uid": str(number)}}
        told |= {name: value for name, value in changes.items() if value is not None}
        return {name: value for name, value in told.items() if name not in changes or changes[name] is not None}

    return {"ok": True, "list": [item(number) for number in range(count)]}


USUAL = merged(shape_of(answer()), shape_of(answer()))


def told(document: Any, usual: Shape = USUAL) -> dict[str, tuple[Change, bool]]:
    return {one.path: (one.change, one.required) for one in departures(usual, shape_of(document), REQUIRED)}


def test_the_same_shape_departs_in_nothing():
    assert told(answer(30)) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"plays": None}, {"list[].plays": (Change.VANISHED, True)}),
        ({"plays": "12"}, {"list[].plays": (Change.RETYPED, True)}),
        ({"author": None}, {"list[].author": (Change.VANISHED, True)}),
        ({"author": {}}, {"list[].author.uid": (Change.VANISHED, True)}),
        ({"author": {"uid": 7}}, {"list[].author.uid": (Change.RETYPED, True)}),
        ({"author": "somebody"}, {"list[].author": (Change.RETYPED, True)}),
        ({"note": None}, {"list[].note": (Change.VANISHED, False)}),
        ({"note": 7}, {"list[].note": (Change.RETYPED, False)}),
        ({"more": 7}, {"list[].more": (Change.NEW, False)}),
        ({"more": {"inside": 7}}, {"list[].more": (Change.NEW, False)}),
    ],
)
def test_a_change_is_told_by_its_path_and_whether_it_is_required(changes, expected):
    assert told(answer(**changes)) == expected


def test_a_required_number_that_is_null_everywhere_is_lost():
    document = answer()
    for item in document["list"]:
        item["plays"] = None
    assert told(document) == {"list[].plays": (Change.NULLED, True)}


def test_items_of_another_kind_are_a_loss():
    assert told({"ok": True, "list": list(range(12))}) == {"list[]": (Change.RETYPED, True)}


def test_every_third_item_without_a_field_is_no_drift():
    document = answer(30)
    for item in document["list"][::3]:
        del item["plays"]
    assert told(document) == {}


def test_a_sample_too_small_and_an_empty_page_say_nothing():
    assert told(answer(4, plays=None)) == {}
    assert told(answer(0)) == {}
    assert not enough(shape_of(answer(0)), REQUIRED)
    assert not enough(shape_of(answer(4)), REQUIRED)
    assert enough(shape_of(answer(5)), REQUIRED)


def test_an_endpoint_that_is_not_known_yet_departs_in_nothing():
    assert told(answer(plays="12"), Shape()) == {}
    assert told(answer(plays="12"), shape_of(answer(9))) == {}


def test_what_was_rare_is_not_missed():
    document = answer(12)
    document["list"][0]["rare"] = 1
    assert told(answer(12), merged(USUAL, shape_of(document))) == {}


def test_answers_without_a_list_are_judged_once_enough_are_put_together():
    one, other = shape_of({"user": {"bio": "x"}}), shape_of({"user": {}})
    usual = sample = Shape()
    for _ in range(10):
        usual = merged(usual, one)
    for _ in range(4):
        sample = merged(sample, other)
    assert not enough(sample, ("user.bio",))
    sample = merged(sample, other)
    assert enough(sample, ("user.bio",))
    assert [one.path for one in departures(usual, sample, ("user.bio",))] == ["user.bio"]


def test_what_is_usual_follows_a_change_that_stays():
    usual = USUAL
    for _ in range(600):
        usual = merged(usual, shape_of(answer(note=7)))
    assert told(answer(note=7), usual) == {}
    assert usual.parents["list[]"] < 5000


def test_a_shape_is_bounded_whatever_an_answer_holds():
    wide = {"list": [{f"field_{number}_{name}": {"a": 1} for name in range(70)} for number in range(60)]}
    assert len(shape_of(wide).paths) <= MOST_PATHS + 200
    keyed = shape_of({"by_id": {str(number): {"a": 1} for number in range(500)}})
    assert set(keyed.paths) == {"by_id"}
    deep: Any = 1
    for _ in range(400):
        deep = {"a": deep}
    assert len(shape_of(deep).paths) < 20


def test_a_shape_survives_being_kept():
    assert msgspec.json.decode(msgspec.json.encode(USUAL), type=Shape) == USUAL


def test_a_fingerprint_is_that_of_the_paths_and_changes_alone():
    first, second = shape_of(answer(plays="12")), shape_of(answer(30, plays="x"))
    assert fingerprint(departures(USUAL, first, REQUIRED)) == fingerprint(departures(USUAL, second, REQUIRED))
    assert fingerprint(departures(USUAL, first, REQUIRED)) != fingerprint(
        departures(USUAL, shape_of(answer(plays=None)), REQUIRED)
    )
