"""The page, the dashboard and the alert rules name metrics and labels that exist, and no other."""

import json
import re
from typing import Any

import pytest
import yaml

from console.monitoring.gauges import GAUGES
from tests.fleet import ROOT
from worker.metrics.families import REGISTRY

FOLDER = ROOT / "docs" / "monitoring"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((FOLDER / "grafana_dashboard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
LABELS_OF_GAUGES = {
    **{name: {"lane"} for name in GAUGES if name.startswith("trawler_lane_")},
    **{name: {"provider", "endpoint"} for name in GAUGES if "breaker" in name},
    "trawler_processes": {"kind", "state"},
    "trawler_schema_info": {"revision", "expected"},
    "trawler_build_info": {"release", "python"},
}
"""`test_a_scrape_has_what_the_page_says` compares these with a real scrape."""


def of_counters() -> dict[str, set[str]]:
    """Every sample's name that is counted, with its labels."""
    families = {family.name: family for family in REGISTRY.collect()}
    labels = {collector._name: set(collector._labelnames) for collector in REGISTRY._collector_to_names}
    return {
        name + suffix: labels[name] | ({"le"} if suffix == "_bucket" else set())
        for name, family in families.items()
        for suffix in SUFFIXES[family.type]
    }


KNOWN = of_counters() | {name: LABELS_OF_GAUGES.get(name, set()) for name in GAUGES}


def expressions() -> list[tuple[str, str]]:
    panels: list[Any] = DASHBOARD["panels"]
    told = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]
    return told + [(alert["alert"], alert["expr"]) for alert in ALERTS]


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\btrawler_\w+", text))


def labels_in(expression: str) -> set[str]:
    matched = [re.findall(r"(\w+)\s*[=!]", inside) for inside in re.findall(r"\{([^}]*)\}", expression)]
    grouped = [re.findall(r"\w+", inside) for inside in re.findall(r"\bby \(([^)]*)\)", expression)]
    return {name for names in matched + grouped for name in names}


@pytest.mark.parametrize(("title", "expression"), expressions())
def test_an_expression_names_metrics_and_labels_that_exist(title, expression):
    named = metrics_in(expression)
    assert named
    assert named - KNOWN.keys() == set()
    assert labels_in(expression) - set().union(*(KNOWN[name] for name in named)) == set()
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_the_check_itself_sees_what_is_wrong():
    assert metrics_in("rate(trawler_jobs[5m])") - KNOWN.keys() == {"trawler_jobs"}
    assert labels_in('sum by (lane, user) (trawler_jobs_total{outcome="error"})') == {"lane", "user", "outcome"}


def test_every_metric_is_on_the_dashboard():
    shown = set().union(*(metrics_in(expression) for _, expression in expressions()))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in KNOWN}
    assert families - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == set()


def test_every_metric_has_a_row_on_the_page_with_its_labels_and_no_other_has():
    told: dict[str, set[str]] = {}
    for line in PAGE.splitlines():
        if line.startswith("| `trawler_"):
            names, labels, meaning = (cell.strip() for cell in re.split(r"(?<=\s)\|(?=\s)", line[1:-1]))
            assert meaning
            for name in re.findall(r"`(\w+)`", names):
                told[name] = set(re.findall(r"`(\w+)`", labels))
    families = {name for name in KNOWN if not name.endswith(("_bucket", "_sum", "_count"))}
    histograms = {name.removesuffix("_sum"): KNOWN[name] for name in KNOWN if name.endswith("_sum")}
    assert told == {name: KNOWN[name] for name in families} | histograms


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_what_and_where_its_runbook_is(alert):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert page == "docs/monitoring/README.md"
    headings = {re.sub(r"[^\w]+", "-", title.lower()) for title in re.findall(r"^### (.+)$", PAGE, re.MULTILINE)}
    assert anchor in headings


def test_every_runbook_belongs_to_an_alert_and_every_alert_has_its_own_name():
    anchors = {alert["annotations"]["runbook"].partition("#")[2] for alert in ALERTS}
    section = PAGE.partition("## What to do")[2].partition("\n## ")[0]
    headings = {re.sub(r"[^\w]+", "-", title.lower()) for title in re.findall(r"^### (.+)$", section, re.MULTILINE)}
    assert headings == anchors
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)


def test_every_panel_has_a_description_and_a_place_of_its_own():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert all(panel["description"] for panel in panels)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [(cell, row) for panel in DASHBOARD["panels"] for cell, row in cells(panel["gridPos"])]
    assert len(places) == len(set(places)), "two panels lie over each other"


def cells(place: dict[str, int]) -> list[tuple[int, int]]:
    return [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]
