"""TikTok's recorded keyword walk and profiles, served by cursor and handle. `recordings` has the other endpoints.

Files are read once, when the simulator starts.
"""

from pathlib import Path
from typing import Any

from platforms.simulator import tiktok_answers
from platforms.simulator.recordings import folder_of, read_object
from platforms.simulator.settings import CURSOR_STEP
from worker.errors import ConfigurationError

_WALK = "tiktok_search_keyword"


class Replay:
    """A folder's answers. Every query gets its one walk; page k answers the cursors from 30 k to 30 k + 29.

    Raises `ConfigurationError` when the folder or a file of it is missing or cannot be read as JSON.
    """

    def __init__(self, folder: Path) -> None:
        folder = folder_of(folder, "scrapecreators")
        self._pages = _walk(folder)
        end = folder / f"{_WALK}__end_no_list.json"
        self._end = read_object(end) if end.exists() else None
        self._profiles = _profiles(folder)

    def search(self, query: str, cursor: int) -> dict[str, Any]:
        """The recorded page that ``cursor`` falls into, or the end; its own cursor is the asked one plus 30."""
        page, following = cursor // CURSOR_STEP, cursor + CURSOR_STEP
        if page < len(self._pages):
            return {**self._pages[page], "cursor": following}
        if self._end is not None:
            return {**self._end, "cursor": following}
        return tiktok_answers.search_end(query, following)

    def profile(self, handle: str) -> dict[str, Any] | None:
        """The recorded profile of a handle, in any case of letters; None when there is no recording."""
        return self._profiles.get(handle.lower())


def _walk(folder: Path) -> list[dict[str, Any]]:
    first = folder / f"{_WALK}.json"
    if not first.exists():
        raise ConfigurationError(f"{first} is missing; it is the first page of the recorded walk.")
    pages = [read_object(first)]
    while (path := folder / f"{_WALK}__page{len(pages) + 1}.json").exists():
        pages.append(read_object(path))
    later = [path for path in folder.glob(f"{_WALK}__page*.json") if _page_number(path) > len(pages)]
    if later:
        raise ConfigurationError(f"{path} is missing, but {min(later).name} is there; a walk must have no gap.")
    return pages


def _page_number(path: Path) -> int:
    digits = path.stem.removeprefix(f"{_WALK}__page")
    return int(digits) if digits.isdecimal() else 0


def _profiles(folder: Path) -> dict[str, dict[str, Any]]:
    """By lower-case handle. ``tiktok_profiles.json`` wins over single files, a later name over an earlier one."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("tiktok_profile*.json")):
        answer = read_object(path)
        if path.stem == "tiktok_profiles":
            continue
        user = answer.get("user")
        if isinstance(user, dict) and isinstance(user.get("uniqueId"), str):
            found[user["uniqueId"].lower()] = answer
        elif isinstance(answer.get("handle"), str) and (
            answer.get("account_private") or answer.get("account_deactivated")
        ):
            found[answer["handle"].lower()] = answer
    many = folder / "tiktok_profiles.json"
    if many.exists():
        for handle, answer in read_object(many).items():
            if not isinstance(answer, dict):
                raise ConfigurationError(f"{many}: the answer of {handle!r} is not an object.")
            found[handle.lower()] = answer
    return found
