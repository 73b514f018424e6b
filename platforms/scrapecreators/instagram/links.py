"""The links of an Instagram profile."""

from collections.abc import Iterable

import msgspec

from platforms.normalise.text import safe_text


class BioLink(msgspec.Struct, frozen=True):
    """One link below a bio. ``lynx_url`` is the same behind a redirect and is left out."""

    url: str | None = None


def links_of(bio_links: Iterable[BioLink] | None, external_url: str | None) -> list[str]:
    """Each link once, in the order told; the external one is usually the first of them again."""
    found: dict[str, str] = {}
    for told in [*(link.url for link in bio_links or ()), external_url]:
        if url := safe_text(told or "").strip():
            found.setdefault(url.rstrip("/"), url)
    return list(found.values())
