"""Texts of configurations: what each type takes, and the page that lists the keys."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from worker.configuration_keys import BOOLEAN, DURATION, KEYS, NUMBER, STANDARD_JOB_TIMEOUT, STRING, Key

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "configuration.md"


def key_of(kind, default=None):
    return Key("a.b", kind, default, "a test's")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30000", timedelta(seconds=30)),
        ("0", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("2s", timedelta(seconds=2)),
        ("60m", timedelta(hours=1)),
        ("24h", timedelta(days=1)),
        ("2d", timedelta(days=2)),
        ("1 day", timedelta(days=1)),
        ("2 days", timedelta(days=2)),
        (" 2 DAYS ", timedelta(days=2)),
        ("3650 days", timedelta(days=3650)),
    ],
)
def test_a_duration_is_read(text, value):
    assert key_of(DURATION).read(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "-1s", "1.5h", "1 week", "2 daysx", "1h30m", "٣s", "3651 days", "999999999999999d", "two days"]
)
def test_a_text_that_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"^a\.b is .*; expected a whole number with ms, s, m, h, d or days"):
        key_of(DURATION).read(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), (" 12 ", 12), ("2147483647", 2**31 - 1)])
def test_a_number_is_read(text, value):
    assert key_of(NUMBER).read(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1.0", "1e3", "2147483648", "12 s", "٣", "0x1", "1_000"])
def test_a_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="expected a whole number from 0"):
        key_of(NUMBER).read(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), (" True ", True)])
def test_a_boolean_is_read(text, value):
    assert key_of(BOOLEAN).read(text) is value


@pytest.mark.parametrize("text", ["", "1", "yes", "truee"])
def test_a_text_that_is_no_boolean_is_refused(text):
    with pytest.raises(ValueError, match="expected true or false"):
        key_of(BOOLEAN).read(text)


def test_a_string_is_what_it_is():
    assert key_of(STRING).read(" warn ") == "warn"


def test_a_value_below_the_least_is_refused_and_the_text_says_the_least():
    with pytest.raises(ValueError, match=r"standard_job_timeout is '0'; expected .*at least 1s"):
        STANDARD_JOB_TIMEOUT.read("0")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((DURATION, timedelta(milliseconds=n)) for n in (0, 1, 999, 1000, 90_000, 3_600_000, 86_400_000, 90_061_001)),
        (NUMBER, 7),
        (BOOLEAN, True),
        (STRING, "x"),
    ],
)
def test_what_is_written_is_read_as_the_same(kind, value):
    assert key_of(kind).read(kind.write(value)) == value


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_every_default_is_a_value(key):
    assert key.read(key.kind.write(key.default)) == key.default
    category, _, short = key.name.partition(".")
    assert 0 < len(category) <= 50
    assert 0 < len(short) <= 100
    assert "." not in short


def test_the_page_lists_every_key_as_the_code_has_it():
    table = PAGE.read_text(encoding="utf-8").split("## Values")[0]
    told = re.findall(r"^\| `([a-z_0-9.]+)` \| (\w+) \| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert told == [(key.name, key.kind.name, key.kind.write(key.default), key.meaning) for key in KEYS.values()]


def test_every_key_is_read_somewhere():
    names = re.findall(
        r"^([A-Z_0-9]+): Final = Key\(",
        (ROOT / "worker" / "configuration_keys.py").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(names) == len(KEYS)
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("actors", "worker")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "configuration_keys.py"
    )
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []
