"""What one answer shows, as buckets with absolute bounds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Bucket", "Window", "bucket_width", "complete_until_ms", "to_ms"]

_MISSING_SHARE = 4
"""At most a quarter of a window's buckets, and two at least, are taken for missing at its end. More would turn a change
of width (12 buckets become 6) into half a window of missing ones."""


def to_ms(at_s: float) -> int:
    """UNIX seconds as whole milliseconds: bounds are compared, so they must not be floating-point.

    >>> to_ms(1407060000.25)
    1407060000250
    """
    return round(at_s * 1000)


class Bucket(NamedTuple):
    """A value in quanta over `[start_ms, end_ms)`, as told by the answer that was asked for at `asked_ms`."""

    start_ms: int
    end_ms: int
    value: int
    asked_ms: int


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring buckets of one width: `values[i]` (quanta; None: the answer has none) covers
    `[start_ms + i * width_ms, start_ms + (i + 1) * width_ms)`."""

    start_ms: int
    width_ms: int
    values: tuple[int | None, ...]
    asked_ms: int

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.width_ms * len(self.values)

    def buckets(self) -> Iterator[Bucket]:
        """The buckets that have a value, oldest first."""
        start = self.start_ms
        for value in self.values:
            if value is not None:
                yield Bucket(start, start + self.width_ms, value, self.asked_ms)
            start += self.width_ms

    @staticmethod
    def of(*, start_ms: int, width_ms: int, count: int, values: Mapping[int, int | None], asked_ms: int) -> "Window":
        """A window of `count` buckets from values by index, with gaps."""
        return Window(start_ms, width_ms, tuple(values.get(index) for index in range(count)), asked_ms)


def bucket_width(*, from_s: float, to_s: float, count: int, hint_s: float | None = None) -> float | None:
    """Return the width in seconds of the buckets of `[from_s, to_s)`, of which the last one present is `count - 1`.

    Buckets may be missing at the end, so the span divided by `count` is only the first guess. Taken is, of the counts
    not far above it: the one that gives `hint_s` (a width seen before); else the first that puts both ends on a grid
    of whole seconds; else the first that gives whole seconds; else `count` itself. None where there is nothing to
    divide.

    >>> bucket_width(from_s=1407060000, to_s=1407063600, count=12)
    300.0
    >>> bucket_width(from_s=1407060000, to_s=1407063600, count=11)
    300.0
    >>> bucket_width(from_s=1407060000, to_s=1409745600, count=373)
    7200.0
    >>> bucket_width(from_s=1407060000, to_s=1407063600, count=6, hint_s=300)
    600.0
    """
    span_s = to_s - from_s
    if count < 1 or not math.isfinite(span_s) or span_s <= 0:
        return None
    counts = range(count, count + max(2, count // (_MISSING_SHARE - 1)) + 1)
    if hint_s is not None and round(span_s / hint_s) in counts and math.isclose(span_s % hint_s, 0, abs_tol=1e-3):
        return hint_s
    whole = [span_s / n for n in counts if span_s % n == 0]
    on_grid = [width for width in whole if from_s % width == 0]
    return next(iter(on_grid or whole or [span_s / count]))


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
