"""What calls cost: nothing but calls, which are counted. The limits are of an hour, a day and a week, not of money."""

from typing import Final

CALLS: Final = {
    "business_discovery": 1,
    "ig_hashtag_search": 1,
    "hashtag/top_media": 1,
    "hashtag/recent_media": 1,
}
"""Calls by endpoint, whatever the answer."""
