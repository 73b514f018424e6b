"""Where TikTok keyword pages and profiles come from."""

from typing import Any, Protocol


class Source(Protocol):
    """Recordings, or a made-up catalogue. The caller does not change what it gets."""

    def search(self, query: str, cursor: int) -> dict[str, Any]:
        """The keyword page at a cursor."""

    def profile(self, handle: str) -> dict[str, Any] | None:
        """A profile; None for nobody's handle."""
