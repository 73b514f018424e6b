"""An Instagram keyword result as the stored creator, key for key as the application's pages read it."""

import msgspec

from platforms.normalise.creator import Statistics, Video
from platforms.normalise.facts import Document, Facts
from platforms.normalise.instagram_hit import Account, Hit, Post, moment, post_url, shown
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, hashtags, safe_text
from platforms.pages import Item
from platforms.profile import Profile, Provenance

PLATFORM = "Instagram"

_NO_POST = Post("")
_NOTHING = Profile("gone")


class Author(msgspec.Struct, frozen=True, rename="camel"):
    """An account. ``quality_score`` and ``engagement_rate`` are the application's own figures, which nobody tells."""

    name: str
    unique_id: str
    followers: int
    avatar_url: str
    profile_pic_url: str
    verified: bool
    bio: str
    emails: list[str]
    quality_score: int
    engagement_rate: int
    id: str
    following: int
    posts: int
    is_private: bool
    social_links: list[str]
    category: str


class InstagramCreator(Document, frozen=True, rename="camel"):
    """One result of a keyword search. A search for accounts finds no post: the post's strings are "" then."""

    creator: Author
    video: Video
    hashtags: list[str]
    published_time: str
    platform: str
    post_type: str
    media_url: str
    """The post's picture."""
    post_id: str
    short_code: str
    owner_username: str
    owner_full_name: str
    owner_id: str
    enhancement_status: str
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask."""
        return facts_of(self.creator, self.provenance, self.video.statistics, self.published_time)


def instagram_creator(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> InstagramCreator:
    """The stored creator of one result; ``item.raw`` is its `Hit`.

    What the profile tells goes first. A result that is told whole needs no look-up and counts as ``completed``.
    """
    hit: Hit = item.raw
    post, unknown = hit.post or _NO_POST, list(provenance.unknown)
    video = _video(post, hit.post is not None, unknown)
    author = author_of(item, hit.account, profile, unknown)
    return InstagramCreator(
        creator=author,
        video=video,
        hashtags=hashtags(safe_text(post.caption)),
        published_time=shown(post.taken_at),
        platform=PLATFORM,
        post_type=post.kind,
        media_url=safe_text(post.picture_url),
        post_id=post.id,
        short_code=safe_text(post.shortcode),
        owner_username=author.unique_id,
        owner_full_name=safe_text(hit.account.name).strip(),
        owner_id=author.id,
        enhancement_status="completed" if hit.whole else enhancement_status,
        provenance=msgspec.structs.replace(provenance, unknown=unknown),
    )


def author_of(item: Item, account: Account, profile: Profile | None, unknown: list[str]) -> Author:
    """The account of a result; what is not told is noted in ``unknown``."""
    known = profile or _NOTHING
    bio = safe_text(known.bio or account.bio)
    links = list(known.links) or [safe_text(link) for link in account.links]
    avatar = safe_text(account.avatar_url) or known.avatar_url
    verified = account.verified if known.verified is None else known.verified
    if verified is None:
        unknown.append("creator.verified")
    if account.private is None:
        unknown.append("creator.isPrivate")
    return Author(
        name=safe_text(account.name).strip() or known.name or item.handle or "Unknown Creator",
        unique_id=item.handle,
        followers=_number(_first(known.followers, account.followers), "creator.followers", unknown),
        avatar_url=avatar,
        profile_pic_url=avatar,
        verified=bool(verified),
        bio=bio,
        emails=list(known.emails) or emails(bio, links),
        quality_score=_number(None, "creator.qualityScore", unknown),
        engagement_rate=_number(None, "creator.engagementRate", unknown),
        id=item.creator_id,
        following=_number(_first(known.following, account.following), "creator.following", unknown),
        posts=_number(_first(known.posts, account.posts), "creator.posts", unknown),
        is_private=bool(account.private),
        social_links=links,
        category=known.category or safe_text(account.category),
    )


def facts_of(author: Author, provenance: Provenance, told: Statistics, published: str = "") -> Facts:
    """What filters may ask of an account and, where there is one, of its post."""
    unknown = provenance.unknown
    return Facts(
        followers=None if "creator.followers" in unknown else author.followers,
        verified=None if "creator.verified" in unknown else author.verified,
        emails=tuple(author.emails),
        bio=author.bio,
        private=None if "creator.isPrivate" in unknown else author.is_private,
        views=None if "video.statistics.views" in unknown else told.views,
        likes=None if "video.statistics.likes" in unknown else told.likes,
        posted_at=moment(published),
    )


def no_video(unknown: list[str]) -> Video:
    """The video of a creator that was found without one."""
    return _video(_NO_POST, False, unknown)


def _video(post: Post, is_there: bool, unknown: list[str]) -> Video:
    return Video(
        description=safe_text(post.caption) or ("No description" if is_there else ""),
        url=post_url(post),
        statistics=Statistics(
            likes=_number(post.likes, "video.statistics.likes", unknown),
            comments=_number(post.comments, "video.statistics.comments", unknown),
            views=_number(post.views, "video.statistics.views", unknown),
            shares=_number(None, "video.statistics.shares", unknown),
        ),
        id=post.id,
    )


def _first(exact: int | None, told: object) -> object:
    return told if exact is None else exact


def _number(told: object, path: str, unknown: list[str]) -> int:
    """A counter, or 0 with its path noted among the unknown ones."""
    number = count(told)
    if number is None:
        unknown.append(path)
        return 0
    return number
