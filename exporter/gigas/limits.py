"""How many requests of an account are under way, and how soon the next may go."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from exporter.clock import Clock
from exporter.gigas.retry import LONGEST_WAIT_S

__all__ = ["Limiter"]

_SMALLEST_STEP_S = 1.0
_LARGEST_DOUBLING = 6


class Limiter:
    """The ceilings of one account. A 429 stops all of it for a while and halves how much goes on at once; each success
    gives a little back, up to the settings' ceiling. `on_wait` is told the seconds that a request was held.
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
        self._most = float(max_concurrency)
        self._window = self._most
        self._gap_s = 1.0 / requests_per_second if requests_per_second > 0 else 0.0
        self._clock = clock
        self._random = random
        self._on_wait = on_wait
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns = asyncio.Lock()
        self._next_s = 0.0
        self._paused_until_s = 0.0
        self._slowed_s = 0.0
        self._strikes = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places while a request is made."""
        await self._enter()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._admit()

    async def turn(self) -> bool:
        """Wait until the next request may be sent; return whether that took time. First come, first served."""
        started_s = self._clock.monotonic_s()
        held = self._turns.locked()
        async with self._turns:
            while (delay_s := max(self._paused_until_s, self._next_s) - self._clock.monotonic_s()) > 0:
                held = True
                await self._clock.sleep(delay_s)
            now_s = self._clock.monotonic_s()
            self._next_s = now_s + self._gap_s
        if held:
            self._on_wait(now_s - started_s)
        return held

    def refused(self, *, sent_s: float, retry_after_s: float | None) -> None:
        """Slow the account: the provider answered 429 to a request sent at `sent_s`."""
        now_s = self._clock.monotonic_s()
        if sent_s >= self._slowed_s:  # Else it was on its way when another one was refused: the same news.
            self._slowed_s = now_s
            self._strikes += 1
            self._window = max(1.0, self._window / 2)
        delay_s = retry_after_s or self._grown_s()
        self._paused_until_s = max(self._paused_until_s, now_s + min(delay_s, LONGEST_WAIT_S))

    def succeeded(self, *, sent_s: float) -> None:
        """Give some room back."""
        if sent_s >= self._slowed_s:
            self._strikes = 0
            self._window = min(self._most, self._window + 1.0 / self._window)
            self._admit()

    def _grown_s(self) -> float:
        # Jitter of a half, not full: all of the account waits for the same instant, and it must be later each time.
        longest_s = _SMALLEST_STEP_S * 2.0 ** min(self._strikes, _LARGEST_DOUBLING)
        return longest_s * (0.5 + 0.5 * self._random.random())

    async def _enter(self) -> None:
        if not self._waiting and self._in_flight + 1 <= self._window:
            self._in_flight += 1
            return
        started_s = self._clock.monotonic_s()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # A place was given at the same moment: it goes to the next.
                self._in_flight -= 1
            self._admit()
            raise
        self._on_wait(self._clock.monotonic_s() - started_s)

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0].done() or self._in_flight + 1 <= self._window):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                self._in_flight += 1
