"""Time and waiting: the only place that reads a clock or sleeps.

Wall time is for what is shown, monotonic time for waiting. A test passes a clock of its own.
"""

import asyncio
import sys
import time
from typing import Protocol

__all__ = ["Clock", "Stint", "SystemClock", "let_others_run", "take_short_turns"]

_NAP_S = 0.0002
_TURN_S = 0.001
_STINT_S = 0.001


class Clock(Protocol):
    """What is read and waited by; all three in seconds."""

    def wall_s(self) -> float:
        """UNIX seconds. May jump."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some instant. Never goes back."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Give way for at least `delay_s`."""
        ...

    async def give_way(self) -> None:
        """Let others run. Of those who give way one goes on in each lap of the loop, in the order in which they did:
        else a lap takes as long as the steps of all together.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._next_lap = asyncio.Lock()
        """Who holds it goes on in the next lap."""
        self._giving_way = 0

    async def give_way(self) -> None:
        is_alone = self._giving_way == 0
        self._giving_way += 1
        try:
            async with self._next_lap:
                if is_alone:  # Else those before have had a lap each.
                    await asyncio.sleep(0)
        finally:
            self._giving_way -= 1

    wall_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


class Stint:
    """Work in parts, each well below a millisecond: after a millisecond of it others may run.

    A count of parts does not tell how long they take: it was two and a half times as long on another machine.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent_s, self._since_s = 0.0, clock.monotonic_s()

    @property
    def spent_s(self) -> float:
        """What has been worked, without what others did meanwhile."""
        return self._spent_s + self._clock.monotonic_s() - self._since_s

    async def part_done(self) -> None:
        """Give way, if it is time to."""
        worked_s = self._clock.monotonic_s() - self._since_s
        if worked_s >= _STINT_S:
            self._spent_s += worked_s
            await self._clock.give_way()
            self._since_s = self._clock.monotonic_s()


def take_short_turns() -> None:
    """For the process: who wants the interpreter's lock gets it after a millisecond at most, not after five.

    The event loop gives it up at each write, and while another thread is at work it waits for so long each time: five
    requests held it for 25 ms.
    """
    sys.setswitchinterval(_TURN_S)


def let_others_run() -> None:
    """For a thread: let the event loop have the interpreter's lock.

    Whoever gives it up again and again for microseconds, as SQLite's module does at each row, takes it back before
    another thread has woken up, which then waits for as long as that goes on.
    """
    time.sleep(_NAP_S)
