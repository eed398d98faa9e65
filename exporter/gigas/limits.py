"""How many requests of an account are under way, and how soon the next may go."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from random import Random
from types import TracebackType

from exporter.clock import Clock
from exporter.gigas.rate import LearnedRate, Pace
from exporter.gigas.retry import LONGEST_WAIT_S
from exporter.gigas.window import Window

__all__ = ["Limiter"]

_SMALLEST_STEP_S = 1.0
_LARGEST_DOUBLING = 6
_LARGEST_DOUBLING_ASKED = 4
"""Where the provider says how long to wait, and refuses the next request all the same, at least 16 s in the end."""
_BURST_S = 0.05
"""What the operator's ceiling lets go at once after a while without a request: as many as are due in this time, at
least one."""

_USED = 3
"""A third of the places under way is use enough for more of them: those who share them leave some to each other, and
one alone does not fill them."""


class Limiter:
    """The ceilings of one account, kept by every request: first a place, then a turn, then the news of how it ended.

    Places are as many as the window has (see there). Turns come as the operator's rate and the one learned from
    refusals allow (see there), first come, first served. A 429 stops all of the account for a while; then one request
    at a time is sent until one is answered. Where nothing holds a request, neither gives way to others.

    `on_wait` is told the seconds for which a request was held by a refusal or a ceiling: all that a turn took, and what
    a place took, unless that was only for want of growth: a window that no trouble has cut, and that is below the
    operator's ceiling, holds nothing back for long.
    """

    def __init__(
        self,
        *,
        max_concurrency: int,
        requests_per_second: float,
        clock: Clock,
        random: Random,
        on_wait: Callable[[float], None],
    ) -> None:
        self._window = Window(max_concurrency)
        self._set = Pace(requests_per_second, burst_s=_BURST_S) if requests_per_second > 0 else None
        self._learned = LearnedRate()
        self._clock = clock
        self._random = random
        self._on_wait = on_wait
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns = asyncio.Lock()
        self._without_turn = 0
        self._paused_until_s = 0.0
        self._refused_s = -math.inf
        self._strikes = 0
        self._no_scout = asyncio.Event()
        self._no_scout.set()
        self._place = _Place(self)

    @property
    def share(self) -> float:
        """Which part of the operator's ceiling may be under way now: whoever divides places divides those."""
        return self._window.share

    async def place(self) -> "_Place":
        """Take one of the places, first come, first served. It is held while a request is made (`with`)."""
        if self._waiting or not self._is_free():
            await self._wait_for_place()
        else:
            self._in_flight += 1
        return self._place

    def leave(self) -> None:
        """Give the place back."""
        self._in_flight -= 1
        self._no_scout.set()
        if self._waiting:
            self._admit()

    def takes_turn(self) -> bool:
        """Take a turn if the next request may be sent at once; return whether that is so."""
        now_s = self._clock.monotonic_s()
        if self._without_turn or self._strikes or self._next_s() > now_s:
            return False
        self._take_turn(now_s, was_held=False, is_late=False)
        return True

    async def turn(self) -> None:
        """Wait until the next request may be sent. First come, first served."""
        if not self.takes_turn():
            await self._wait_for_turn()

    def refused(self, *, sent_s: float, retry_after_s: float | None) -> None:
        """Slow the account: the provider answered 429 to a request sent at `sent_s`."""
        now_s = self._clock.monotonic_s()
        if sent_s < self._refused_s:  # It was on its way when another one was refused: the same news.
            self._learned.refused_too()
        else:
            is_paced = self._learned.per_s < math.inf
            if self._strikes:
                self._learned.still_refused(now_s)
            else:
                self._learned.refused(now_s, sent_s=sent_s)
            self._window.refused(now_s, sent_s=sent_s, is_paced=is_paced)
            self._refused_s = now_s
            self._strikes += 1
        self._paused_until_s = max(self._paused_until_s, now_s + min(self._pause_s(retry_after_s), LONGEST_WAIT_S))
        self._no_scout.set()

    def succeeded(self, *, sent_s: float, duration_s: float | None = None) -> None:
        """Give some room back: there was an answer, whatever it says. Before `leave`."""
        now_s = self._clock.monotonic_s()
        if self._strikes and sent_s >= self._refused_s:
            self._strikes = 0
            self._no_scout.set()
        self._learned.answered(now_s, sent_s=sent_s)
        is_full = _USED * self._at_provider() >= self._window.size
        self._window.answered(now_s, sent_s=sent_s, duration_s=duration_s, is_full=is_full)
        if self._waiting:
            self._admit()

    def failed(self, *, sent_s: float) -> None:
        """Know that there was no answer, or one that tells of the provider's own trouble (5xx). Before `leave`."""
        is_busy = 2 * self._at_provider() >= self._window.size
        self._window.failed(self._clock.monotonic_s(), sent_s=sent_s, is_busy=is_busy)

    def _at_provider(self) -> int:
        return self._in_flight - self._without_turn

    def _next_s(self) -> float:
        next_s = max(self._paused_until_s, self._learned.next_s)
        return next_s if self._set is None else max(next_s, self._set.next_s)

    def _take_turn(self, now_s: float, *, was_held: bool, is_late: bool) -> None:
        if self._set is not None:
            self._set.take(now_s, is_late=is_late)
        self._learned.took(now_s, was_held=was_held, is_late=is_late)

    async def _wait_for_turn(self) -> None:
        started_s = self._clock.monotonic_s()
        self._without_turn += 1
        try:
            async with self._turns:
                is_late = True
                while True:
                    if (delay_s := self._next_s() - self._clock.monotonic_s()) > 0:
                        await self._clock.sleep(delay_s)
                    elif self._strikes and not self._no_scout.is_set():
                        await self._no_scout.wait()
                        is_late = False
                    else:
                        break
                now_s = self._clock.monotonic_s()
                if self._strikes:
                    self._no_scout.clear()
                self._take_turn(now_s, was_held=True, is_late=is_late)
        finally:
            self._without_turn -= 1
        self._on_wait(now_s - started_s)

    def _pause_s(self, retry_after_s: float | None) -> float:
        if retry_after_s:
            again = min(self._strikes - 1, _LARGEST_DOUBLING_ASKED)
            return max(retry_after_s, _SMALLEST_STEP_S * 2.0**again if again else 0.0)
        # Jitter of a half, not full: all of the account waits for the same instant, and it must be later each time.
        longest_s = _SMALLEST_STEP_S * 2.0 ** min(self._strikes, _LARGEST_DOUBLING)
        return longest_s * (0.5 + 0.5 * self._random.random())

    def _is_free(self) -> bool:
        return self._in_flight + 1 <= self._window.size

    def _holds_back(self) -> bool:
        return self._window.holds_back or self._without_turn > 0

    async def _wait_for_place(self) -> None:
        started_s, was_held = self._clock.monotonic_s(), self._holds_back()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # A place was given at the same moment: it goes to the next.
                self._in_flight -= 1
            self._admit()
            raise
        if was_held or self._holds_back():
            self._on_wait(self._clock.monotonic_s() - started_s)

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0].done() or self._is_free()):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                self._in_flight += 1


class _Place:
    """Any place of a limiter that was taken: it has no state of its own, so one will do for all."""

    __slots__ = ("_limiter",)

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def __enter__(self) -> None:
        """It has been taken."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.leave()
