"""When to look at a VM again: soon after its next bucket can have been published, and not before.

Pure: instants are arguments, in the provider's time; what is returned is a delay.
"""

from dataclasses import dataclass, replace

__all__ = ["Learned", "Seen", "after_failure", "next_look"]

_LAG_DECAY = 0.99
"""Each look that came late enough lets the learned lag shrink a little, so that a slow day is forgotten."""
_MISS_STEP = 0.1
"""After a look that came too early, the lag is taken to be so much of a width more than that look's age."""
_RETRY_SHARE = 0.125
"""A bucket that was not published yet is looked for again after this share of its width, then twice that, …"""
_UNANSWERED_WIDTHS = 3
"""A VM without data, or one that is off, is looked at once in so many widths: well within the shortest window."""
_UNKNOWN_WIDTH_S = 300.0
"""Where no answer has shown a width yet: what the provider's page documents."""
_LONGEST_RETRY_S = 60.0
"""After faults end, an account is asked again within a minute (contract)."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Of an account and collector: the width of its buckets and how long after its end a bucket is published."""

    width_s: float | None = None
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look has shown: the end of the last bucket, its width, and whether it and the one before held anything."""

    asked_at: float
    end_at: float
    width_s: float
    filled: tuple[bool, bool]


def next_look(
    learned: Learned, seen: Seen | None, *, running: bool, misses: int, interval_s: float
) -> tuple[Learned, float, int]:
    """Return what is known now, the seconds until the next look, and how many looks in a row have come too early.

    A last bucket that is empty while the one before is not may not be filled yet: that is a look that came too early.
    Where both are empty nothing is expected of it. `interval_s` is the least that passes between two looks.
    """
    if seen is None or not running:
        width_s = seen.width_s if seen else learned.width_s or _UNKNOWN_WIDTH_S
        return _with_width(learned, seen), max(interval_s, _UNANSWERED_WIDTHS * width_s), 0
    width_s, (filled, filled_before) = seen.width_s, seen.filled
    expected_at = seen.end_at if filled_before and not filled else seen.end_at + width_s
    age_s = seen.asked_at - expected_at
    if age_s >= 0:  # What could have been there by now is not.
        lag_s = min(width_s, max(learned.lag_s, age_s + _MISS_STEP * width_s))
        retry_s = min(width_s * _RETRY_SHARE * 2**misses, width_s)
        return Learned(width_s, lag_s), max(interval_s, retry_s), misses + 1
    lag_s = min(width_s, learned.lag_s * (1.0 if misses else _LAG_DECAY))
    return Learned(width_s, lag_s), max(interval_s, lag_s - age_s), 0


def after_failure(failures: int, *, interval_s: float) -> float:
    """Return the seconds until a VM is looked at again that could not be, so many times in a row."""
    return min(interval_s * 2.0 ** min(failures, 10), max(interval_s, _LONGEST_RETRY_S))


def _with_width(learned: Learned, seen: Seen | None) -> Learned:
    return learned if seen is None else replace(learned, width_s=seen.width_s)
