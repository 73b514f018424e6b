"""The stored shape of a TikTok keyword result, whichever provider told it."""

import dataclasses
from datetime import UTC, datetime

from platforms.normalise.creator import VideoCreator
from platforms.normalise.facts import Facts
from platforms.normalise.numbers import count

PLATFORM = "TikTok"
_LATEST = 253_402_300_799
"""The last second that a date can name, year 9999."""


class TikTokVideo(VideoCreator, frozen=True, rename="camel"):
    """A creator and a video, with two keys beyond the application's own: when it was published, and the country."""

    published_time: datetime | None = None
    """UTC; None where the provider did not tell."""
    country: str = ""
    """Two letters, of the creator; "" where nobody told."""

    def facts(self) -> Facts:
        """What filters may ask."""
        told = VideoCreator.facts(self)
        return dataclasses.replace(told, country=self.country, posted_at=self.published_time)


def published(epoch_seconds: object) -> datetime | None:
    """A moment told as epoch seconds; None for none. 0 is what is sent for nothing."""
    seconds = count(epoch_seconds)
    return datetime.fromtimestamp(seconds, UTC) if seconds and seconds <= _LATEST else None


def known(told: object, path: str, unknown: list[str]) -> int:
    """A counter, or 0 with its path noted among the unknown ones."""
    number = count(told)
    if number is None:
        unknown.append(path)
        return 0
    return number
