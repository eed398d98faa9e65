"""How many requests of an account may be under way. Pure."""

import math

__all__ = ["Window"]

_FIRST = 8.0
"""Places at the start."""
_FEW = 6.0
"""What a provider bears that bears anything. Slowness and failures alone lead no lower: it may be slow, or one of its
endpoints broken, without our doing, and then one at a time would be slow for nothing. However it is divided, two who
share it have two places each: one request that hangs does not hold up what is behind it."""
_REFUSED, _FAILED, _SLOW = 0.5, 0.7, 0.9
"""What is left of a window: after a refusal, after a failure that may be overload, after a round trip that was slow."""
_SLOWER, _SLOWER_S = 2.5, 0.05
"""How much longer than at best an answer takes where requests wait for each other. The second: what our own loop, or a
network, may add."""
_QUEUEING = 2.0
"""So much longer, and they wait somewhere: twice as many at once would be no faster. Where it is less than the above in
seconds they may wait in our own loop, whose laps more of them would make longer: then there is no growth at all."""
_SMOOTHING = 1 / 8
"""Of the smoothed duration, as TCP has it for its own (RFC 6298)."""
_BEST_KEPT_S = 60.0
"""The best duration is of the last minute or two: a provider that has become slower is not taken to be overloaded for
longer."""


class Window:
    """The number grows with every answer until the first sign of trouble or of waiting, then by one a round trip, and
    only while so many are under way (what is not used proves nothing) and our own loop has time for them. It shrinks on
    refusals, failures and slowness, once for all requests that were sent before it did. Never above `most`, never
    below 1.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self.size = min(self._most, _FIRST)
        self._doubles = True
        self._waits_here = False
        self._was_cut = False
        self._cut_s = -math.inf
        self._answered_sent_s = -math.inf
        self._smoothed_s: float | None = None
        self._best_s = self._best_before_s = math.inf
        self._best_since_s = -math.inf

    @property
    def share(self) -> float:
        """Which part of the most there is now, but for one place of each: it is for who does not share."""
        return (self.size - 1.0) / (self._most - 1.0) if self._most > 1.0 else 1.0

    @property
    def holds_back(self) -> bool:
        """Whether who waits for a place waits for the ceiling, or for what trouble has left of it; not for growth."""
        return self._was_cut or self.size >= self._most

    def answered(self, now_s: float, *, sent_s: float, duration_s: float | None, is_full: bool) -> None:
        """Grow, or shrink a little if answers have become slow. `is_full`: so many were under way."""
        self._answered_sent_s = max(self._answered_sent_s, sent_s)
        is_slow = duration_s is not None and self._is_slow(now_s, duration_s)
        if not is_full or sent_s < self._cut_s:
            return
        if is_slow:
            self._cut(now_s, self._at_least_few(_SLOW))
        elif self.size < self._most:
            self.size = min(self._most, self.size + self._growth())

    def refused(self, now_s: float, *, sent_s: float, is_paced: bool) -> None:
        """Shrink: there was a 429. Only a little where a rate that refusals have taught is lowered as well."""
        if sent_s >= self._cut_s:
            self._cut(now_s, max(1.0, self.size * (_SLOW if is_paced else _REFUSED)))

    def failed(self, now_s: float, *, sent_s: float, is_busy: bool) -> None:
        """Shrink if that may be overload: many were under way, and nothing has been answered that was sent later. Where
        something has, one VM or endpoint is broken, and the others must not pay for it.
        """
        if is_busy and sent_s >= self._cut_s and sent_s >= self._answered_sent_s:
            self._cut(now_s, self._at_least_few(_FAILED))

    def _cut(self, now_s: float, size: float) -> None:
        self._was_cut, self._cut_s, self.size = True, now_s, size
        self._doubles = False

    def _at_least_few(self, share: float) -> float:
        return max(min(self.size, _FEW), self.size * share)

    def _growth(self) -> float:
        if self._doubles:
            return 1.0
        return 0.0 if self._waits_here and self.size >= _FEW else 1.0 / self.size

    def _is_slow(self, now_s: float, duration_s: float) -> bool:
        if now_s - self._best_since_s > _BEST_KEPT_S:
            self._best_before_s, self._best_s, self._best_since_s = self._best_s, duration_s, now_s
        self._best_s = min(self._best_s, duration_s)
        before_s = duration_s if self._smoothed_s is None else self._smoothed_s
        self._smoothed_s = before_s + (duration_s - before_s) * _SMOOTHING
        best_s = min(self._best_s, self._best_before_s)
        self._doubles = self._doubles and self._smoothed_s <= _QUEUEING * best_s
        self._waits_here = _QUEUEING * best_s < self._smoothed_s < best_s + _SLOWER_S
        return self._smoothed_s > best_s + _SLOWER_S and self._smoothed_s > _SLOWER * best_s
