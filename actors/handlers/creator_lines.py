"""Stored batches as single creators, each still the JSON text that it was stored as."""

from collections.abc import Iterable

import msgspec

_BATCH = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


def creators_in(batches: Iterable[str]) -> list[bytes]:
    """The creators of batches (JSON text), in order. A batch that is one object, as old rows hold, is one creator."""
    found = []
    for batch in batches:
        decoded = _BATCH.decode(batch)
        found += [bytes(one) for one in decoded] if isinstance(decoded, list) else [batch.encode()]
    return found
