"""Every recorded answer against every source of its provider: read, or refused by name; nothing else may happen.

Also the answers of endpoints that nobody here asks: a provider that sends one of those has changed, and that must be
told as another shape.
"""

from pathlib import Path

import pytest

from platforms.outcome import Outcome
from platforms.pages import Item, Response
from platforms.registry import ADAPTERS
from tests.conformance.kits import KITS
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples"
PROVIDERS = sorted({adapter.capability.provider for adapter in ADAPTERS})
FILES = [path for provider in PROVIDERS for path in sorted((FOLDER / provider).glob("*.json"))]
SOMEONE = [Item("1", "2", "someone", None)]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def test_there_are_recordings_of_every_provider():
    assert {path.parent.name for path in FILES} == set(PROVIDERS)


def names(path):
    return f"{path.parent.name}/{path.stem}" if path else "none"


@pytest.mark.parametrize("path", FILES or [None], ids=names)
def test_is_read_or_refused_by_name(path):
    response = Response(200, {"content-type": "application/json"}, path.read_bytes())
    for kit in KITS:
        if kit.provider == path.parent.name:
            assert kit.read.judge(response).outcome in Outcome
            page = tried(lambda kit=kit: kit.read.parse(response, kit.query, kit.walk))
            assert page is None or all(item.key and item.content_id for item in page.items)
    for adapter in ADAPTERS:
        if adapter.capability.provider == path.parent.name and adapter.profiles is not None:
            tried(lambda adapter=adapter: adapter.profiles.parse(response, SOMEONE))


def tried(parse):
    """What was read; None where the answer was refused with a reason."""
    try:
        return parse()
    except ShapeError as error:
        if not error.reason:
            raise
        return None
