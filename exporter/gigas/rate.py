"""How many requests a second an account may make: as the operator says, and as the provider lets be seen. Pure."""

import math

__all__ = ["LearnedRate", "Pace"]

_LATE_S = 0.05
"""By so much at most who waited may be late and the next in time all the same: timers fire late, and at 300 a second
each millisecond counts."""
_COARSE, _FINE, _FINEST = 0.5, 0.0625, 0.02
"""Steps upwards, as shares of the rate: where little is known, where it is known to half, where it is known."""
_FINER = 1 / 8
_BURST_S = 1.0
"""Limiters mostly count by the second, or let through what a second has saved up: N a second then let through N more
than N a second. So much is taken off what was answered, and a step is tried for as long as its excess hides in that."""
_MARGIN = 0.97
"""Of a rate at which nothing should be refused: waits and ways differ, and requests bunch."""
_LEAST = 1.0
"""No account is held below one a second, whatever was refused."""
_FEW_ANSWERS, _MANY_ANSWERS = 5, 100
"""So many, at least, tell a rate at all; and tell how much a long pause was worth."""
_PAUSES_HELD, _ANSWERS_PER_REFUSAL = 30.0, 100
"""What a refusal costs: for so many of its pauses, and so many answers for each request that was refused, the rate is
not raised. So pauses cost at most a thirtieth of the time, and a hundredth of all requests is refused."""
_REFUSALS_HELD = 5
"""No more of them are paid for in this way where it is known that the pause was needed and cost nothing."""
_SOON = 0.25
_CLOSE, _ALIKE = 0.6, 0.8
"""Ratios of two rates: between those the limit is known well enough; those say the same."""
_KEPT_S = 3_600.0
"""Without a refusal for so long there is no ceiling any more."""


class Pace:
    """Turns at a rate: a token bucket, as the time from which the next request may go. `burst_s`: for so long, at most,
    turns that nobody took are kept.
    """

    __slots__ = ("_burst_s", "next_s", "per_s")

    def __init__(self, per_s: float, *, burst_s: float = 0.0) -> None:
        self.per_s = per_s
        self.next_s = -math.inf
        self._burst_s = max(0.0, burst_s - 1.0 / per_s)

    def take(self, now_s: float, *, is_late: bool) -> None:
        """Take a turn. `is_late`: the request has waited for it, and for nothing else."""
        self.next_s = max(self.next_s, now_s - (_LATE_S if is_late else self._burst_s)) + 1.0 / self.per_s


class _Counted:
    """What has happened since an instant: answers, and turns that the ceiling held."""

    __slots__ = ("answers", "held", "since_s")

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.answers = 0
        self.held = 0


