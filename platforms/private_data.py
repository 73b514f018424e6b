"""What is replaced in a recorded answer: e-mails, phone numbers, and what signs links."""

import json
import re
from typing import Any, Final

SIGNATURES: Final = (
    *("x-expires", "x-signature", "expires", "signature", "sig", "policy", "key-pair-id", "token", "access_token"),
    *("oh", "oe", "_nc_ohc", "_nc_sid", "_nc_gid", "ccb", "efg", "hmac", "hash", "tk", "sqp", "rs", "lkey", "key"),
    *(
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-orig-sign",
        "mstoken",
        "x-bogus",
        "refresh_token",
    ),
)
"""Parameters of links that a signature is made of."""

_SIGNED = re.compile(rf"(?i)((?:[?&]|&amp;|%26|%3F)(?:{'|'.join(map(re.escape, SIGNATURES))})=)[^&\"'\s<>]+")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(
    r"(?<![\w.+/=-])\+[1-9](?:[ .()/-]{0,2}\d){7,14}(?![\w-])"  # +49 30 1234567
    r"|(?<![\w.+/=-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"  # (555) 123-4567
    r"|(?<=tel:)\+?[\d().%-]{6,20}|(?<=wa\.me/)\+?\d{6,15}|(?<=phone=)\+?\d{6,15}"
)
_PHONE_NAME = re.compile(r"phone|whatsapp", re.IGNORECASE)
NO_PHONE: Final = "+10000000000"


def without_private_data(text: str) -> str:
    """The text with e-mails, phone numbers and signatures replaced; equal e-mails stay equal. JSON stays JSON.

    Ids look like phone numbers, so only what is written as one, or is named one, is replaced.
    """
    cleaner = _Cleaner()
    try:
        document = json.loads(text)
        return json.dumps(cleaner.document(document)) if isinstance(document, dict | list) else cleaner.text(text)
    except (ValueError, RecursionError):
        return cleaner.text(text)


class _Cleaner:
    """Replaces private data in one answer."""

    def __init__(self) -> None:
        self._people: dict[str, str] = {}

    def document(self, value: Any, name: str = "") -> Any:
        """A JSON value without it; ``name`` is the key it stands at."""
        if isinstance(value, dict):
            return {key: self.document(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.document(inner, name) for inner in value]
        if _PHONE_NAME.search(name) and sum(character.isdigit() for character in str(value)) > 5:
            return NO_PHONE if isinstance(value, str) else int(NO_PHONE)
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Text without it."""
        return _SIGNED.sub(r"\1cut", _PHONE.sub(NO_PHONE, _EMAIL.sub(self._person, text)))

    def _person(self, found: re.Match[str]) -> str:
        return self._people.setdefault(found[0].casefold(), f"person{len(self._people) + 1}@mail.example")
