"""YouTube channels and their videos. A channel's id holds its number, a video's id its channel."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator, code_of, creator, number_of_code
from platforms.simulator.videos import Video, make_video
from platforms.simulator.walks import author_number

_SALTS = 1 << 10
_ID_BITS = 66


def channel_id(number: int) -> str:
    """``UC`` and 22 more characters."""
    return f"UC{code_of(number)}{Dice('channel', number).hex(11)}"


def channel_of_id(seed: int, channel: str) -> Creator | None:
    """Whose channel it is; None for nobody's. Accounts that are gone have no channel."""
    code = channel[2:13]
    if not (channel.startswith("UC") and code.isascii() and code.isalnum() and code == code.lower()):
        return None
    number = number_of_code(code)
    if number >= NUMBERS or channel_id(number) != channel:
        return None
    found = creator(seed, number)
    return None if found.standing == "gone" else found


def video_of(seed: int, walk: str, position: int) -> Video:
    """The YouTube video at a position of a walk; all but its title follows from its id."""
    number = author_number(seed, walk, position)
    salt = Dice(seed, "salt", walk, position).below(_SALTS)
    return _video(seed, number, salt)


def video_of_id(seed: int, video: str) -> Video | None:
    """The video with this id; None where there is none."""
    if len(video) != _ID_BITS // 6 or not video.isascii():
        return None
    try:
        packed = int.from_bytes(urlsafe_b64decode(f"A{video}"), "big")
    except ValueError:
        return None
    number, salt = divmod(packed, _SALTS)
    return _video(seed, number, salt) if number < NUMBERS else None


def _video(seed: int, number: int, salt: int) -> Video:
    made = make_video(creator(seed, number), "clip", seed, "youtube", number, salt)
    packed = (number * _SALTS + salt).to_bytes(9, "big")
    # 72 bits are twelve characters, of which the first is always A.
    return replace(made, id=urlsafe_b64encode(packed).decode()[1:])
