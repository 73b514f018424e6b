"""A YouTube keyword result as the stored creator, key for key as the application's pages read it."""

import msgspec

from platforms.normalise.creator import Statistics, Video
from platforms.normalise.facts import Document, Facts
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, hashtags, safe_text
from platforms.normalise.youtube_countries import country_code
from platforms.normalise.youtube_hit import Hit, as_utc, moment
from platforms.pages import Item
from platforms.profile import Profile, Provenance

PLATFORM = "YouTube"
UNKNOWN_NAME = "Unknown Creator"


class Channel(msgspec.Struct, frozen=True, rename="camel"):
    """Who made the video. ``id`` and ``channelId`` are the same; ``handle`` and ``uniqueId`` too, and may be ""."""

    name: str
    followers: int
    avatar_url: str
    profile_pic_url: str
    bio: str
    emails: list[str]
    social_links: list[str]
    channel_id: str
    handle: str
    unique_id: str
    verified: bool
    country: str
    joined_date_text: str
    id: str


class YouTubeCreator(Document, frozen=True, rename="camel"):
    """One result of a keyword search: a channel and the video that brought it up."""

    creator: Channel
    video: Video
    hashtags: list[str]
    published_time: str
    """UTC. Some providers compute it from ``publishedTimeText``, and then it is that rough."""
    published_time_text: str
    length_seconds: int
    keywords: list[str]
    platform: str
    enhancement_status: str
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask."""
        return facts_of(self.creator, self.provenance, self.published_time, self.video.statistics)


def facts_of(creator: Channel, provenance: Provenance, published: str, told: Statistics | None = None) -> Facts:
    """What filters may ask of a channel and, where there is one, of the video."""
    unknown = provenance.unknown
    return Facts(
        followers=None if "creator.followers" in unknown else creator.followers,
        verified=None if "creator.verified" in unknown else creator.verified,
        emails=tuple(creator.emails),
        bio=creator.bio,
        country=country_code(creator.country),
        views=None if told is None or "video.statistics.views" in unknown else told.views,
        likes=None if told is None or "video.statistics.likes" in unknown else told.likes,
        posted_at=moment(published) if published else None,
    )


def youtube_creator(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> YouTubeCreator:
    """The stored creator of one result; ``item.raw`` is its `Hit`. What the profile tells goes first."""
    hit: Hit = item.raw
    unknown: list[str] = []
    statistics = Statistics(
        likes=number(hit.likes, "video.statistics.likes", unknown),
        comments=number(hit.comments, "video.statistics.comments", unknown),
        views=number(hit.views, "video.statistics.views", unknown),
        # No interface of YouTube's counts shares.
        shares=number(None, "video.statistics.shares", unknown),
    )
    return YouTubeCreator(
        creator=channel_of(item, hit, profile, unknown),
        video=Video(
            description=safe_text(hit.title) or "No description",
            url=safe_text(hit.url) or video_url(hit.video_id),
            statistics=statistics,
            id=safe_text(hit.video_id),
        ),
        hashtags=hashtags(safe_text(f"{hit.title}\n{hit.text}")),
        published_time=as_utc(hit.published_time),
        published_time_text=safe_text(hit.published_text),
        length_seconds=number(hit.seconds, "lengthSeconds", unknown),
        keywords=[safe_text(hit.word)] if hit.word else [],
        platform=PLATFORM,
        enhancement_status=enhancement_status,
        provenance=msgspec.structs.replace(provenance, unknown=[*provenance.unknown, *unknown]),
    )


def channel_of(item: Item, hit: Hit, profile: Profile | None, unknown: list[str]) -> Channel:
    """The channel of a result; what is not told is noted in ``unknown``."""
    known = profile or Profile(status="gone")
    bio = safe_text(known.bio or hit.bio)
    avatar = safe_text(known.avatar_url or hit.avatar_url)
    handle = known.handle or item.handle
    verified = hit.verified if known.verified is None else known.verified
    if verified is None:
        unknown.append("creator.verified")
    exact = known.followers if known.followers is not None else hit.followers
    return Channel(
        name=safe_text(hit.name).strip() or known.name or handle or UNKNOWN_NAME,
        followers=number(exact, "creator.followers", unknown),
        avatar_url=avatar,
        profile_pic_url=avatar,
        bio=bio,
        emails=list(known.emails) or emails(bio),
        social_links=list(known.links),
        channel_id=item.creator_id,
        handle=handle,
        unique_id=handle,
        verified=bool(verified),
        country=known.country,
        joined_date_text=known.joined,
        id=item.creator_id,
    )


def video_url(video_id: str) -> str:
    """A video's page; "" without an id."""
    return f"https://www.youtube.com/watch?v={safe_text(video_id)}" if video_id else ""


def number(told: object, path: str, unknown: list[str]) -> int:
    """A counter, or 0 with its path noted among the unknown ones."""
    counted = count(told)
    if counted is None:
        unknown.append(path)
        return 0
    return counted
