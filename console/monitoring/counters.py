"""What all processes counted, as Prometheus reads it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Metric

from db.queries.metrics import Sample
from worker.metrics import families

SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
AT_NOTHING: Final = {
    "trawler_double_runs": ("write", ("page", "settle")),
    "trawler_configuration_errors": ("kind", ("provider", "value")),
}
"""Counters that are told before they count, as are those of each lane: what begins at 1 shows no increase."""


def counters(counted: Sequence[Sample], lanes: Iterable[str]) -> list[Metric]:
    """Every family of this release with what was counted of it; rows of another release's families are left out."""
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in counted:
        by_name[sample.name].append(sample)
    found = []
    for family, starts in _families(lanes):
        told = set()
        for suffix in SUFFIXES[family.type]:
            for sample in sorted(by_name[family.name + suffix], key=_order):
                family.add_sample(sample.name, sample.labels, sample.value)
                told.add((sample.name, tuple(sorted(sample.labels.items()))))
        for labels in starts:
            if (f"{family.name}_total", tuple(sorted(labels.items()))) not in told:
                family.add_sample(f"{family.name}_total", labels, 0.0)
        found.append(family)
    return found


def _families(lanes: Iterable[str]) -> Iterable[tuple[Metric, list[dict[str, str]]]]:
    names = list(lanes)
    for described in families.REGISTRY.collect():
        family = Metric(described.name, described.documentation, described.type)
        starts: list[dict[str, str]] = []
        if described.name in AT_NOTHING:
            label, values = AT_NOTHING[described.name]
            starts = [{label: value} for value in values]
        elif described.name == "trawler_crashes":
            starts = [{"lane": name} for name in names]
        yield family, starts


def _order(sample: Sample) -> tuple[list[tuple[str, str]], float]:
    # The buckets of one histogram stand together and grow.
    rest = sorted((name, value) for name, value in sample.labels.items() if name != "le")
    return rest, float(sample.labels.get("le", "0"))
