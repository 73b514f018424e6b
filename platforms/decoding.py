"""Decoding of provider JSON that is almost right.

The typed decoders refuse lone surrogate escapes, invalid UTF-8, raw control characters and a byte order mark. Each
would cost a whole page for one broken caption, so such a body is mended once and decoded again.
"""

import re
from typing import TypeVar

import msgspec

from worker.errors import ShapeError

T = TypeVar("T")

_ESCAPE = re.compile(rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|[dD][89a-fA-F])[0-9a-fA-F]{2}|.)", re.DOTALL)
_CONTROLS_TO_SPACES = bytes.maketrans(bytes(range(32)), b" " * 32)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode ``body``, mended if need be.

    Raises:
        msgspec.ValidationError: It is JSON, of another shape than the decoder's type.
        ShapeError: It is not JSON (``not_json``).
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ShapeError("not_json", "the answer is nested too deeply to be read") from None
    try:
        return decoder.decode(mend(body))
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        seen = body[:80].decode(errors="replace")
        message = f"seen {len(body)} bytes starting {seen!r}, expected complete JSON: {error}"
        raise ShapeError("not_json", message) from error


def mend(body: bytes) -> bytes:
    """Replace lone surrogates and invalid UTF-8 by U+FFFD, raw control characters by spaces; drop a byte order mark."""
    text = body.decode(errors="replace").removeprefix("\ufeff").encode()
    return _ESCAPE.sub(_without_lone_surrogate, text.translate(_CONTROLS_TO_SPACES))


def _without_lone_surrogate(escape: re.Match[bytes]) -> bytes:
    """Keep an escape unless it is half a pair. Every escape is matched, so an escaped backslash is never misread."""
    surrogate = escape[1]
    return rb"\ufffd" if surrogate is not None and len(surrogate) == 2 else escape[0]
