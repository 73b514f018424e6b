"""A stored creator (JSON of any shape that was ever stored) and what a profile adds to it; pure."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from actors.enrichment import Enriched
from platforms.pages import Item
from platforms.profile import Profile

IN_CREATOR: Final = {
    "bio": "bio",
    "emails": "emails",
    "verified": "verified",
    "followers": "followers",
    "following": "following",
    "posts": "posts",
    "socialLinks": "links",
    "category": "category",
    "country": "country",
}
"""Keys of the part ``creator``, and the profile's fields that fill them."""

FLAT: Final = {
    "bio": "bio",
    "emails": "emails",
    "is_verified": "verified",
    "followerCount": "followers",
    "followingCount": "following",
    "videoCount": "posts",
    "totalLikes": "likes",
    "socialLinks": "links",
    "country": "country",
}
"""The same beside it."""

ALWAYS: Final = {"bio", "emails", "verified", "followers"}
"""Keys that the part ``creator`` gets even where an old row lacks them; others are filled only where they are."""


@dataclass(frozen=True, slots=True)
class Thin:
    """What a look-up may ask of a stored creator: there is no more to it than the stored keys."""

    whole: bool = False


def item_of(creator: Any) -> Item | None:
    """A stored creator as something to look up.

    None where its profile was read, or nothing tells who it is.
    """
    if not isinstance(creator, dict) or creator.get("enhancementStatus") == "completed":
        return None
    part = creator.get("creator")
    part = part if isinstance(part, dict) else {}
    name = part.get("id") or part.get("channelId") or creator.get("id") or creator.get("ownerId") or ""
    handle = part.get("uniqueId") or part.get("handle") or creator.get("username") or creator.get("handle") or ""
    if not (name or handle):
        return None
    return Item(str(name), "", str(handle).removeprefix("@"), Thin())


def filled(creator: dict[str, Any], profile: Profile | None) -> dict[str, Any]:
    """The creator with what the profile tells; what it does not tell stays. None is a look-up that failed."""
    whole = deepcopy(creator)
    whole["enhancementStatus"] = "failed" if profile is None else "completed"
    if profile is None:
        return whole
    told: set[str] = set()
    part = whole.get("creator")
    if isinstance(part, dict):
        told |= {f"creator.{key}" for key in _fill(part, IN_CREATOR, profile, ALWAYS)}
    told |= _fill(whole, FLAT, profile, set())
    if profile.status == "private" and "is_private" in whole:
        whole["is_private"] = True
    provenance = whole.get("provenance")
    if isinstance(provenance, dict) and isinstance(provenance.get("unknown"), list):
        provenance["unknown"] = [path for path in provenance["unknown"] if path not in told]
    return whole


def _fill(part: dict[str, Any], keys: dict[str, str], profile: Profile, always: set[str]) -> set[str]:
    """Set the keys that the profile tells; give them."""
    told = set()
    for key, name in keys.items():
        value = getattr(profile, name)
        if value is not None and value not in ("", []) and (key in part or key in always):
            part[key] = value
            told.add(key)
    return told


@dataclass(slots=True)
class Filling:
    """One batch that is filled with what was ``found``: no more creators than the plan has ``left``."""

    found: Enriched
    left: int | None
    completed: int = 0
    failed: int = 0
    cut: bool = False
    """Whether creators were left out for the plan."""

    def whole(self, creator: Any) -> Any:
        """The creator as it is to be stored."""
        item = item_of(creator)
        if item is None or item.key not in self.found.profiles:
            return creator
        profile = self.found.profiles[item.key]
        if profile is None and self.found.blocked is not None:
            # It was not this creator's fault, and the next run asks again.
            return creator
        if profile is not None and self.completed == self.left:
            self.cut = True
            return creator
        self.completed += profile is not None
        self.failed += profile is None
        return filled(creator, profile)
