"""The list of adapters."""

import pytest

from platforms.contract import SearchKind
from platforms.registry import ADAPTERS, PLATFORM_NAMES, find, supported
from worker.errors import InvalidJob


@pytest.mark.parametrize("name", ["tiktok", "Tiktok", "TIKTOK", "TikTok"])
@pytest.mark.parametrize("providers", [(), ("scrapecreators",)])
def test_an_adapter_is_found_whatever_the_casing(name, providers):
    assert find(name, SearchKind.KEYWORD, providers)[0] is ADAPTERS[0]


def test_providers_that_are_named_come_in_that_order():
    every = find("tiktok", SearchKind.KEYWORD)
    names = [adapter.capability.provider for adapter in reversed(every)]
    assert find("tiktok", SearchKind.KEYWORD, names) == tuple(reversed(every))


@pytest.mark.parametrize(
    ("platform", "kind", "providers", "seen"),
    [
        ("myspace", SearchKind.KEYWORD, (), "myspace keyword search is not supported"),
        ("tiktok", SearchKind.KEYWORD, ("other",), "TikTok keyword search by other is not supported"),
        ("tiktok", SearchKind.KEYWORD, ("scrapecreators", "x" * 90), f"by {'x' * 40} is not supported"),
    ],
)
def test_a_search_without_adapter_is_refused_with_what_there_is(platform, kind, providers, seen):
    with pytest.raises(InvalidJob, match=seen) as caught:
        find(platform, kind, providers)
    assert "supported: TikTok keyword search by scrapecreators" in str(caught.value)


def test_each_capability_is_listed_once_under_a_known_platform():
    names = [(one.platform, one.kind, one.provider) for one in supported()]
    assert len(set(names)) == len(names) == len(ADAPTERS)
    assert {one.platform for one in supported()} <= set(PLATFORM_NAMES)
