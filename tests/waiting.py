"""Waiting for a condition with a deadline; nothing in the tests sleeps for luck."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from exporter.clock import SystemClock

__all__ = ["eventually"]

_T = TypeVar("_T")
_CLOCK = SystemClock()


async def eventually(
    condition: Callable[[], Awaitable[_T | None]], *, within_s: float = 20.0, every_s: float = 0.05
) -> _T:
    """Return what the condition gives as soon as that is true. While it raises AssertionError or OSError it is not."""
    until_s = _CLOCK.monotonic_s() + within_s
    last: object = None
    while _CLOCK.monotonic_s() < until_s:
        try:
            last = result = await condition()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if result:
                return result
        await _CLOCK.sleep(every_s)
    raise AssertionError(f"not within {within_s} s; the last answer was {last!r}") from (
        last if isinstance(last, Exception) else None
    )
