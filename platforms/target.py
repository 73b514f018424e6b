"""The user that a similar search starts from, however people paste it: a handle, ``@handle`` or a profile's link."""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from platforms.normalise.text import safe_text
from worker.errors import InvalidJob

LONGEST_TARGET: Final = 100
"""Characters; the longest handle of the three platforms has 30, a channel id 24."""

_LINK = re.compile(r"(?:https?:)?//|(?:[a-z0-9-]+\.)*(?:tiktok|instagram|youtube)\.com/", re.IGNORECASE)
_NOT_A_NAME: Final = frozenset({"channel", "c", "user"})
"""First parts of a YouTube link's path; the name follows."""


def read_target(target_username: object) -> str | None:
    """The bare handle or channel id; None when nothing is set.

    Raises:
        InvalidJob: Something is set that is no username.
    """
    if target_username is None:
        return None
    text = safe_text(target_username).strip() if isinstance(target_username, str) else None
    if text == "":
        return None
    handle = _handle(text) if text is not None else ""
    if not handle or len(handle) > LONGEST_TARGET or not handle.isprintable() or re.search(r"[\s/@]", handle):
        raise InvalidJob(
            f"target_username is {str(target_username)[:80]!r}; expected one username, with or without @, or a "
            "profile's link. Correct target_username and set the job to pending again."
        )
    return handle


def _handle(text: str) -> str:
    if _LINK.match(text):
        try:
            path = unquote(urlsplit(text if "//" in text else f"//{text}").path)
        except ValueError:
            return ""
        parts = [part for part in path.split("/") if part]
        if parts and parts[0].lower() in _NOT_A_NAME:
            parts = parts[1:]
        text = parts[0] if parts else ""
    return text.partition("?")[0].partition("#")[0].strip().rstrip("/").removeprefix("@")
