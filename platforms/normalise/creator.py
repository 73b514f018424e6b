"""The stored creator, key for key: these structs *are* the JSON that the application's pages read.

Keys are never renamed or dropped; additions are allowed (``creator.id``, ``video.id``, ``provenance``). Handles have
no ``@``, hashtags have one ``#``. Numbers that a provider did not tell are 0 and named in ``provenance.unknown``.
"""

import msgspec

from platforms.normalise.facts import Document, Facts
from platforms.profile import Provenance


class Creator(msgspec.Struct, frozen=True, rename="camel"):
    """Who made the video. ``id`` is the platform's stable id; the handle can change."""

    name: str
    unique_id: str
    followers: int
    avatar_url: str
    profile_pic_url: str
    bio: str
    emails: list[str]
    verified: bool
    id: str


class Statistics(msgspec.Struct, frozen=True):
    """Counters of one video at the moment of the answer."""

    likes: int
    comments: int
    views: int
    shares: int


class Video(msgspec.Struct, frozen=True):
    """The video that the search found."""

    description: str
    url: str
    statistics: Statistics
    id: str


class VideoCreator(Document, frozen=True, rename="camel"):
    """One result of a keyword search: a creator and the video that brought them up."""

    creator: Creator
    video: Video
    hashtags: list[str]
    platform: str
    enhancement_status: str
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask."""
        unknown, told = self.provenance.unknown, self.video.statistics
        return Facts(
            followers=None if "creator.followers" in unknown else self.creator.followers,
            verified=self.creator.verified,
            emails=tuple(self.creator.emails),
            bio=self.creator.bio,
            views=None if "video.statistics.views" in unknown else told.views,
            likes=None if "video.statistics.likes" in unknown else told.likes,
        )
