"""Which providers a search is given to, and in which order."""

from collections.abc import Mapping, Sequence

from platforms.contract import Adapter, Query
from platforms.registry import find, supported
from worker.errors import ConfigurationError


def adapters_of(query: Query, order: Mapping[str, Sequence[str]]) -> tuple[Adapter, ...]:
    """The adapters for a query, best first: those the job names, else those the settings name, else all there are.

    Raises `InvalidJob` when there is none for this search, or none for a provider that is named.
    """
    return find(query.platform, query.kind, query.providers or order.get(f"{query.platform}.{query.kind}", ()))


def check_order(order: Mapping[str, Sequence[str]]) -> None:
    """Compare TRAWLER_PROVIDERS with the adapters there are.

    Raises:
        ConfigurationError: It names a search or a provider that does not exist, one twice, or none; all are told.
    """
    known: dict[str, list[str]] = {}
    for capability in supported():
        known.setdefault(f"{capability.platform}.{capability.kind}", []).append(capability.provider)
    problems = []
    for search, providers in order.items():
        if search not in known:
            problems.append(f"it names the search {search[:60]!r}; expected one of {', '.join(known)}")
            continue
        expected = f"expected some of {', '.join(known[search])}, best first, each once"
        if not providers:
            problems.append(f"{search} has no provider; {expected}")
        problems += [f"{search} names {name[:60]!r}; {expected}" for name in providers if name not in known[search]]
        if len(set(providers)) < len(providers):
            problems.append(f"{search} names a provider twice; {expected}")
    if problems:
        told = "\n".join(f"  TRAWLER_PROVIDERS: {problem}" for problem in problems)
        raise ConfigurationError(f"settings are wrong; mend them in the environment or in .env:\n{told}")
