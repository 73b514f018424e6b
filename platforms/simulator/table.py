"""The one table of endpoints: every provider of the simulator, and which endpoint a path means."""

import re
from collections.abc import Sequence
from pathlib import Path

from platforms.simulator.endpoint import Endpoint, Provider
from platforms.simulator.recordings import replayed

_NAMED = re.compile(r"\{(\w+)\}")


class Table:
    """Finds endpoints. The provider with the longest fitting prefix wins, a path without names before one with.

    With ``replay`` the endpoints answer from that folder. Raises `ConfigurationError` when it cannot be used.
    """

    def __init__(self, providers: Sequence[Provider], replay: Path | None = None) -> None:
        self.providers = tuple(sorted(providers, key=lambda provider: -len(provider.prefix)))
        self._rows = [
            (provider, replayed(endpoint, provider, replay) if replay else endpoint, _pattern(provider, endpoint))
            for provider in self.providers
            for endpoint in sorted(provider.endpoints, key=lambda endpoint: endpoint.path.count("{"))
        ]
        self._exact = {
            (endpoint.method, provider.prefix + endpoint.path): (endpoint, provider)
            for provider, endpoint, _ in self._rows
        }
        self.endpoints = {provider.prefix + endpoint.path: endpoint for provider, endpoint, _ in self._rows}
        """By the path that faults and limits call them; of two methods on one path the last."""

    def find(self, method: str, path: str) -> tuple[Endpoint | None, Provider, dict[str, str]]:
        """The endpoint of a call, whose it is, and what stands in its path's names; None for an unknown path."""
        if exact := self._exact.get((method, path)):
            return *exact, {}
        for provider, endpoint, pattern in self._rows:
            if endpoint.method == method and (match := pattern.fullmatch(path)):
                return endpoint, provider, match.groupdict()
        return None, next(one for one in self.providers if path.startswith(one.prefix)), {}


def _pattern(provider: Provider, endpoint: Endpoint) -> re.Pattern[str]:
    path = _NAMED.sub(r"(?P<\1>[^/]+)", endpoint.path)
    version = f"(?:{provider.optional})?" if provider.optional else ""
    return re.compile(re.escape(provider.prefix) + version + path)
