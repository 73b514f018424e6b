"""Which found creators a job keeps: the filters of ``search_params``, all of which must hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from platforms.normalise.facts import Facts


@dataclass(frozen=True, slots=True)
class Filters:
    """None, or nothing, does not filter. What is unknown about a creator does not pass a filter that asks for it."""

    min_followers: int | None = None
    max_followers: int | None = None
    min_views: int | None = None
    min_likes: int | None = None
    verified: bool | None = None
    has_email: bool | None = None
    private: bool | None = None
    bio_contains: tuple[str, ...] = ()
    """Case-folded words, one of which must be in the bio."""
    countries: tuple[str, ...] = ()
    posted_within: timedelta | None = None

    @property
    def active(self) -> bool:
        """Whether anything is filtered at all."""
        return self != NO_FILTERS

    @property
    def needs_profile(self) -> bool:
        """Whether a filter asks for what only a profile tells."""
        return bool(self.has_email is not None or self.verified is not None or self.bio_contains or self.countries)


NO_FILTERS = Filters()


def passes(filters: Filters, facts: Facts, now: datetime) -> bool:
    """Whether a creator stays, by all that is known."""
    return (
        _within(facts.followers, filters.min_followers, filters.max_followers)
        and _within(facts.views, filters.min_views, None)
        and _within(facts.likes, filters.min_likes, None)
        and filters.verified in (None, facts.verified)
        and filters.private in (None, facts.private)
        and filters.has_email in (None, bool(facts.emails))
        and (not filters.bio_contains or any(word in facts.bio.casefold() for word in filters.bio_contains))
        and (not filters.countries or facts.country in filters.countries)
        and (
            filters.posted_within is None
            or (facts.posted_at is not None and now - facts.posted_at <= filters.posted_within)
        )
    )


def may_pass(filters: Filters, facts: Facts) -> bool:
    """Whether a creator may still pass once its profile is known; False spares the paid look-up."""
    return facts.followers is None or _within(facts.followers, filters.min_followers, filters.max_followers)


def _within(number: int | None, least: int | None, most: int | None) -> bool:
    if least is None and most is None:
        return True
    return number is not None and (least is None or number >= least) and (most is None or number <= most)
