"""Labels stay few, whatever a handler or a provider says."""

import re

import pytest

from tests.fleet import ROOT
from worker.metrics import counting
from worker.metrics.families import REGISTRY
from worker.metrics.words import OTHER, Words


@pytest.mark.parametrize("word", ["target_reached", "http_500", "done", "rate_limited", "a.b"])
def test_a_word_of_our_code_stays(word):
    assert Words().word(word) == word


def test_the_name_of_every_rule_that_judges_an_answer_stays():
    tables = (ROOT / "platforms").rglob("outcomes.py")
    names = {name for path in tables for name in re.findall(r'Rule\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))}
    assert len(names) > 20
    words = Words()
    assert {name for name in names if words.word(name) != name} == set()


@pytest.mark.parametrize(
    "text",
    [
        "9b2f6e0e-7f4f-4a52-9f0a-6c1a1f1f0d11",
        "user_2abcDEF",
        "user_123456",
        "no mailbox for anna@example.com",
        "Lamp",
        "",
        "x" * 41,
        "a\nb",
        "ü",
    ],
)
def test_what_may_be_an_id_a_name_or_a_sentence_does_not(text):
    assert Words().word(text) == OTHER


def test_one_word_too_many_is_another():
    words = Words(most=2)
    assert [words.word(word) for word in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]


def test_a_call_is_counted_by_what_it_meant_and_one_that_was_cut_off_as_that():
    def value(name, **labels):
        return REGISTRY.get_sample_value(name, {"provider": "p", "endpoint": "/labels", **labels})

    counting.called("p", "/labels", "ok", 3, 0.0)
    counting.called("p", "/labels", "fix_configuration", 0, 0.0)
    counting.called("p", "/labels", None, 0, 0.0)
    assert value("trawler_provider_calls_total", outcome="ok") == 1
    assert value("trawler_provider_calls_total", outcome="ended") == 1
    assert value("trawler_credits_total") == 3
    assert value("trawler_provider_call_duration_seconds_count") == 3
    assert REGISTRY.get_sample_value("trawler_configuration_errors_total", {"kind": "provider"}) >= 1


def test_names_follow_the_conventions_of_prometheus():
    for family in REGISTRY.collect():
        assert family.name.startswith("trawler_")
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        else:
            assert family.type == "counter"
            assert not family.name.endswith("_total"), "the suffix is added when it is told"
