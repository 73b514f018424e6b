"""Instagram posts by hashtag: ``GET /v1/instagram/search/hashtag``. Without a cursor in the answer it is the last."""

from platforms.scrapecreators.instagram.post import Told, post_item
from platforms.scrapecreators.instagram.search import IndexSearch, reader


class HashtagSearch(IndexSearch):
    """The source."""

    endpoint = "instagram/search/hashtag"
    route = "/v1/instagram/search/hashtag"
    asks = "hashtag"
    passed_on = ("date_posted", "media_type")
    key = "posts"
    reader = reader(key, Told, post_item)
