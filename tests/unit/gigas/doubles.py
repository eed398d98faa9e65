"""Doubles for what the client is given: time and secrets."""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from exporter.clock import SystemClock

__all__ = ["JumpingClock", "SlowClock", "SwiftClock", "Text", "settled"]

T = TypeVar("T")
_ENOUGH_TURNS = 30


async def settled() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(_ENOUGH_TURNS):
        await SystemClock().sleep(0)


class JumpingClock:
    """Time stands still while anything can run, then jumps to the next that waits."""

    def __init__(self, wall_s: float = 1_000_000.0) -> None:
        self._offset_s = wall_s
        self._now_s = 0.0
        self._order = itertools.count()
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall_s(self) -> float:
        return self._now_s + self._offset_s

    def monotonic_s(self) -> float:
        return self._now_s

    async def sleep(self, delay_s: float) -> None:
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self._now_s + delay_s, next(self._order), awake))
        await awake

    async def give_way(self) -> None:
        await SystemClock().give_way()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work to its end, jumping as often as needed."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            while not task.done():
                await settled()
                self._jump()
        return task.result()

    async def advance(self, span_s: float) -> None:
        """Let that much time pass, waking who waits on the way."""
        until_s = self._now_s + span_s
        await settled()
        while self._sleeping and self._sleeping[0][0] <= until_s:
            self._jump()
            await settled()
        self._now_s = until_s

    def _jump(self) -> None:
        while self._sleeping:
            at_s, _, awake = heapq.heappop(self._sleeping)
            self._now_s = max(self._now_s, at_s)
            if not awake.done():
                awake.set_result(None)
                return


class SwiftClock:
    """The system's time, but a sleep passes at once: what waits is seen, not waited for."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._slept_s = 0.0
        self.sleeps_s: list[float] = []

    def wall_s(self) -> float:
        return self._clock.wall_s() + self._slept_s

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s() + self._slept_s

    async def sleep(self, delay_s: float) -> None:
        if delay_s > 0:
            self.sleeps_s.append(delay_s)
            self._slept_s += delay_s
        await self._clock.sleep(0)

    async def give_way(self) -> None:
        await self._clock.give_way()

    def pass_by(self, span_s: float) -> None:
        """Let time pass."""
        self._slept_s += span_s


class SlowClock(SwiftClock):
    """The same, but a sleep takes its time: for tests of how many requests come in what time."""

    async def sleep(self, delay_s: float) -> None:
        self.sleeps_s.append(delay_s)
        await self._clock.sleep(delay_s)


class Text:
    """A secret that a test may change, or make unreadable."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        self.text = text
        self.error = error
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.text
