"""Instagram reels by words: ``GET /v2/instagram/reels/search``. The answer tells no cursor; we count the pages."""

from platforms.pages import Cursor
from platforms.scrapecreators.instagram.post import Told, post_item
from platforms.scrapecreators.instagram.search import CursorAnswer, IndexSearch, reader


class ReelsSearch(IndexSearch):
    """The source. An empty list is the end."""

    endpoint = "instagram/reels/search"
    route = "/v2/instagram/reels/search"
    asks = "query"
    counts = "page"
    passed_on = ("date_posted",)
    key = "reels"
    reader = reader(key, Told, post_item)

    def following(self, answer: CursorAnswer, results: int, asked: Cursor) -> Cursor | None:
        """The next page's number."""
        return int(asked) + 1 if results else None
