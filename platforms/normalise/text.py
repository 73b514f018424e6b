"""Text from outside made safe to store, and what can be found in it: e-mail addresses and hashtags."""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

# The lookbehind lets a run of address characters be tried once only, so that a long text cannot cost its square.
_EMAIL = re.compile(
    r"(?<![a-z0-9._%+-])[a-z0-9._%+-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}(?![a-z0-9_-])",
    re.IGNORECASE | re.ASCII,
)
_HASHTAG = re.compile(r"(?<![/&])[#＃]([^\s#＃]+)")
_FILE_ENDINGS = frozenset(
    {
        "avif",
        "bmp",
        "css",
        "doc",
        "docx",
        "gif",
        "heic",
        "heif",
        "htm",
        "html",
        "ico",
        "jpeg",
        "jpg",
        "js",
        "json",
        "m4a",
        "mov",
        "mp3",
        "mp4",
        "pdf",
        "php",
        "png",
        "svg",
        "tiff",
        "txt",
        "wav",
        "webm",
        "webp",
        "xml",
        "zip",
    }
)
_JOINERS = "_\u200c\u200d"


def safe_text(text: str) -> str:
    """The text as JSONB can hold it: without NUL, lone surrogates replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def emails(text: str, links: Iterable[str] = ()) -> list[str]:
    """E-mail addresses in a text and in links (``mailto:`` ones too): lower case, each once, in order of appearance."""
    found: dict[str, None] = {}
    for source in (text, *map(_searchable, links)):
        for match in _EMAIL.finditer(source):
            address = match[0].lower().lstrip(".")
            local, _, domain = address.partition("@")
            plausible = local and ".." not in local and not local.endswith(".")
            if plausible and domain.rpartition(".")[2] not in _FILE_ENDINGS:
                found[address] = None
    return list(found)


def hashtags(text: str) -> list[str]:
    """Hashtags in a text, in any script, with ``#``; each once (letter case aside), in order of appearance."""
    return unique_hashtags(_tag_start(match[1]) for match in _HASHTAG.finditer(text))


def unique_hashtags(names: Iterable[str]) -> list[str]:
    """Names, with or without ``#``, as hashtags with one ``#``; empties and repeats (letter case aside) dropped."""
    found: dict[str, str] = {}
    for name in names:
        bare = safe_text(name).strip().lstrip("#＃").strip()
        if bare:
            found.setdefault(bare.casefold(), f"#{bare}")
    return list(found.values())


def _tag_start(run: str) -> str:
    """The part of a run that is a tag: letters, marks and digits of any script. A word class would lose vowel signs."""
    for place, character in enumerate(run):
        if unicodedata.category(character)[0] not in "LMN" and character not in _JOINERS:
            return run[:place]
    return run


def _searchable(link: str) -> str:
    """A link without its host part, where ``user:password@host`` would look like an address."""
    plain = unquote(link)
    if "://" not in plain:
        return plain
    try:
        parts = urlsplit(plain)
    except ValueError:
        return ""
    return f"{parts.path} {parts.query} {parts.fragment}"
