"""Every counter and histogram: its name, what it counts and by which labels.

A name, its labels and its buckets never change their meaning, for the sums of earlier releases stand in the same rows:
what is counted otherwise gets another name. Labels hold words of our own code: never an id, a search word or a name.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""Ours alone: nothing of the process or of libraries, which no sum over processes would make sense of."""

JOBS: Final = Counter(
    "trawler_jobs", "Jobs that ended, by how and why.", ("lane", "outcome", "reason"), registry=REGISTRY
)
WAITS: Final = Counter(
    "trawler_waits", "Slices that gave their job back to wait, by cause.", ("lane", "reason"), registry=REGISTRY
)
RETRIES: Final = Counter(
    "trawler_retries", "Slices that failed and are tried again, by cause.", ("lane", "reason"), registry=REGISTRY
)
LEASE_LOSSES: Final = Counter(
    "trawler_lease_losses", "Slices that lost their lease before they ended.", ("lane", "reason"), registry=REGISTRY
)
DOUBLE_RUNS: Final = Counter(
    "trawler_double_runs",
    "Writes that were refused because the job was somebody else's by then; nothing of them was stored.",
    ("write",),
    registry=REGISTRY,
)
CRASHES: Final = Counter(
    "trawler_crashes", "Leases whose holder died, as the sweep finds them.", ("lane",), registry=REGISTRY
)

_OF_PAGES: Final = ("platform", "provider", "endpoint")
PAGES: Final = Counter("trawler_pages", "Pages that were stored.", _OF_PAGES, registry=REGISTRY)
CREATORS: Final = Counter("trawler_creators", "Creators that were stored.", _OF_PAGES, registry=REGISTRY)
DUPLICATES: Final = Counter(
    "trawler_duplicates", "Items of stored pages whose creator the job had already.", _OF_PAGES, registry=REGISTRY
)
UNREADABLE: Final = Counter(
    "trawler_unreadable_items", "Items of stored pages that went into quarantine.", _OF_PAGES, registry=REGISTRY
)

CALLS: Final = Counter(
    "trawler_provider_calls",
    "Calls that were sent to providers, by what the answer meant; `ended` is a call whose slice was ended meanwhile.",
    ("provider", "endpoint", "outcome"),
    registry=REGISTRY,
)
CALL_SECONDS: Final = Histogram(
    "trawler_provider_call_duration_seconds",
    "Duration of provider calls, with the wait for a free place in the process.",
    ("provider", "endpoint"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
CREDITS: Final = Counter(
    "trawler_credits",
    "Credits that calls cost, in the provider's own unit.",
    ("provider", "endpoint"),
    registry=REGISTRY,
)
CONFIGURATION_ERRORS: Final = Counter(
    "trawler_configuration_errors",
    "What only an operator can mend: `value` of system_configurations, `provider` refused a key or has no balance.",
    ("kind",),
    registry=REGISTRY,
)

_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
CLAIMS: Final = Counter(
    "trawler_claims", "Claims, by whether they leased a task.", ("lane", "result"), registry=REGISTRY
)
CLAIM_SECONDS: Final = Histogram(
    "trawler_claim_duration_seconds",
    "Duration of claims, with the wait for a connection and repeats.",
    buckets=_QUICK,
    registry=REGISTRY,
)
COMMIT_SECONDS: Final = Histogram(
    "trawler_commit_duration_seconds",
    "Duration of page commits, with the wait for a connection and repeats.",
    buckets=_QUICK,
    registry=REGISTRY,
)
QUEUE_SECONDS: Final = Histogram(
    "trawler_queue_age_seconds",
    "How long a job was due when it was claimed; a job that goes on at its old place is left out.",
    ("lane",),
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
    registry=REGISTRY,
)
WAKEUPS_SENT: Final = Counter("trawler_wakeups_sent", "Wake-ups that reconcilers sent.", ("lane",), registry=REGISTRY)
WAKEUPS_RECEIVED: Final = Counter(
    "trawler_wakeups_received", "Wake-ups that workers took.", ("lane",), registry=REGISTRY
)
