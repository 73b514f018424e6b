"""The page on adding an adapter names what there is; and what it asks for is there for every adapter."""

import re

import pytest

from actors.providers import PROVIDERS
from platforms import contract, outcome, pace, pages, reading, registry, words
from platforms.registry import ADAPTERS
from tests import fleet
from tests.acceptance import test_every_capability
from tests.conformance import kit, kits
from worker.settings import ROOT

PAGE = (ROOT / "docs" / "adding_an_adapter.md").read_text(encoding="utf-8")
NAMED = sorted({name for block in PAGE.split("```")[::2] for name in re.findall(r"`([^`]+)`", block)})
PATHS = [name for name in NAMED if ("/" in name or name.endswith(".md")) and "<" not in name]
FILES_OF_A_PROVIDER = [name for name in NAMED if re.fullmatch(r"\w+\.py", name) and name != "__init__.py"]
NAMES = [
    name for name in NAMED if re.fullmatch(r"[A-Za-z_]+(\.\w+)?(\(.*\))?", name) and not name.endswith((".py", ".md"))
]


def known_names() -> set[str]:
    """What the page may call by name: of the modules it is about, and fields of their types."""
    found = {"keyword", "similar", "no_related", "version"}
    for module in (contract, outcome, pace, pages, reading, registry, words, fleet, kit, kits, test_every_capability):
        for name, value in vars(module).items():
            found.add(name)
            if isinstance(value, type):
                found |= {*vars(value), *getattr(value, "__annotations__", ()), *getattr(value, "__members__", ())}
                found |= {f"{name}.{field}" for field in (*vars(value), *getattr(value, "__annotations__", ()))}
    for path in ("platforms/youtube_data_api/client.py", "actors/providers.py", "platforms/normalise/facts.py"):
        found |= set(re.findall(r"^(?:class |    def |def )?(\w+)\b", (ROOT / path).read_text(), re.MULTILINE))
    shape = (ROOT / "platforms/simulator/endpoint.py").read_text(encoding="utf-8")
    return found | set(re.findall(r"^class (\w+)", shape, re.MULTILINE))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_on_the_page_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "provider", ["youtube_data_api", "instagram_graph", "tiktok_research", "apify", "scrapecreators"]
)
@pytest.mark.parametrize("name", FILES_OF_A_PROVIDER)
def test_every_provider_has_the_files_that_the_page_asks_for(provider, name):
    assert (ROOT / "platforms" / provider / name).exists()


def test_every_name_on_the_page_exists():
    assert len(NAMES) > 25
    assert sorted({name.partition("(")[0] for name in NAMES} - known_names()) == []


def test_every_test_that_the_page_runs_exists():
    runs = re.findall(r"\./run test(?:-all)? (\S+)", PAGE)
    assert len(runs) == 3
    assert [path for path in runs if not (ROOT / path).exists()] == []


def test_every_provider_of_the_registry_can_be_reached_and_every_other_is_used():
    used = {adapter.capability.provider for adapter in ADAPTERS}
    assert used - set(PROVIDERS) == set(), "add an entry to PROVIDERS in actors/providers.py"
    assert set(PROVIDERS) - used == set()


def test_the_settings_of_every_provider_are_those_of_a_test_alone():
    told = fleet.every_provider("http://127.0.0.1:9")
    assert [name for name in told if not name.startswith(fleet.OURS)] == []
    assert all((ROOT / ".env.example").read_text(encoding="utf-8").count(name) for name in told)
