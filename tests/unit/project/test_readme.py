"""The README's tables say what the code does."""

import json
import re

import pytest

from actors.providers import PROVIDERS
from platforms.params import KNOWN_PARAMS
from platforms.query import read_query
from platforms.registry import ADAPTERS, PLATFORM_NAMES, find
from worker.settings import ROOT, load_settings

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
INSERTS = re.findall(r"^INSERT INTO scraping_jobs \((.*)\)\nVALUES \((.*)\);$", PAGE, re.MULTILINE)


def table(first_column: str) -> list[list[str]]:
    """The cells of the table whose first column has this head, row by row, without head and line."""
    lines = PAGE.partition(f"\n\n| {first_column} |")[2].partition("\n\n")[0].splitlines()[2:]
    assert lines, f"no table of {first_column}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_what_is_read_today_is_the_registry_in_its_order():
    told = [
        (platform, "similar" if how.startswith("similar") else "keyword", provider)
        for platform, how, through in table("Platform")
        for provider in named(through)
    ]
    there = [(PLATFORM_NAMES[one.platform], str(one.kind), one.provider) for one in (a.capability for a in ADAPTERS)]
    by_search = sorted(there, key=lambda one: one[:2])
    assert sorted(told, key=lambda one: one[:2]) == by_search, "mend the table of what is read today in README.md"


def test_every_search_param_is_listed_and_no_other():
    listed = [name for names, *_ in table("`search_params`") for name in named(names)]
    assert sorted(listed) == sorted(KNOWN_PARAMS)


def test_every_provider_is_listed_with_the_settings_it_needs():
    reaches = {name: sorted(reach(load_settings()).secrets) for name, reach in PROVIDERS.items()}
    assert {named(name)[0]: sorted(named(settings)) for name, settings, _ in table("Provider")} == reaches, (
        "mend the table of providers in README.md"
    )


def test_the_example_rows_can_be_done():
    assert len(INSERTS) >= 3
    kinds = set()
    for names, values in INSERTS:
        row = dict(zip(names.split(", "), re.findall(r"'((?:[^']|'')*)'|(\d+)", values), strict=True))
        given = {name: text or int(number) for name, (text, number) in row.items()}
        for name in {"keywords", "search_params"} & given.keys():
            given[name] = json.loads(given[name])
        query = read_query(
            given["platform"],
            given.get("keywords"),
            given.get("target_username"),
            None,
            given["target_results"],
            given.get("search_params"),
        )
        assert find(query.platform, query.kind)[0].starts(query)
        kinds.add((query.kind, any(word.startswith("#") for word in query.keywords)))
    assert len(kinds) == 3


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z_]{6,})[=`]", PAGE))))
def test_every_setting_that_is_named_exists(name):
    assert re.search(rf"^(?:# )?{name}=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE) or (
        name in ("DATABASE_URL", "REDIS_URL", "TEST_POOLER")
    )
