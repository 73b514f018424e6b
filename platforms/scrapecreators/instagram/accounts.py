"""Instagram accounts by words: ``GET /v1/instagram/search/profiles``.

Each result tells what the account's profile would, but for the business e-mail, which is null nearly always.
"""

from typing import Any

import msgspec

from platforms.normalise.instagram_hit import Account, Hit, handle_of, identifier, item_of
from platforms.normalise.instagram_similar import flag
from platforms.pages import Item
from platforms.scrapecreators.instagram.links import BioLink, links_of
from platforms.scrapecreators.instagram.search import IndexSearch, reader


class Found(msgspec.Struct, frozen=True):
    """One result."""

    id: str | int
    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    bio_links: list[BioLink] | None = None
    external_url: str | None = None
    is_private: Any = None
    is_verified: Any = None
    category_name: str | None = None
    profile_pic_url: str | None = None
    follower_count: Any = None
    following_count: Any = None
    media_count: Any = None


def account_item(told: Found) -> Item:
    """The account as an item. Raises `ShapeError` (``no_creator_id``)."""
    account = Account(
        id=identifier(told.id),
        handle=handle_of(told.username),
        name=told.full_name or "",
        avatar_url=told.profile_pic_url or "",
        verified=flag(told.is_verified),
        private=flag(told.is_private),
        followers=told.follower_count,
        following=told.following_count,
        posts=told.media_count,
        bio=told.biography or "",
        links=links_of(told.bio_links, told.external_url),
        category=told.category_name or "",
    )
    return item_of(Hit(account, whole=True))


class AccountSearch(IndexSearch):
    """The source."""

    endpoint = "instagram/search/profiles"
    route = "/v1/instagram/search/profiles"
    asks = "query"
    key = "profiles"
    reader = reader(key, Found, account_item)
