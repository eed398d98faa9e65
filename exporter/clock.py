"""Time and waiting: the only place that reads a clock or sleeps.

Wall time is for what is shown, monotonic time for waiting. A test passes a clock of its own.
"""

import asyncio
import sys
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "let_others_run", "take_short_turns"]

_NAP_S = 0.0002
_TURN_S = 0.001


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


class SystemClock:
    """The machine's own clock."""

    wall_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


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
