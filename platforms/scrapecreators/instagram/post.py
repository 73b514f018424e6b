"""A post as ScrapeCreators' Instagram searches tell it: reels search and hashtag search have the same items.

A missing id, owner or owner's id, or another type where one is named here, makes the item unreadable; counters take
any type. View counts came in some recorded answers and not in others.
"""

from typing import Any

import msgspec

from platforms.normalise.instagram_hit import Account, Hit, Post, handle_of, identifier, item_of, kind_of
from platforms.normalise.instagram_similar import flag
from platforms.pages import Item


class Owner(msgspec.Struct, frozen=True):
    """Who posted. The follower count is there already; bio and links are not."""

    id: str | int
    username: str | None = None
    full_name: str | None = None
    is_verified: Any = None
    is_private: Any = None
    profile_pic_url: str | None = None
    follower_count: Any = None
    post_count: Any = None


class Told(msgspec.Struct, frozen=True):
    """One result. ``taken_at`` is ISO text."""

    id: str | int
    owner: Owner
    shortcode: str | None = None
    url: str | None = None
    caption: str | None = None
    display_url: str | None = None
    thumbnail_src: str | None = None
    typename: str | None = msgspec.field(default=None, name="__typename")
    is_video: Any = None
    taken_at: Any = None
    like_count: Any = None
    comment_count: Any = None
    video_play_count: Any = None
    video_view_count: Any = None


def post_item(told: Told) -> Item:
    """The post as an item. Raises `ShapeError` (``no_creator_id``, ``no_content_id``)."""
    owner = told.owner
    account = Account(
        id=identifier(owner.id),
        handle=handle_of(owner.username),
        name=owner.full_name or "",
        avatar_url=owner.profile_pic_url or "",
        verified=flag(owner.is_verified),
        private=flag(owner.is_private),
        followers=owner.follower_count,
        posts=owner.post_count,
    )
    post = Post(
        id=identifier(told.id),
        shortcode=told.shortcode or "",
        url=told.url or "",
        caption=told.caption or "",
        picture_url=told.display_url or told.thumbnail_src or "",
        kind=kind_of(told.typename, flag(told.is_video)),
        taken_at=told.taken_at,
        likes=told.like_count,
        comments=told.comment_count,
        # Plays are what Instagram shows as views; its older view count leaves most of them out.
        views=told.video_view_count if told.video_play_count is None else told.video_play_count,
    )
    return item_of(Hit(account, post))
