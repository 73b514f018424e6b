"""An account related to another on Instagram, as the stored creator: the flat keys, and the creator part beside them.

The application's documents show the flat keys alone, its pages read the creator part too; both are written. Private
accounts are kept and marked, as the application shows them.
"""

from typing import Any

import msgspec

from platforms.normalise.creator import Video
from platforms.normalise.facts import Document, Facts
from platforms.normalise.instagram import PLATFORM, Author, author_of, facts_of, no_video
from platforms.normalise.instagram_hit import Account, Hit, handle_of, identifier, item_of, profile_url
from platforms.pages import Item
from platforms.profile import Profile, Provenance


class Related(msgspec.Struct, frozen=True):
    """One of Instagram's related profiles, as every reader passes it on. It tells no follower count and no bio."""

    id: str | int
    username: str | None = None
    full_name: str | None = None
    is_private: Any = None
    is_verified: Any = None
    profile_pic_url: str | None = None


class SimilarCreator(Document, frozen=True):
    """One result of a similar search."""

    id: str
    username: str
    full_name: str
    is_private: bool
    is_verified: bool
    profile_pic_url: str
    profile_url: str = msgspec.field(name="profileUrl")
    creator: Author
    video: Video
    """Empty: the search finds accounts."""
    hashtags: list[str]
    platform: str
    enhancement_status: str = msgspec.field(name="enhancementStatus")
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask."""
        return facts_of(self.creator, self.provenance, self.video.statistics)


def related_item(told: Related) -> Item:
    """The account as an item. Raises `ShapeError` (``no_creator_id``)."""
    account = Account(
        id=identifier(told.id),
        handle=handle_of(told.username),
        name=told.full_name or "",
        avatar_url=told.profile_pic_url or "",
        verified=flag(told.is_verified),
        private=flag(told.is_private),
    )
    return item_of(Hit(account))


def flag(told: object) -> bool | None:
    """True or false as told; None for anything else."""
    return told if isinstance(told, bool) else None


def without_target(items: list[Item], target: str, target_id: str = "") -> list[Item]:
    """The items that are not the account itself that the search started from."""
    name = target.casefold()
    return [item for item in items if item.handle.casefold() != name and (not target_id or item.key != target_id)]


def similar_creator(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> SimilarCreator:
    """The stored creator of one result; ``item.raw`` is its `Hit`. What the profile tells goes first."""
    hit: Hit = item.raw
    unknown = list(provenance.unknown)
    video = no_video(unknown)
    author = author_of(item, hit.account, profile, unknown)
    return SimilarCreator(
        id=author.id,
        username=author.unique_id,
        full_name=author.name if hit.account.name.strip() else "",
        is_private=author.is_private,
        is_verified=author.verified,
        profile_pic_url=author.profile_pic_url,
        profile_url=profile_url(author.unique_id),
        creator=author,
        video=video,
        hashtags=[],
        platform=PLATFORM,
        enhancement_status=enhancement_status,
        provenance=msgspec.structs.replace(provenance, unknown=unknown),
    )
