"""Instagram by ScrapeCreators."""

from typing import Any

from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from platforms.scrapecreators.instagram.related import RULES
from platforms.scrapecreators.outcomes import SEARCH_RULES
from tests.conformance.kit import JSON, Kit, answer
from tests.conformance.kits.scrapecreators_answers import SEARCH_ANSWERS, TARGET_ANSWERS

WORD = "studio coffee"
TARGET = "roastery"
NOBODY = {"creator.qualityScore", "creator.engagementRate"}
"""Figures of the application's own, which no provider tells."""


def post(number: int) -> dict[str, Any]:
    """One post, cut down, with some keys that nobody reads."""
    return {
        "id": f"37230452137{number:08}",
        "__typename": "XDTGraphVideo",
        "shortcode": f"DOq{number}",
        "url": f"https://www.instagram.com/reel/DOq{number}/",
        "caption": f"Latte number {number} #latte, #קפה",
        "display_url": f"https://scontent.example/{number}.jpg?stp=x",
        "thumbnail_src": f"https://scontent.example/{number}_small.jpg",
        "video_duration": 75.7,
        "is_video": True,
        "owner": {
            "id": f"178414000{number:08}",
            "username": f"barista{number}",
            "full_name": f"Barista {number}",
            "is_verified": False,
            "is_private": False,
            "profile_pic_url": f"https://scontent.example/face{number}.jpg",
            "follower_count": 1200 + number,
            "post_count": 117,
        },
        "taken_at": "2025-09-16T18:56:45+02:00",
        "like_count": 400,
        "comment_count": 30,
        "comments": [{"id": "5", "text": "nice", "owner": {"id": "6"}}],
    }


def creator_part(number: int, **more: Any) -> dict[str, Any]:
    """The creator part of all that is stored."""
    avatar = f"https://scontent.example/face{number}.jpg"
    return {
        "name": f"Barista {number}",
        "uniqueId": f"barista{number}",
        "followers": 0,
        "avatarUrl": avatar,
        "profilePicUrl": avatar,
        "verified": False,
        "bio": "",
        "emails": [],
        "qualityScore": 0,
        "engagementRate": 0,
        "id": f"178414000{number:08}",
        "following": 0,
        "posts": 0,
        "isPrivate": False,
        "socialLinks": [],
        "category": "",
        **more,
    }


NO_VIDEO = {
    "description": "",
    "url": "",
    "statistics": {"likes": 0, "comments": 0, "views": 0, "shares": 0},
    "id": "",
}


def post_creator(number: int) -> dict[str, Any]:
    """What `post` is stored as, without its provenance, when no profile was looked up."""
    return {
        "creator": creator_part(number, followers=1200 + number, posts=117),
        "video": {
            "description": f"Latte number {number} #latte, #קפה",
            "url": f"https://www.instagram.com/reel/DOq{number}/",
            "statistics": {"likes": 400, "comments": 30, "views": 0, "shares": 0},
            "id": f"37230452137{number:08}",
        },
        "hashtags": ["#latte", "#קפה"],
        "publishedTime": "2025-09-16T16:56:45.000Z",
        "platform": "Instagram",
        "postType": "Video",
        "mediaUrl": f"https://scontent.example/{number}.jpg?stp=x",
        "postId": f"37230452137{number:08}",
        "shortCode": f"DOq{number}",
        "ownerUsername": f"barista{number}",
        "ownerFullName": f"Barista {number}",
        "ownerId": f"178414000{number:08}",
        "enhancementStatus": "skipped",
    }


def account(number: int) -> dict[str, Any]:
    """One result of a search for accounts."""
    return {
        "id": f"178414000{number:08}",
        "username": f"barista{number}",
        "full_name": f"Barista {number}",
        "biography": f"Latte number {number}. Mail: hello{number}@roastery.example",
        "bio_links": [{"title": "Shop", "url": "https://shop.example/1", "lynx_url": "https://l.example/?u=1"}],
        "external_url": "https://shop.example/1",
        "is_private": False,
        "is_verified": True,
        "category_name": "Cafe",
        "profile_pic_url": f"https://scontent.example/face{number}.jpg",
        "follower_count": 1200 + number,
        "following_count": 12,
        "media_count": 117,
        "matched_from": "profile",
    }


def account_creator(number: int) -> dict[str, Any]:
    """What `account` is stored as: the creator part of a post's, with an empty video."""
    return {
        **post_creator(number),
        "creator": creator_part(
            number,
            followers=1200 + number,
            following=12,
            posts=117,
            verified=True,
            bio=f"Latte number {number}. Mail: hello{number}@roastery.example",
            emails=[f"hello{number}@roastery.example"],
            socialLinks=["https://shop.example/1"],
            category="Cafe",
        ),
        "video": NO_VIDEO,
        "hashtags": [],
        **dict.fromkeys(("publishedTime", "postType", "mediaUrl", "postId", "shortCode"), ""),
        "enhancementStatus": "completed",
    }


def related(number: int) -> dict[str, Any]:
    """One related account, as Instagram tells it."""
    return {
        "id": f"178414000{number:08}",
        "username": f"barista{number}",
        "full_name": f"Barista {number}",
        "is_private": False,
        "is_verified": True,
        "profile_pic_url": f"https://scontent.example/face{number}.jpg",
    }


def related_creator(number: int) -> dict[str, Any]:
    """What `related` is stored as, without its provenance, when no profile was looked up."""
    return {
        **related(number),
        "profileUrl": f"https://www.instagram.com/barista{number}",
        "creator": creator_part(number, verified=True),
        "video": NO_VIDEO,
        "hashtags": [],
        "platform": "Instagram",
        "enhancementStatus": "skipped",
    }


