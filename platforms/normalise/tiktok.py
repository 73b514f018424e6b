"""A TikTok search result as the stored creator."""

import msgspec

from platforms.normalise.aweme import Author, Aweme, Counters, Picture
from platforms.normalise.creator import Creator, Statistics, Video
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, hashtags, safe_text, unique_hashtags
from platforms.normalise.tiktok_video import PLATFORM, TikTokVideo, known, published
from platforms.pages import Item
from platforms.profile import Profile, Provenance

HASHTAG = 1
"""The ``type`` of a hashtag in ``text_extra``."""


def tiktok_creator(item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance) -> TikTokVideo:
    """The stored creator of one result; ``item.raw`` is its `Aweme`. What the profile tells exactly goes first."""
    aweme: Aweme = item.raw
    unknown: list[str] = []
    video = _video(aweme, item, unknown)
    creator = _creator(aweme.author, item, profile, unknown)
    return TikTokVideo(
        creator=creator,
        video=video,
        hashtags=_hashtags(aweme),
        platform=PLATFORM,
        published_time=published(aweme.create_time),
        country=profile.country if profile else "",
        enhancement_status=enhancement_status,
        provenance=msgspec.structs.replace(provenance, unknown=[*provenance.unknown, *unknown]),
    )


def _creator(author: Author, item: Item, profile: Profile | None, unknown: list[str]) -> Creator:
    bio = safe_text((profile.bio if profile else "") or author.signature or "")
    avatar = jpeg_of(author.avatar_medium) or (profile.avatar_url if profile else "")
    exact = profile.followers if profile else None
    # A hashtag search tells 0 for everybody, also for those with millions.
    followers = exact if exact is not None else count(author.follower_count) or None
    verified = profile.verified if profile else None
    if verified is None:
        verified = bool(author.custom_verify or author.enterprise_verify_reason)
    return Creator(
        name=safe_text(author.nickname or "").strip() or item.handle or "Unknown Creator",
        unique_id=item.handle,
        followers=known(followers, "creator.followers", unknown),
        avatar_url=avatar,
        profile_pic_url=avatar,
        bio=bio,
        emails=list(profile.emails) if profile and profile.emails else emails(bio),
        verified=verified,
        id=item.creator_id,
    )


def _video(aweme: Aweme, item: Item, unknown: list[str]) -> Video:
    told = aweme.statistics or Counters()
    built = f"https://www.tiktok.com/@{item.handle}/video/{item.content_id}" if item.handle else ""
    return Video(
        description=safe_text(aweme.desc or "") or "No description",
        url=safe_text(aweme.share_url or "") or built,
        statistics=Statistics(
            likes=known(told.digg_count, "video.statistics.likes", unknown),
            comments=known(told.comment_count, "video.statistics.comments", unknown),
            views=known(told.play_count, "video.statistics.views", unknown),
            shares=known(told.share_count, "video.statistics.shares", unknown),
        ),
        id=item.content_id,
    )


def jpeg_of(picture: Picture | None) -> str:
    """The JPEG among a picture's links (browsers show no HEIC), else the last one, else nothing."""
    links = [link for link in (picture and picture.url_list) or [] if link]
    jpegs = (link for link in links if is_jpeg(link))
    return safe_text(next(jpegs, links[-1] if links else ""))


def is_jpeg(link: str) -> bool:
    """Whether a picture link's path, before its signed query, ends as a JPEG's."""
    return link.partition("?")[0].lower().endswith((".jpeg", ".jpg"))


def _hashtags(aweme: Aweme) -> list[str]:
    if aweme.text_extra is None:
        return hashtags(safe_text(aweme.desc or ""))
    return unique_hashtags(mark.hashtag_name or "" for mark in aweme.text_extra if count(mark.type) == HASHTAG)
