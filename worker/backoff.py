"""How long to wait before another attempt."""

import random
from datetime import timedelta


def retry_delay(failures: int, base_seconds: float, cap_seconds: float, floor: timedelta | None = None) -> timedelta:
    """Exponential backoff with full jitter: between nothing and ``base x 2^failures``, capped, never below ``floor``.

    ``failures`` counts the errors before this one; ``floor`` is what the provider asked for (Retry-After).
    """
    ceiling = min(cap_seconds, base_seconds * 2 ** min(failures, 30))
    delay = timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
    return max(delay, floor or timedelta(0))
