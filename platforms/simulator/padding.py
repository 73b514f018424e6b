"""The bulk of a real item: sub-trees that no reader needs but every transport must carry and every parser must skip.

Encoded once per process and then only copied, so that a page of 2 MB costs hardly more than a small one.
"""

from functools import cache
from typing import Any

import msgspec

from platforms.simulator.dice import Dice

_VARIANTS = 12
_LEAST_BYTES, _MOST_BYTES = 56_000, 90_000
"""Of one item's padding; 24 to 30 items then make a page of 1.4 to 2.7 MB. Recorded pages have 1.3 to 2.8 MB."""

_WHOLE_PAGE = 30


def padded(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with padding in each readable item. Pages of more items than a real one are left as they are."""
    items = answer.get("search_item_list")
    if not isinstance(items, list) or len(items) > _WHOLE_PAGE:
        return answer
    return {**answer, "search_item_list": [_padded_item(place, item) for place, item in enumerate(items)]}


def _padded_item(place: int, item: Any) -> Any:
    info = item.get("aweme_info") if isinstance(item, dict) else None
    if not isinstance(info, dict):
        return item
    branches = _branches((place * 7 + len(info.get("desc") or "")) % _VARIANTS)
    whole = {**info, **branches["item"]}
    for name in ("video", "author"):
        if isinstance(info.get(name), dict):
            whole[name] = {**info[name], **branches[name]}
    return {"aweme_info": whole}


@cache
def _branches(variant: int) -> dict[str, dict[str, msgspec.Raw]]:
    dice = Dice("padding", variant)
    music = _music(dice)
    trees: dict[str, dict[str, Any]] = {
        "author": {
            **{name: _picture(dice) for name in ("avatar_168x168", "avatar_300x300", "video_icon")},
            **dict.fromkeys(("bold_fields", "cha_list", "cover_url", "events", "geofencing", "user_tags")),
            **dict.fromkeys(("comment_setting", "fb_expire_time", "live_verify", "qa_status", "room_id"), 0),
        },
        "video": {
            **{name: _address(dice) for name in ("play_addr", "play_addr_h264", "play_addr_bytevc1", "download_addr")},
            **{
                name: _picture(dice) for name in ("origin_cover", "dynamic_cover", "ai_dynamic_cover", "animated_cover")
            },
            "meta": msgspec.json.encode({"LoudnessRange": "2.2", "VolumeInfoJson": '{"Peak":0.98}'}).decode(),
        },
        "item": {
            "added_sound_music_info": music,
            "aweme_acl": {"download_general": {"code": 0, "mute": False, "show_type": 2, "transcode": 3}},
            "cha_list": [{"cha_name": dice.hex(8), "cid": dice.hex(16), "type": 1, "user_count": 0} for _ in range(6)],
            "interact_permission": {"allow_adding_to_story": 1, "duet": 0, "stitch": 0},
            "music": music,
            "suggest_words": {"suggest_words": [{"hint_text": "Search · ", "words": [dice.hex(24) for _ in range(9)]}]},
        },
    }
    target = _LEAST_BYTES + (_MOST_BYTES - _LEAST_BYTES) * variant // (_VARIANTS - 1)
    rates = [_bit_rate(dice)]
    lacking = target - len(msgspec.json.encode(trees))
    rates *= 1 + lacking // len(msgspec.json.encode(rates[0]))
    trees["video"]["bit_rate"] = rates
    return {
        part: {key: msgspec.Raw(msgspec.json.encode(tree)) for key, tree in of.items()} for part, of in trees.items()
    }


def _bit_rate(dice: Dice) -> dict[str, Any]:
    return {
        "HDR_bit": "",
        "HDR_type": "",
        "bit_rate": dice.between(200_000, 2_000_000),
        "dub_infos": None,
        "fps": 30,
        "gear_name": "adapt_540_1",
        "is_bytevc1": 1,
        "play_addr": _address(dice),
        "quality_type": 28,
        "video_extra": '{"PktOffsetMap":"[{\\"time\\": 1, \\"offset\\": 120934}]"}',
    }


def _address(dice: Dice) -> dict[str, Any]:
    links = [
        f"https://v{host}.cdn.example/{dice.hex(32)}/video/{dice.hex(64)}/?a=1233&{dice.hex(240)}" for host in (1, 2, 3)
    ]
    uri = f"v0{dice.hex(30)}"
    return {"data_size": dice.below(9_000_000), "height": 1024, "uri": uri, "url_list": links, "width": 576}


def _picture(dice: Dice) -> dict[str, Any]:
    links = [f"https://p{host}.cdn.example/tos/{dice.hex(32)}~crop.image?dr=8605&{dice.hex(180)}" for host in (1, 2, 3)]
    return {"height": 720, "uri": f"tos/{dice.hex(32)}", "url_list": links, "url_prefix": None, "width": 720}


def _music(dice: Dice) -> dict[str, Any]:
    return {
        "album": "",
        "author": dice.hex(12),
        "cover_large": _picture(dice),
        "cover_medium": _picture(dice),
        "cover_thumb": _picture(dice),
        "duration": 33,
        "extra": msgspec.json.encode({"amplitude_peak": 1.02, "beats": {"audio_beats": dice.hex(600)}}).decode(),
        "id_str": str(dice.below(1 << 62)),
        "is_original": False,
        "matched_song": {"author": dice.hex(12), "cover_medium": _picture(dice), "title": dice.hex(16)},
        "play_url": _address(dice),
        "title": f"original sound - {dice.hex(10)}",
    }
