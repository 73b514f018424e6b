"""A TikTok account that is like another one, as the stored creator.

The application's documents describe a nested shape, its running code wrote a flat one; pages read either, so each
creator holds both.
"""

import msgspec

from platforms.normalise.creator import Creator
from platforms.normalise.facts import Document, Facts
from platforms.normalise.numbers import count
from platforms.normalise.text import emails, safe_text
from platforms.normalise.tiktok import jpeg_of
from platforms.normalise.tiktok_account import Account, Related, is_private
from platforms.normalise.tiktok_video import PLATFORM, known
from platforms.pages import Item
from platforms.profile import Profile, Provenance


class SimilarCreator(Document, frozen=True):
    """One result of a similar search. Key names are the application's own, of two manners."""

    creator: Creator
    id: str
    username: str
    full_name: str
    is_private: bool
    is_verified: bool
    profile_pic_url: str
    follower_count: int = msgspec.field(name="followerCount")
    following_count: int = msgspec.field(name="followingCount")
    video_count: int = msgspec.field(name="videoCount")
    total_likes: int = msgspec.field(name="totalLikes")
    bio: str
    emails: list[str]
    profile_url: str = msgspec.field(name="profileUrl")
    search_keyword: str = msgspec.field(name="searchKeyword")
    """The word that found it; "" where the target follows it."""
    platform: str
    search_type: str = msgspec.field(name="searchType")
    target_username: str = msgspec.field(name="targetUsername")
    """With ``@``, as the application shows it."""
    enhancement_status: str = msgspec.field(name="enhancementStatus")
    country: str
    """Two letters; "" where nobody told."""
    provenance: Provenance

    def facts(self) -> Facts:
        """What filters may ask."""
        return Facts(
            followers=None if "followerCount" in self.provenance.unknown else self.follower_count,
            verified=self.is_verified,
            emails=tuple(self.emails),
            bio=self.bio,
            private=self.is_private,
            country=self.country,
            likes=None if "totalLikes" in self.provenance.unknown else self.total_likes,
        )


def similar_creator(
    item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
) -> SimilarCreator:
    """The stored creator of one result; ``item.raw`` is its `Related`. What the profile tells exactly goes first."""
    related: Related = item.raw
    account, told = related.account, profile or Profile("found")
    unknown: list[str] = []
    followers = known(_first(told.followers, account.follower_count), "followerCount", unknown)
    if unknown:
        unknown.append("creator.followers")
    creator = _creator(item, account, profile, followers)
    return SimilarCreator(
        creator=creator,
        id=item.creator_id,
        username=item.handle,
        full_name=creator.name,
        is_private=told.status == "private" or is_private(account),
        is_verified=creator.verified,
        profile_pic_url=creator.avatar_url,
        follower_count=followers,
        following_count=known(_first(told.following, account.following_count), "followingCount", unknown),
        video_count=known(_first(told.posts, account.aweme_count), "videoCount", unknown),
        # A list of users tells 0 for accounts that have millions.
        total_likes=known(_first(told.likes, count(account.total_favorited) or None), "totalLikes", unknown),
        bio=creator.bio,
        emails=creator.emails,
        profile_url=f"https://www.tiktok.com/@{item.handle}" if item.handle else "",
        search_keyword=related.word,
        platform=PLATFORM,
        search_type="similar",
        target_username=f"@{related.target}" if related.target else "",
        enhancement_status=enhancement_status,
        country=told.country or safe_text(account.region or "").strip().upper(),
        provenance=msgspec.structs.replace(provenance, unknown=[*provenance.unknown, *unknown]),
    )


def _creator(item: Item, account: Account, profile: Profile | None, followers: int) -> Creator:
    bio = safe_text((profile.bio if profile else "") or account.signature or "")
    avatar = jpeg_of(account.avatar_medium) or (profile.avatar_url if profile else "")
    verified = profile.verified if profile else None
    if verified is None:
        verified = bool(account.custom_verify or account.enterprise_verify_reason)
    return Creator(
        name=safe_text(account.nickname or "").strip() or item.handle or "Unknown Creator",
        unique_id=item.handle,
        followers=followers,
        avatar_url=avatar,
        profile_pic_url=avatar,
        bio=bio,
        emails=list(profile.emails) if profile and profile.emails else emails(bio),
        verified=verified,
        id=item.creator_id,
    )


def _first(exact: int | None, told: object) -> object:
    return told if exact is None else exact
