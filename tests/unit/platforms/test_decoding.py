"""Decoding of JSON that is almost right."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.decoding import decode, mend
from worker.errors import ShapeError

DECODER = msgspec.json.Decoder(dict[str, str])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"a": "x\ud800y"}', "x\ufffdy"),
        (rb'{"a": "x\udfffy"}', "x\ufffdy"),
        (rb'{"a": "\ud83d\ud83d\ude00"}', "\ufffd😀"),
        (rb'{"a": "\\ud800 \udc00"}', "\\ud800 \ufffd"),
        (rb'{"a": "\"\ud800"}', '"\ufffd'),
        (b'{"a": "x\xffy"}', "x\ufffdy"),
        (b'{"a": "x\x00y\nz"}', "x y z"),
        (b'\xef\xbb\xbf{"a": "x"}', "x"),
    ],
    ids=[
        "high",
        "low",
        "high then pair",
        "escaped backslash",
        "after a quote",
        "invalid utf-8",
        "raw controls",
        "mark",
    ],
)
def test_a_broken_character_is_mended(body, text):
    assert decode(DECODER, body) == {"a": text}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": "x', b'{"a": "x"} more', b'{"a": "\\ud8', b'{"a":' + b"[" * 99_999]
)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(ShapeError) as caught:
        decode(msgspec.json.Decoder(), body)
    assert caught.value.reason == "not_json"


def test_another_shape_is_told_apart_from_broken_json():
    with pytest.raises(msgspec.ValidationError):
        decode(DECODER, b'{"a": 1}')


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=40))
def test_every_text_that_python_can_escape_is_read(text):
    assert "a" in decode(DECODER, json.dumps({"a": text}).encode())


@given(st.text(max_size=40))
def test_mending_changes_nothing_that_is_whole(text):
    for ascii_only in (True, False):
        body = json.dumps({"a": text}, ensure_ascii=ascii_only).encode()
        assert mend(body) == body
