"""How far the provider's clock is from ours, as its answers tell."""

import math

__all__ = ["ProviderClock"]

_DRIFT = 5e-4
"""Seconds a second: how fast two clocks may part. An adjusted clock (NTP) slews by at most that."""
_DATE_S = 1.0
"""`Date` shows whole seconds, cut off."""


class ProviderClock:
    """Offset of the provider's clock in seconds, within bounds that every answer narrows.

    An answer sent out at S, received at R and dated D was dated somewhere between: D <= S' + offset < D + 1 for an S'
    in [S, R], so the offset lies in [D - R, D + 1 - S).
    """

    def __init__(self) -> None:
        self._low_s = -math.inf
        self._high_s = math.inf
        self._seen_at = -math.inf

    def observe(self, *, date_at: float, sent_seen_at: float, received_seen_at: float) -> None:
        """Learn from the `Date` of an answer."""
        low_s, high_s = date_at - received_seen_at, date_at + _DATE_S - sent_seen_at
        if low_s >= high_s:  # Our own clock was set back meanwhile: that tells nothing.
            return
        loosened_s = _DRIFT * max(0.0, received_seen_at - self._seen_at)
        self._low_s = max(low_s, self._low_s - loosened_s)
        self._high_s = min(high_s, self._high_s + loosened_s)
        self._seen_at = received_seen_at
        if self._low_s >= self._high_s:  # One of the clocks was set: what was known of it is void.
            self._low_s, self._high_s = low_s, high_s

    @property
    def offset_s(self) -> float:
        """What to add to our time. 0 where the clocks may agree: a correction within the error would only be noise."""
        if self._low_s <= 0 < self._high_s:
            return 0.0
        return (self._low_s + self._high_s) / 2

    def at(self, seen_at: float) -> float:
        """Return the provider's time at that time of ours."""
        return seen_at + self.offset_s
