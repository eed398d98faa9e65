"""Providers that limit, as models, and workers that ask them through the real limiter, in virtual time."""

import asyncio
import math
import selectors
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from exporter.clock import SystemClock
from exporter.gigas.limits import Limiter

__all__ = ["Asking", "Bucket", "Limit", "Minutes", "Sliding", "VirtualClock", "asking", "in_virtual_time"]

_LARGEST_JITTER_S = 0.01
_RESOLUTION_S = 1e-9
"""A clock that goes by less stands still: floats absorb it, and who waits for the rest waits for ever."""


class _NoSockets(selectors.SelectSelector):
    """Instead of waiting for sockets, of which there are none to wait for, it lets the time pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that will not come")
        self.now_s += timeout + _RESOLUTION_S
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._time = _NoSockets()
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now_s


class VirtualClock(SystemClock):
    """The time of the loop that runs."""

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_s(self) -> float:
        return 1_000_000.0 + self.monotonic_s()


def in_virtual_time(work: Callable[[], Any]) -> Any:
    """Run a coroutine on a loop whose time jumps from one event to the next: an hour passes in a second."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work())


class Limit(Protocol):
    """What a provider lets through."""

    def lets(self, now_s: float) -> bool: ...

    def refuses_for_s(self, now_s: float) -> float:
        """For how long it will refuse, having refused."""
        ...


class Bucket:
    """So many a second, and `burst` at once after a while."""

    def __init__(self, per_s: float, *, burst: float) -> None:
        self.per_s, self._burst, self._tokens, self._at_s = per_s, burst, burst, 0.0

    def lets(self, now_s: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def refuses_for_s(self, now_s: float) -> float:  # noqa: ARG002 - it knows when it was asked
        return (1 - self._tokens) / self.per_s


class Sliding:
    """So many in any second."""

    def __init__(self, per_s: float) -> None:
        self._most, self._let_s = int(per_s), deque[float]()

    def lets(self, now_s: float) -> bool:
        while self._let_s and self._let_s[0] <= now_s - 1:
            self._let_s.popleft()
        if len(self._let_s) >= self._most:
            return False
        self._let_s.append(now_s)
        return True

    def refuses_for_s(self, now_s: float) -> float:
        return self._let_s[0] + 1 - now_s


class Minutes:
    """So many in each minute, or each `of_s`; the first has begun before we do."""

    def __init__(self, per_s: float, *, of_s: float = 60.0, gone: float = 0.0) -> None:
        self._most, self._of_s, self._gone_s = int(per_s * of_s), of_s, gone * of_s
        self._number, self._let = -1, 0

    def lets(self, now_s: float) -> bool:
        number = math.floor((now_s + self._gone_s) / self._of_s)
        if number != self._number:
            self._number, self._let = number, 0
        if self._let >= self._most:
            return False
        self._let += 1
        return True

    def refuses_for_s(self, now_s: float) -> float:
        return (self._number + 1) * self._of_s - self._gone_s - now_s


RetryAfter = float | str | None
"""Seconds; `date`: a second ahead, as a date that is cut to whole seconds; `true`: as long as it will refuse."""


@dataclass
class Asking:
    """Workers with endless work, and how it went."""

    limit: Limit
    limiter: Limiter
    retry_after: RetryAfter
    round_trip_s: float
    random: Random
    answered: int = 0
    refused: int = 0
    marks: dict[float, int] = field(default_factory=dict)

    @property
    def refused_share(self) -> float:
        return self.refused / (self.answered + self.refused)

    async def work(self, until_s: float) -> None:
        loop, limiter = asyncio.get_running_loop(), self.limiter
        jitter_s = min(0.1 * self.round_trip_s, _LARGEST_JITTER_S)
        while loop.time() < until_s:
            with await limiter.place():
                await limiter.turn()
                sent_s = loop.time()
                way_s = (self.round_trip_s + jitter_s * (2 * self.random.random() - 1)) / 2
                await VirtualClock().sleep(way_s)
                is_let = self.limit.lets(loop.time())
                retry_after_s = None if is_let else self._retry_after_s(loop.time())
                await VirtualClock().sleep(way_s)
                if is_let:
                    self.answered += 1
                    limiter.succeeded(sent_s=sent_s, duration_s=2 * way_s)
                else:
                    self.refused += 1
                    limiter.refused(sent_s=sent_s, retry_after_s=retry_after_s)

    def _retry_after_s(self, now_s: float) -> float | None:
        match self.retry_after:
            case "date":
                return math.ceil(now_s + 1) - now_s
            case "true":
                return float(max(1, math.ceil(self.limit.refuses_for_s(now_s))))
            case float() | int() as seconds:
                return float(seconds)
            case _:
                return None


def asking(
    limit: Limit,
    *,
    retry_after: RetryAfter = 1.0,
    round_trip_s: float = 0.05,
    until_s: float,
    later: Limit | None = None,
    later_s: float = math.inf,
    marks_s: tuple[float, ...] = (),
    workers: int = 32,
) -> Asking:
    """Ask until then, from `later_s` on a provider with another limit; note at each mark how many were answered."""

    async def run() -> Asking:
        random = Random(1)  # noqa: S311 - jitter
        limiter = Limiter(
            max_concurrency=32,
            requests_per_second=0,
            clock=VirtualClock(),
            random=random,
            on_wait=lambda _: None,
        )
        made = Asking(limit, limiter, retry_after, round_trip_s, random)

        async def change() -> None:
            await VirtualClock().sleep(later_s)
            made.limit = later or limit

        async def mark() -> None:
            for mark_s in marks_s:
                await VirtualClock().sleep(mark_s - VirtualClock().monotonic_s())
                made.marks[mark_s] = made.answered

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(made.work(until_s))
            group.create_task(mark())
            if later is not None:
                group.create_task(change())
        return made

    made: Asking = in_virtual_time(run)
    return made
