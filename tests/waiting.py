"""Waiting for a condition with a deadline; nothing in the tests sleeps for luck."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from exporter.clock import SystemClock

__all__ = ["eventually"]

_T = TypeVar("_T")
_CLOCK = SystemClock()
_REST = 2.0
"""To look takes the processor from what is waited for: between two looks it is left alone so many times as long."""
_LONGEST_REST_S = 0.5


async def eventually(
    condition: Callable[[], Awaitable[_T | None]], *, within_s: float = 20.0, every_s: float = 0.05
) -> _T:
    """Return what the condition gives as soon as that is true. While it raises AssertionError or OSError it is not."""
    until_s = _CLOCK.monotonic_s() + within_s
    last: object = None
    while (asked_s := _CLOCK.monotonic_s()) < until_s:
        try:
            last = result = await condition()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if result:
                return result
        took_s = _CLOCK.monotonic_s() - asked_s
        await _CLOCK.sleep(max(every_s, min(_REST * took_s, _LONGEST_REST_S)))
    raise AssertionError(f"not within {within_s} s; the last answer was {last!r}") from (
        last if isinstance(last, Exception) else None
    )
