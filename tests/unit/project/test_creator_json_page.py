"""The page of the creator JSON: one example a kind of search, each exactly what the code would write."""

import json
import re
from datetime import UTC, datetime

import msgspec
import pytest

from platforms.profile import Provenance
from platforms.registry import PLATFORM_NAMES, source_of
from tests.conformance.kits import PAGE_KITS
from worker.settings import ROOT

PAGE = (ROOT / "docs" / "creator_json.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE, re.MULTILINE))


def examples(section: str) -> list[dict]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", SECTIONS[section], re.DOTALL)]


def section_of(kit) -> str:
    return f"{PLATFORM_NAMES[kit.platform]}, {kit.kind} search"


def struct_of(kit) -> type[msgspec.Struct]:
    """What the kit's adapter stores."""
    (item,) = kit.read.parse(kit.page([kit.item(1)], 1), kit.query, kit.walk).items
    provenance = Provenance(kit.provider, kit.read.endpoint, 1, datetime.now(UTC), 1)
    return type(kit.adapter.normalise(item, None, "skipped", provenance))


def test_every_kind_of_search_has_a_section_and_no_other_has():
    assert set(SECTIONS) == {section_of(kit) for kit in PAGE_KITS}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_has_one_example(section):
    assert len(examples(section)) == 1


@pytest.mark.parametrize("kit", PAGE_KITS, ids=lambda kit: kit.name)
def test_the_example_has_exactly_the_keys_and_types_that_are_stored(kit):
    (example,) = examples(section_of(kit))
    # A key that is missing would come back with its default, one that nobody writes would not come back.
    again = json.loads(msgspec.json.encode(msgspec.convert(example, struct_of(kit))))
    assert again == example


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_comes_from_a_source_that_there_is(section):
    (example,) = examples(section)
    provenance = example["provenance"]
    adapter, _ = source_of(provenance["provider"], provenance["endpoint"])
    assert provenance["adapter_version"] == adapter.capability.version
    assert example["platform"] in section


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_names_every_number_that_is_unknown(section):
    (example,) = examples(section)
    for path in example["provenance"]["unknown"]:
        value = example
        for part in path.split("."):
            value = value[part]
        assert value in (0, False), path


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_names_no_real_host_but_the_platforms(section):
    hosts = set(re.findall(r"(?:https?://|[\w.-]+@)([\w.-]+\.[a-z]+)", json.dumps(examples(section))))
    assert hosts
    allowed = {"www.tiktok.com", "www.instagram.com", "www.youtube.com"}
    assert {host for host in hosts if not host.endswith(".example")} <= allowed
