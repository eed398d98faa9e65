"""What one answer shows, as buckets with absolute bounds."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NewType

from msgspec import Struct

from exporter.counting.resting import rested, woken

__all__ = ["Bucket", "Grid", "KeptWindow", "Window", "changes_for_ms", "complete_until_ms", "to_ms"]


def to_ms(at_s: float) -> int:
    """UNIX seconds as whole milliseconds: bounds are compared, so they must not be floating-point.

    >>> to_ms(1407060000.25)
    1407060000250
    """
    return round(at_s * 1000)


def changes_for_ms(span_ms: int) -> int:
    """For how long after its end a bucket may change, where the shortest window spans that: two thirds of it. A look
    that comes later than that finds it as it is.

    >>> changes_for_ms(3_600_000)
    2400000
    """
    return span_ms * 2 // 3


class Bucket(Struct, frozen=True, gc=False):
    """A value in quanta over `[start_ms, end_ms)`, as told by the answer that was asked for at `asked_ms`."""

    start_ms: int
    end_ms: int
    value: int
    asked_ms: int


KeptWindow = NewType("KeptWindow", bytes)
"""A window as it is kept until the next answer."""


class Window(Struct, frozen=True, gc=False):
    """Neighbouring buckets of one width: `values[i]` (quanta; None: the answer has none) covers
    `[start_ms + i * width_ms, start_ms + (i + 1) * width_ms)`."""

    start_ms: int
    width_ms: int
    values: tuple[int | None, ...]
    asked_ms: int

    @property
    def end_ms(self) -> int:
        return bounds_ms(self.start_ms, self.width_ms, len(self.values))[-1]  # That is kept by many, and shared so.

    @classmethod
    def woken(cls, kept: KeptWindow) -> "Window":
        """The window that `rested` gave."""
        return cls(*woken(kept))

    def rested(self) -> KeptWindow:
        """As it is kept until the next answer."""
        return KeptWindow(rested((self.start_ms, self.width_ms, self.values, self.asked_ms)))

    def buckets(self) -> Iterator[Bucket]:
        """The buckets that have a value, oldest first."""
        bounds = bounds_ms(self.start_ms, self.width_ms, len(self.values))
        for value, start_ms, end_ms in zip(self.values, bounds, bounds[1:], strict=False):
            if value is not None:
                yield Bucket(start_ms, end_ms, value, self.asked_ms)


@lru_cache(256)
def bounds_ms(start_ms: int, width_ms: int, count: int) -> tuple[int, ...]:
    """The bounds of so many buckets. VMs that share a grid share these numbers, of which each series keeps several."""
    return tuple(range(start_ms, start_ms + count * width_ms + 1, width_ms))


class Grid(Struct, frozen=True, gc=False):
    """Where the buckets of a longer period lie: `count` of `width_ms`, one of which ended at `end_ms`."""

    width_ms: int
    end_ms: int
    count: int


def complete_until_ms(window: Window, *, now_ms: int, idle_after_ms: int) -> int | None:
    """Return the end of the newest complete bucket of `window`, or None if none is.

    A bucket that has not ended at `now_ms` (the provider's time) is not complete. A filled one is as soon as it has
    ended. A zero at the end of a window may not be filled yet: it is complete only when something later is filled or
    when its end lies `idle_after_ms` back.

    >>> window = Window(0, 10, (5, 0, 7, 0, 0), asked_ms=50)
    >>> complete_until_ms(window, now_ms=50, idle_after_ms=20)
    30
    >>> complete_until_ms(window, now_ms=60, idle_after_ms=20)
    40
    """
    end = window.end_ms
    for value in reversed(window.values):
        settled_zero = value == 0 and end + idle_after_ms <= now_ms
        if (value and end <= now_ms) or settled_zero:
            return end
        end -= window.width_ms
    return None
