"""Recorded answers of any endpoint, found by the beginning of the file's name.

``name.json`` is the first page of a walk, ``name__page2.json`` the second, and so on; each page answers the marker that
the one before it tells. A look-up's answers are ``name.json`` and ``name__anything.json``, found by what they hold.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from platforms.simulator.calls import Call, Good, Refused
from platforms.simulator.endpoint import Endpoint, Place, Provider
from worker.errors import ConfigurationError


def folder_of(folder: Path, provider: str) -> Path:
    """Where a provider's recordings are: a folder of its name below this one, if there is one, else here.

    Raises `ConfigurationError` when the folder does not exist.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"The replay folder {folder} does not exist; give a folder of recorded answers.")
    return folder / provider if (folder / provider).is_dir() else folder


def replayed(endpoint: Endpoint, provider: Provider, folder: Path) -> Endpoint:
    """The endpoint with its recorded answers; one without any knows nobody. Raises `ConfigurationError`."""
    if endpoint.recorded is None:
        return endpoint
    place, name = folder_of(folder, provider.name), endpoint.recorded
    files = [path for path in sorted(place.glob(f"{name}*.json")) if path.stem.partition("__")[0] == name]
    if name.partition("__")[0] != name:
        files = sorted(place.glob(f"{name}.json"))
    if not files:
        return replace(endpoint, answer=_Nothing(provider))
    if endpoint.keys:
        return replace(endpoint, answer=_LookUp(endpoint, provider, [read(path) for path in files]))
    numbered = [place / f"{name}.json", *(place / f"{name}__page{number}.json" for number in range(2, len(files) + 1))]
    pages = [read(path) for path in numbered if path.exists()]
    return replace(endpoint, answer=_Pages(endpoint, pages)) if pages else replace(endpoint, answer=_Nothing(provider))


def read(path: Path) -> Any:
    """One recorded answer. Raises `ConfigurationError` when it is not JSON."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not JSON: {error}.") from error


def read_object(path: Path) -> dict[str, Any]:
    """One recorded answer that is an object. Raises `ConfigurationError` when it is not."""
    answer = read(path)
    if not isinstance(answer, dict):
        raise ConfigurationError(f"{path} holds no JSON object; every recorded answer of it is one.")
    return answer


class _Nothing:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, call: Call, account: str) -> Good:
        raise Refused(self._provider.error(404))


class _Pages:
    def __init__(self, endpoint: Endpoint, pages: list[Any]) -> None:
        self._shape = endpoint.shape
        self._pages = pages
        markers = [_at(page, self._shape.cursor) for page in pages[:-1]] if self._shape.cursor else []
        # An endpoint that tells no marker is asked by the number of the page.
        told = markers or list(range(2, len(pages) + 1))
        self._by_marker = {str(marker): number for number, marker in enumerate(told, 1)}

    def __call__(self, call: Call, account: str) -> Good:
        asked = call.facts.get(self._shape.asked or "", "")
        if asked in ("", "0") or (asked == "1" and self._shape.cursor is None):
            return Good(self._pages[0])
        if asked in self._by_marker:
            return Good(self._pages[self._by_marker[asked]])
        return Good(self._end())

    def _end(self) -> Any:
        """The last page without its results and its marker."""
        page = msgspec.json.decode(msgspec.json.encode(self._pages[-1]))
        if isinstance(page, list):
            return []
        for place in self._shape.lists:
            if isinstance(_at(page, place), list):
                _at(page, place[:-1])[place[-1]] = []
        if self._shape.cursor and isinstance(holder := _at(page, self._shape.cursor[:-1]), dict):
            holder.pop(self._shape.cursor[-1], None)
        return {**page, "has_more": 0} if "has_more" in page else page


class _LookUp:
    def __init__(self, endpoint: Endpoint, provider: Provider, answers: list[Any]) -> None:
        self._endpoint = endpoint
        self._provider = provider
        self._many = len(endpoint.key) > 1 and endpoint.key[0] == "items"
        self._found: dict[str, Any] = {}
        for answer in answers:
            for entry in answer.get("items", []) if self._many else [answer]:
                for key in (endpoint.key[1:] if self._many else endpoint.key, ("handle",)):
                    if isinstance(value := _at(entry, key), str):
                        self._found[_folded(value)] = entry

    def __call__(self, call: Call, account: str) -> Good:
        asked = [call.params[name] for name in self._endpoint.keys if call.params.get(name)]
        if self._many:
            ids = [one for text in asked for one in text.split(",")]
            entries = [self._found[_folded(one)] for one in ids if _folded(one) in self._found]
            return Good({"pageInfo": {"totalResults": len(entries)}, **({"items": entries} if entries else {})})
        for one in asked:
            if (entry := self._found.get(_folded(one))) is not None:
                return Good(entry)
        raise Refused(self._provider.error(404))


def _folded(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2].removeprefix("@").lower()


def _at(value: Any, place: Place | None) -> Any:
    for key in place or ():
        value = value.get(key) if isinstance(value, dict) else None
    return value
