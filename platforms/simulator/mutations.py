"""Faults that bend a TikTok keyword page or profile in ways of their own. Each gets a copy it may change in place."""

from typing import Any, TypeAlias

from platforms.simulator.bending import MARKED as _MARKED
from platforms.simulator.endpoint import Mutation
from platforms.simulator.faults import Fault, FaultKind
from platforms.simulator.settings import CURSOR_STEP

Answer: TypeAlias = dict[str, Any]


def _infos(answer: Answer) -> list[dict[str, Any]]:
    return [item["aweme_info"] for item in answer.get("search_item_list") or []]


def _unstorable_page(answer: Answer, fault: Fault) -> Answer:
    for info in _infos(answer)[::2]:
        info["desc"] += _MARKED
        info["author"]["nickname"] = _MARKED + info["author"]["nickname"]
        info["region"] = _MARKED
        info["author"]["search_user_name"] = _MARKED
        for extra in info["text_extra"] or []:
            if "hashtag_name" in extra:
                extra["hashtag_name"] += _MARKED
    return answer


def _unstorable_profile(answer: Answer, fault: Fault) -> Answer:
    for field in ("signature", "nickname", "language"):
        if "user" in answer:
            answer["user"][field] = f"{answer['user'].get(field, '')}{_MARKED}"
    return answer


def _missing_list(answer: Answer, fault: Fault) -> Answer:
    answer.pop("search_item_list", None)
    answer.pop("search_nil_info", None)
    return answer


def _empty_list(answer: Answer, fault: Fault) -> Answer:
    return {**answer, "search_item_list": []}


def _wrong_shape(answer: Answer, fault: Fault) -> Answer:
    items = answer.get("search_item_list") or []
    wrong: Any = {str(place): item for place, item in enumerate(items)}
    if fault.shape == "numbers":
        wrong = list(range(max(1, len(items))))
    return {**answer, "search_item_list": wrong}


def _bad_items(answer: Answer, fault: Fault) -> Answer:
    for place, info in enumerate(_infos(answer)[2::3]):
        if place % 3 == 0:
            info["author"] = None
        elif place % 3 == 1:
            del info["author"]["uid"]
        else:
            info["author"]["follower_count"] = "many"
    return answer


def _repeat_cursor(answer: Answer, fault: Fault) -> Answer:
    return {**answer, "cursor": answer["cursor"] - CURSOR_STEP}


def _nulls_on_page(answer: Answer, fault: Fault) -> Answer:
    for place, info in enumerate(_infos(answer)):
        counts, author = info["statistics"], info["author"]
        counts["play_count"] = None
        counts["digg_count"] = str(counts.get("digg_count", 0))
        author["following_count"] = None
        author["follower_count"] = None if place % 2 else str(author["follower_count"])
        info["create_time"] = None
        info["video"]["duration"] = None
    return answer


def _nulls_in_profile(answer: Answer, fault: Fault) -> Answer:
    for name in ("stats", "statsV2"):
        if name in answer:
            answer[name] = dict.fromkeys(answer[name])
    return answer


def _many_items(answer: Answer, fault: Fault) -> Answer:
    """The page's items over and over; from the second round on as other videos of other creators."""
    infos = _infos(answer)
    if not infos:
        return answer
    items = []
    for place in range(fault.items):
        info, turn = infos[place % len(infos)], place // len(infos)
        if turn:
            author = info["author"]
            uid, handle = str(int(author["uid"]) + turn), f"{author['unique_id']}.{turn}"
            info = {
                **info,
                "aweme_id": str(int(info["aweme_id"]) + turn),
                "author": {**author, "uid": uid, "unique_id": handle},
            }
        items.append({"aweme_info": info})
    return {**answer, "search_item_list": items}


SEARCH_MUTATIONS: dict[FaultKind, Mutation] = {
    FaultKind.NUL_AND_SURROGATES: _unstorable_page,
    FaultKind.MISSING_LIST: _missing_list,
    FaultKind.EMPTY_LIST: _empty_list,
    FaultKind.WRONG_SHAPE: _wrong_shape,
    FaultKind.BAD_ITEMS: _bad_items,
    FaultKind.REPEAT_CURSOR: _repeat_cursor,
    FaultKind.NULLS: _nulls_on_page,
    FaultKind.MANY_ITEMS: _many_items,
}

PROFILE_MUTATIONS: dict[FaultKind, Mutation] = {
    FaultKind.NUL_AND_SURROGATES: _unstorable_profile,
    FaultKind.NULLS: _nulls_in_profile,
}
