"""A video of TikTok's Research API as the stored creator: the same shape as any TikTok keyword result."""

from typing import Any

import msgspec

from platforms.normalise.aweme import identifier
from platforms.normalise.creator import Creator, Statistics, Video
from platforms.normalise.text import emails, hashtags, safe_text, unique_hashtags
from platforms.normalise.tiktok_video import PLATFORM, TikTokVideo, known, published
from platforms.pages import Item
from platforms.profile import Profile, Provenance
from worker.errors import ShapeError


class ResearchVideo(msgspec.Struct, frozen=True):
    """One video; only fields that were asked for come, and some are missing all the same."""

    id: str | int | None = None
    video_id: str | int | None = None
    """What ``id`` is called in older answers."""
    username: str | None = None
    """The handle, and the only identity of the creator that is told."""
    video_description: str | None = None
    create_time: Any = None
    region_code: str | None = None
    view_count: Any = None
    like_count: Any = None
    comment_count: Any = None
    share_count: Any = None
    hashtag_names: list[str | None] | None = None


def item_of(video: ResearchVideo) -> Item:
    """The video as an item. Raises `ShapeError` (``no_creator_id``, ``no_content_id``)."""
    handle = safe_text(video.username or "").strip().lstrip("@")
    told_id = video.video_id if video.id is None else video.id
    content_id = "" if told_id is None else identifier(told_id)
    if not handle:
        raise ShapeError("no_creator_id", "expected the creator's username, seen none")
    if not content_id:
        raise ShapeError("no_content_id", "expected the video's id, seen none")
    return Item("", content_id, handle, video)


def research_creator(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> TikTokVideo:
    """The stored creator of one result; ``item.raw`` is its `ResearchVideo`."""
    video: ResearchVideo = item.raw
    told = profile or Profile("found")
    unknown: list[str] = []
    caption = safe_text(video.video_description or "")
    tags = hashtags(caption) if video.hashtag_names is None else unique_hashtags(n or "" for n in video.hashtag_names)
    return TikTokVideo(
        creator=Creator(
            name=told.name or item.handle,
            unique_id=item.handle,
            followers=known(told.followers, "creator.followers", unknown),
            avatar_url=told.avatar_url,
            profile_pic_url=told.avatar_url,
            bio=told.bio,
            emails=list(told.emails) or emails(told.bio),
            verified=told.verified is True,
            id="",
        ),
        video=Video(
            description=caption or "No description",
            url=f"https://www.tiktok.com/@{item.handle}/video/{item.content_id}",
            statistics=Statistics(
                likes=known(video.like_count, "video.statistics.likes", unknown),
                comments=known(video.comment_count, "video.statistics.comments", unknown),
                views=known(video.view_count, "video.statistics.views", unknown),
                shares=known(video.share_count, "video.statistics.shares", unknown),
            ),
            id=item.content_id,
        ),
        hashtags=tags,
        platform=PLATFORM,
        enhancement_status=enhancement_status,
        published_time=published(video.create_time),
        country=told.country or safe_text(video.region_code or "").strip().upper(),
        provenance=msgspec.structs.replace(provenance, unknown=[*provenance.unknown, *unknown]),
    )
