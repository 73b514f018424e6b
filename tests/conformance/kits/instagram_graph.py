"""Instagram by its own Graph API: hashtags."""

from typing import Any

from platforms.contract import Query, SearchKind
from platforms.instagram_graph.outcomes import RULES
from platforms.pages import ACCOUNT, Response, start_walk
from tests.conformance.kit import JSON, Kit, StepKit, answer, html

TAG_ID = "17841562426109234"
CURSORS = (f"{TAG_ID}/0/", f"{TAG_ID}/1/QVFIUm", f"{TAG_ID}/2/QVFIUm")
_FIELDS = "id,caption,media_type,media_url,permalink,timestamp,like_count,comments_count"


def error(code: int, subcode: int = 0, message: str = "No", status: int = 400, **more: Any) -> Response:
    """An error in the API's envelope."""
    told = {"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, **more}
    return answer({"error": told}, status)


ANSWERS = {
    "not_json_with_2xx": html(200, "Just a moment"),
    "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
    "app_limit": error(4, is_transient=True),
    "account_limit": error(80002, 2446079),
    "bad_token": error(190, 463, status=401),
    "hashtag_quota": error(24, 2207042),
    "no_such_hashtag": error(24, 2207024),
    "not_discoverable": error(110, 2207013),
    "transient": error(2, is_transient=True, status=500),
    "no_permission": error(100, 0, "(#100) Object cannot be loaded due to missing permission"),
    "bad_request": error(100, 0, "(#100) Tried accessing nonexisting field (owner)"),
    "rate_limited": answer({}, 429),
    "unauthorised": answer({}, 401),
    "gateway_refusal": html(403, "Access denied"),
    "server_error": html(503, "Service unavailable"),
    "unknown_route": html(404),
    "client_error": error(368, status=403),
    "error_with_2xx": error(3018, status=200),
}


def media(number: int) -> dict[str, Any]:
    """One post, with a key that nobody reads."""
    return {
        "id": f"1808815888{number:07}",
        "caption": f"Latte number {number} by a barista #latte #קפה",
        "media_type": "IMAGE",
        "media_url": f"https://scontent.example/{number}.jpg",
        "permalink": f"https://www.instagram.com/p/B8go{number}/",
        "timestamp": "2021-08-11T19:56:42+0000",
        "like_count": 997,
        "comments_count": 10,
        "children": {"data": [{"id": "1"}]},
    }


def creator(number: int) -> dict[str, Any]:
    """What `media` is stored as, without its provenance: nobody says whose it is."""
    return {
        "creator": {
            "name": "Unknown Creator",
            "uniqueId": "",
            "followers": 0,
            "avatarUrl": "",
            "profilePicUrl": "",
            "verified": False,
            "bio": "",
            "emails": [],
            "qualityScore": 0,
            "engagementRate": 0,
            "id": "",
            "following": 0,
            "posts": 0,
            "isPrivate": False,
            "socialLinks": [],
            "category": "",
        },
        "video": {
            "description": f"Latte number {number} by a barista #latte #קפה",
            "url": f"https://www.instagram.com/p/B8go{number}/",
            "statistics": {"likes": 997, "comments": 10, "views": 0, "shares": 0},
            "id": f"1808815888{number:07}",
        },
        "hashtags": ["#latte", "#קפה"],
        "publishedTime": "2021-08-11T19:56:42.000Z",
        "platform": "Instagram",
        "postType": "Image",
        "mediaUrl": f"https://scontent.example/{number}.jpg",
        "postId": f"1808815888{number:07}",
        "shortCode": f"B8go{number}",
        "ownerUsername": "",
        "ownerFullName": "",
        "ownerId": "",
        "enhancementStatus": "skipped",
    }


def page(items: list[Any], number: int) -> Response:
    """One page: ``after`` is the same text on each, and ``next`` holds a token."""
    link = "https://graph.facebook.example/v23.0/1/top_media?access_token=secret&after=QVFIUm"
    return answer({"data": items, "paging": {"cursors": {"after": "QVFIUm"}, "next": link}})


_QUERY = Query("instagram", SearchKind.KEYWORD, keywords=("Studio Coffee!",))

TAG = StepKit(
    platform="instagram",
    kind="keyword",
    provider="instagram_graph",
    source="tag",
    query=_QUERY,
    walk=start_walk("tag", "studiocoffee", ""),
    first_request=("/v23.0/ig_hashtag_search", {"user_id": ACCOUNT, "q": "studiocoffee"}),
    good=answer({"data": [{"id": TAG_ID}]}),
    rules=RULES,
    answers={**ANSWERS, "ok": answer({"data": [{"id": TAG_ID}]})},
    wrong_shapes={
        "missing_list": answer({"paging": {}}),
        "wrong_page_shape": answer({"data": {"id": TAG_ID}}),
        "not_json": Response(200, JSON, b'{"data": [{"id": "1784'),
    },
)


def _list(source: str) -> Kit:
    return Kit(
        platform="instagram",
        kind="keyword",
        provider="instagram_graph",
        source=source,
        query=_QUERY,
        walk=start_walk(source, "studiocoffee", CURSORS[0]),
        first_request=(f"/v23.0/{TAG_ID}/{source}", {"user_id": ACCOUNT, "fields": _FIELDS, "limit": "50"}),
        good=page([media(1)], 1),
        rules=RULES,
        answers={**ANSWERS, "ok": page([media(1)], 1)},
        wrong_shapes={
            "missing_list": answer({"paging": {}}),
            "wrong_page_shape": answer({"data": {"0": media(1)}}),
            "all_items_unreadable": page([{"caption": "x"}, {"id": " "}], 1),
            "not_json": Response(200, JSON, b'{"data": [{"id": "1784'),
        },
        item=media,
        page=page,
        cursors=CURSORS,
        creator=creator,
        ended=answer({"data": [media(3)]}),
        empty=page([], 1),
        text=("Latte number 1", "video.description"),
        odd_items=(None, 7, "text", [], {}, {"id": None}, {"id": "0"}),
        names=("arista", r"ar\u0000ista"),
    )


KITS = (TAG, _list("top_media"), _list("recent_media"))
