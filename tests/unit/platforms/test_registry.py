"""The list of adapters."""

import pytest

from platforms.contract import SearchKind
from platforms.registry import ADAPTERS, PLATFORM_NAMES, find, supported
from worker.errors import InvalidJob


@pytest.mark.parametrize("name", ["tiktok", "Tiktok", "TIKTOK", "TikTok"])
@pytest.mark.parametrize("provider", [None, "scrapecreators"])
def test_an_adapter_is_found_whatever_the_casing(name, provider):
    assert find(name, SearchKind.KEYWORD, provider) is ADAPTERS[0]


@pytest.mark.parametrize(
    ("platform", "kind", "provider", "seen"),
    [
        ("tiktok", SearchKind.SIMILAR, None, "TikTok similar search is not supported"),
        ("instagram", SearchKind.KEYWORD, None, "Instagram keyword search is not supported"),
        ("myspace", SearchKind.KEYWORD, None, "myspace keyword search is not supported"),
        ("tiktok", SearchKind.KEYWORD, "other", "TikTok keyword search by other is not supported"),
    ],
)
def test_a_search_without_adapter_is_refused_with_what_there_is(platform, kind, provider, seen):
    with pytest.raises(InvalidJob, match=seen) as caught:
        find(platform, kind, provider)
    assert "supported: TikTok keyword search by scrapecreators" in str(caught.value)


def test_each_capability_is_listed_once_under_a_known_platform():
    names = [(one.platform, one.kind, one.provider) for one in supported()]
    assert len(set(names)) == len(names) == len(ADAPTERS)
    assert {one.platform for one in supported()} <= set(PLATFORM_NAMES)