class LearnedRate:
    """A ceiling that follows from refusals; none before the first.

    The first refusal tells a rate that should do: what was answered, less a second's burst. From a rate that is little
    known it goes up in large steps, each tried for as long as it takes a burst of a second to show; a refusal leads
    one step down, and the next steps are finer. A rate that is known is held, the longer the more the refusal cost,
    and then probed upwards, ever faster while nothing is refused. Where a rate is refused at which nothing should be,
    the limit is counted over longer times than a second, or has dropped: what was answered from refusal to refusal,
    pauses included, tells more then; and it tells all where the provider went on refusing when a pause was over.
    """

    def __init__(self) -> None:
        self._pace = Pace(math.inf)
        self._step = _COARSE
        self._was_raised = False
        """Whether the present rate is a step upwards from one that was not refused."""
        self._should_do = False
        """Whether nothing should be refused at the present rate."""
        self._is_known = False
        self._fine_below = 0.0
        """Steps do not grow before the rate has come to this: there was a refusal."""
        self._run: _Counted | None = None
        """Since the last pause ended; None while there is one."""
        self._tried: _Counted | None = None
        """Since the present rate is tried, without the pause before."""
        self._refused_sent_s: float | None = None
        self._refused_s = -math.inf
        self._pause_s = 0.0
        self._refusals = 0
        self._whole_before = 0.0
        self._run_before: _Counted | None = None
        self._still_refused_s: float | None = None
        self._answers = 0

    @property
    def per_s(self) -> float:
        """Infinite: there is no ceiling."""
        return self._pace.per_s

    @property
    def next_s(self) -> float:
        return self._pace.next_s

    def took(self, now_s: float, *, was_held: bool, is_late: bool) -> None:
        """A request goes. `was_held`: it had to wait; `is_late`: as Pace says."""
        if self._tried is None:
            self._run, self._tried = _Counted(now_s), _Counted(now_s)
            self._pause_s = now_s - self._refused_s
            is_late = False
        if self._pace.per_s == math.inf:
            return
        if now_s - self._refused_s > _KEPT_S:
            self._forget(now_s)
            return
        self._tried.held += was_held
        self._pace.take(now_s, is_late=is_late)

    def answered(self, now_s: float, *, sent_s: float) -> None:
        """A request was answered, not refused."""
        if self._tried is None or self._run is None or sent_s < self._tried.since_s:
            return
        if self._still_refused_s is not None:
            self._learn_from_pause(self._run.since_s, self._still_refused_s)
        self._answers += 1
        self._run.answers += 1
        self._tried.answers += 1
        if self._pace.per_s < math.inf and min(self._tried.held, self._tried.answers) >= self._needed():
            self._raise(now_s)

    def refused(self, now_s: float, *, sent_s: float) -> None:
        """A request was refused after others had been answered."""
        run, tried = self._run or _Counted(sent_s), self._tried or _Counted(sent_s)
        if self._answers >= _FEW_ANSWERS:
            self._lower(sent_s, run, tried)
        self._refused_s, self._refused_sent_s = now_s, sent_s
        self._refusals = 1
        self._run_before, self._still_refused_s = run, None
        self._run = self._tried = None
        self._pace.next_s = -math.inf

    def refused_too(self) -> None:
        """Another one was on its way when one was refused."""
        self._refusals += 1

    def still_refused(self, now_s: float) -> None:
        """The first one after a pause was refused again."""
        self._refusals += 1
        self._still_refused_s = now_s
        self._run = self._tried = None

    def _forget(self, now_s: float) -> None:
        self._pace = Pace(math.inf)
        self._was_raised = self._should_do = False
        self._answers = 0
        self._refused_sent_s = None
        self._run, self._tried = _Counted(now_s), _Counted(now_s)

    def _needed(self) -> float:
        """So many answers, at the present rate, allow a higher one."""
        tried_s = _BURST_S / self._step
        if not self._is_known:
            return self._pace.per_s * tried_s
        held_s = max(tried_s, _PAUSES_HELD * self._pause_s)
        return max(self._pace.per_s * held_s, _ANSWERS_PER_REFUSAL * self._refusals)

    def _raise(self, now_s: float) -> None:
        if not self._is_known and self._pace.per_s >= self._fine_below:
            self._step = min(_COARSE, 2 * self._step)
        self._is_known = self._should_do = False
        self._was_raised = True
        self._pace.per_s *= 1.0 + self._step
        self._tried = _Counted(now_s)

    def _lower(self, sent_s: float, run: _Counted, tried: _Counted) -> None:
        before = self._pace.per_s
        of_seconds = _MARGIN * tried.answers / (max(0.0, sent_s - tried.since_s) + _BURST_S)
        since_s = run.since_s if self._refused_sent_s is None else self._refused_sent_s
        of_all = _MARGIN * run.answers / max(sent_s - since_s, _BURST_S)
        if self._was_raised:
            rate = max(of_seconds, 0.99 * before / (1.0 + self._step))
            known = self._step <= _FINE
            self._should_do = rate == of_seconds
            self._step = max(_FINEST, self._step * _FINER)
        else:
            rate = of_seconds if before == math.inf else max(of_seconds, before / 2.0)
            known = _CLOSE * before <= rate < math.inf and before < math.inf
            if self._should_do and of_all < _ALIKE * rate:
                is_alike = _ALIKE * self._whole_before < of_all < self._whole_before / _ALIKE
                known = is_alike and run.answers >= _MANY_ANSWERS
                rate = of_all if known else math.sqrt(of_all * rate)
            self._step = _FINEST if known else _COARSE
            self._should_do = True
        self._whole_before = of_all
        self._is_known, self._was_raised = known, False
        self._pace.per_s = max(_LEAST, min(rate, before / (1.0 + _FINEST)))
        self._fine_below = min(before, 1.05 * self._pace.per_s) if known else before

    def _learn_from_pause(self, resumed_s: float, still_refused_s: float) -> None:
        """The provider went on refusing after the pause that it had asked for: its limit is of a longer time, of which
        that run was the whole. That time ended between the last refusal and now; rather sooner, since a rate that is
        too high is soon refused, and one that is too low is held.
        """
        before, self._still_refused_s = self._run_before, None
        if before is None or before.answers < _MANY_ANSWERS:
            return
        ended_s = still_refused_s + _SOON * (resumed_s - still_refused_s)
        rate = _MARGIN * before.answers / (ended_s - before.since_s)
        if rate >= self._pace.per_s:
            return
        self._pace.per_s = max(_LEAST, rate)
        self._pace.next_s = resumed_s + 1.0 / self._pace.per_s
        self._is_known = self._should_do = True
        self._was_raised = False
        self._step, self._fine_below = _FINE, 2.0 * rate
        self._pause_s, self._refusals = 0.0, min(self._refusals, _REFUSALS_HELD)