def reels_page(items: list[Any], number: int) -> Response:
    """One page; which one it is, only the request says."""
    return answer({"success": True, "credits_remaining": 5, "credits_charged": 1, "reels": items})


def hashtag_page(items: list[Any], number: int) -> Response:
    """One page; the cursor is the next page's number, as text."""
    return answer({"success": True, "credits_charged": 1, "posts": items, "cursor": str(number + 1)})


def accounts_page(items: list[Any], number: int) -> Response:
    """One page of accounts."""
    return answer({"success": True, "credits_charged": 1, "profiles": items, "cursor": str(number + 1)})


def target_answer(edges: list[Any] | None, **user: Any) -> Response:
    """The target's profile with its related accounts; without that key where there are none to tell."""
    told = {} if edges is None else {"edge_related_profiles": {"edges": edges}}
    whole = {"id": "99", "username": TARGET, "is_private": False, **told, **user}
    return answer({"success": True, "credits_charged": 1, "status": "ok", "data": {"user": whole}})


def shapes(page: Any, key: str, item: Any) -> dict[str, Response]:
    """Answers of other shapes."""
    return {
        "missing_list": answer({"success": True, "cursor": "2"}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({key: {"0": item}}),
        "all_items_unreadable": page([{"node": item}, {"node": item}], 1),
        "not_json": Response(200, JSON, f'{{"{key}": [{{"id": "7'.encode()),
    }


REELS = Kit(
    platform="instagram",
    kind="keyword",
    provider="scrapecreators",
    source="search",
    query=Query("instagram", SearchKind.KEYWORD, keywords=(WORD,), options={"date_posted": "last-week", "other": "x"}),
    walk=start_walk("search", WORD, 1),
    first_request=("/v2/instagram/reels/search", {"query": WORD, "date_posted": "last-week"}),
    good=reels_page([post(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": reels_page([post(1)], 1)},
    wrong_shapes=shapes(reels_page, "reels", post(1)),
    item=post,
    page=reels_page,
    cursors=(1, 2, 3),
    creator=post_creator,
    ended=reels_page([], 3),
    empty=reels_page([], 1),
    empty_ends=True,
    text=("Latte number 1", "video.description"),
    odd_items=(None, 7, "text", [], {}, {"id": "5", "owner": None}),
    names=("arista", r"ar\u0000ista"),
)

HASHTAG = Kit(
    platform="instagram",
    kind="keyword",
    provider="scrapecreators",
    source="hashtag",
    query=Query("instagram", SearchKind.KEYWORD, keywords=("#latteart",), options={"media_type": "reels"}),
    walk=start_walk("hashtag", "latteart", 1),
    first_request=("/v1/instagram/search/hashtag", {"hashtag": "latteart", "media_type": "reels"}),
    good=hashtag_page([post(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": hashtag_page([post(1)], 1)},
    wrong_shapes=shapes(hashtag_page, "posts", post(1)),
    item=post,
    page=hashtag_page,
    cursors=(1, 2, 3),
    creator=post_creator,
    ended=answer({"success": True, "posts": []}),
    empty=hashtag_page([], 1),
    repeated_cursor=hashtag_page([post(1)], 1),
    text=("Latte number 1", "video.description"),
    names=("arista", r"ar\u0000ista"),
)

ACCOUNTS = Kit(
    platform="instagram",
    kind="keyword",
    provider="scrapecreators",
    source="profiles",
    query=Query("instagram", SearchKind.KEYWORD, keywords=(WORD,), word_kind="profiles"),
    walk=start_walk("profiles", WORD, 1),
    first_request=("/v1/instagram/search/profiles", {"query": WORD}),
    good=accounts_page([account(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": accounts_page([account(1)], 1)},
    wrong_shapes=shapes(accounts_page, "profiles", account(1)),
    item=account,
    page=accounts_page,
    cursors=(1, 2, 3),
    creator=account_creator,
    ended=answer({"success": True, "profiles": [], "cursor": None}),
    empty=accounts_page([], 1),
    repeated_cursor=accounts_page([account(1)], 1),
    text=("Latte number 1", "creator.bio"),
    names=("arista", r"ar\u0000ista"),
)

RELATED = Kit(
    platform="instagram",
    kind="similar",
    provider="scrapecreators",
    source="related",
    query=Query("instagram", SearchKind.SIMILAR, target_username=TARGET),
    walk=start_walk("related", TARGET, 0),
    first_request=("/v1/instagram/profile", {"handle": TARGET}),
    good=target_answer([{"node": related(1)}]),
    rules=RULES,
    answers={
        **TARGET_ANSWERS,
        "ok": target_answer([{"node": related(1)}]),
        "target_private": target_answer([], is_private=True),
        "target_not_found": TARGET_ANSWERS["not_found"],
        "target_closed": TARGET_ANSWERS["closed"],
    },
    wrong_shapes={
        "missing_user": answer({"success": True, "status": "ok"}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": target_answer({"0": 1}),  # type: ignore[arg-type]  # another shape on purpose
        "all_items_unreadable": target_answer([related(1), related(2)]),
        "not_json": Response(200, JSON, b'{"data": {"user": {"id": "7'),
    },
    item=lambda number: {"node": related(number)},
    page=lambda items, number: target_answer(items),
    one_page=True,
    creator=related_creator,
    empty=target_answer([]),
    empty_ends=True,
    text=("Barista 1", "full_name"),
    odd_items=(None, 7, "text", [], {}, {"node": None}, {"node": {"id": ""}}),
    names=("arista", r"ar\u0000ista"),
)

KITS = (REELS, HASHTAG, ACCOUNTS, RELATED)
