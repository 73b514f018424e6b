"""What a browser loads for the first time."""

import re

import pytest

MOST_BYTES = 100_000


@pytest.mark.parametrize("first", ["/", "/jobs"])
async def test_the_first_page_with_all_its_files_is_light_and_all_of_them_are_ours(open_console, first):
    async def load(path: str) -> tuple[int, bytes]:
        async with open_console.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.status_code == 200, path
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        return len(raw) + sum(len(name) + len(value) + 4 for name, value in answer.headers.raw), raw

    page = (await open_console.get(first)).text
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert len(files) >= 5
    loaded = sum([(await load(path))[0] for path in (first, *files)])
    assert loaded < MOST_BYTES


async def test_a_file_that_changes_has_another_address(open_console, monkeypatch, tmp_path):
    from console import rendering

    before = rendering.asset("console.css")
    (tmp_path / "console.css").write_text("body {}")
    monkeypatch.setattr(rendering, "STATIC", tmp_path)
    rendering.asset.cache_clear()
    assert rendering.asset("console.css") != before
    rendering.asset.cache_clear()
