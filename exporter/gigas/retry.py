"""When to ask again. Pure."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

__all__ = ["LONGEST_WAIT_S", "backoff_s", "http_date", "retry_after_s"]

LONGEST_WAIT_S = 60.0
"""Whatever a server asks for: after faults end, an account is asked again within a minute (contract)."""
_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 30.0
_MOST_DOUBLINGS = 10


def backoff_s(attempt: int, *, chance: float) -> float:
    """Return how long to wait after that many attempts: exponential, with full jitter (`chance` of [0, 1))."""
    return chance * min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))


def retry_after_s(header: str | None, *, now_at: float) -> float | None:
    """Return the seconds that `Retry-After` asks for (RFC 9110, 10.2.3), at most a minute. `now_at`: the provider's."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text)
    elif (date_at := http_date(text)) is not None:
        seconds = date_at - now_at
    else:
        return None
    return min(max(0.0, seconds), LONGEST_WAIT_S) if not math.isnan(seconds) else None


@lru_cache(16)  # All answers of a second have the same one, and reading it costs as much as the rest of their headers.
def http_date(header: str | None) -> float | None:
    """Return the UNIX seconds of a date as HTTP writes it."""
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
        return (date if date.tzinfo is not None else _as_utc(date)).timestamp()
    except (ValueError, OverflowError):
        return None


def _as_utc(date: datetime) -> datetime:
    return date.replace(tzinfo=UTC)
