"""Traffic says where a window begins and ends and numbers its buckets. How wide are they?"""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from exporter.counting.horizon import Horizon, runs_of, unpacked
from exporter.counting.quantum import entered
from exporter.counting.window import Window, changes_for_ms

__all__ = ["Strip", "bucket_width", "width_ms"]

_MISSING_SHARE = 4
"""At most a quarter of a window's buckets, and two at least, are taken for missing at its end where nothing else tells.
More would turn a change of width (12 buckets become 6) into half a window of missing ones."""
_TOLERATED = 8
"""A span may be an eighth of a bucket off: a window's ends need not be of one instant."""
_DAY_S = 86_400.0


class Strip(Struct, frozen=True, gc=False):
    """Values as told, by their number, up to the largest in the whole answer, over `[begin_ms, end_ms)`; None: the
    answer has none. They are of a bucket, or of a second of it (`per_second`).
    """

    begin_ms: int
    end_ms: int
    values: tuple[float | None, ...]
    asked_ms: int
    per_second: bool = False

    def window(self, width_ms: int) -> Window:
        """The strip as buckets of that width.

        >>> from exporter.counting import enter
        >>> Strip(0, 60, (5.0, 7.0), asked_ms=60).window(20) == Window(0, 20, (enter(5.0), enter(7.0)), asked_ms=60)
        True
        """
        values = entered(self.values)
        if self.per_second:
            values = tuple(None if value is None else value * width_ms // 1000 for value in values)
        return Window(self.begin_ms, width_ms, values, self.asked_ms)


def width_ms(strips: Sequence[tuple[Strip, Horizon]], *, grid: Window | None, hint_ms: int | None) -> int | None:
    """Return the width of an answer's buckets. With each strip comes the horizon of its series.

    `grid` is where the answer before ended, and its width; `hint_ms` the width of other machines' buckets. A width seen
    before is believed if it fits and nothing speaks against it, so that an answer of which only the oldest buckets are
    left (the VM was stopped) is not taken for one of fewer and wider buckets. Values that are known decide; else, where
    the answer begins: a width whose grid it is off is not believed beside one whose grid it is on.

    >>> from exporter.counting import NO_RUNS, horizon_of
    >>> left = Strip(0, 3_600, (5.0, 6.0, 7.0, 8.0), asked_ms=3_600)
    >>> width_ms([(left, NO_RUNS)], grid=None, hint_ms=300)
    300
    >>> width_ms([(left, horizon_of(((0, 300, 3_600, (1, 1)),)))], grid=None, hint_ms=300)
    900
    """
    if not strips or strips[0][0].end_ms <= strips[0][0].begin_ms:
        return None
    strip, _ = strips[0]
    span_ms = strip.end_ms - strip.begin_ms
    seen = [width for width in (grid.width_ms if grid is not None else None, hint_ms) if width and _fits(strip, width)]

    def is_on_grid(width: int) -> bool:
        return grid is None or (strip.begin_ms - grid.end_ms) % width == 0

    if grid is not None and seen and seen[0] * len(strip.values) == span_ms and is_on_grid(seen[0]):
        return seen[0]
    width_s = bucket_width(from_s=strip.begin_ms / 1000, to_s=strip.end_ms / 1000, count=len(strip.values))
    guessed = [] if width_s is None else [round(width_s * 1000)]
    evidence = {width: _evidence(strips, width) for width in dict.fromkeys((*seen, *guessed))}
    proven = [width for width, balance in evidence.items() if balance > 0]
    not_denied = [width for width in seen if evidence[width] == 0]
    on_grid = [width for width in (*not_denied, *guessed) if is_on_grid(width)]
    return next(iter((*proven, *(on_grid if not_denied else ()), *not_denied, *guessed)), None)


def _fits(strip: Strip, width_ms: int) -> bool:
    """Whether the span is a whole number of such buckets, near enough, and has room for those that are there."""
    span_ms = strip.end_ms - strip.begin_ms
    count = round(span_ms / width_ms)
    return len(strip.values) <= count and abs(span_ms - count * width_ms) * _TOLERATED <= width_ms


def _evidence(strips: Iterable[tuple[Strip, Horizon]], width_ms: int) -> int:
    """By how many values more the strips agree with what is known, at that width, than differ. Zeros tell nothing, and
    it is no contradiction that a value has changed which was told so early that it could.
    """
    balance = 0
    for strip, horizon in strips:
        known = {(bucket.start_ms, bucket.end_ms): bucket for bucket in unpacked(runs_of(horizon))}
        for bucket in strip.window(width_ms).buckets():
            before = known.get((bucket.start_ms, bucket.end_ms))
            if before is None:
                continue
            if before.value == bucket.value:
                balance += bool(bucket.value)
            elif before.asked_ms - before.end_ms >= changes_for_ms(strip.end_ms - strip.begin_ms):
                balance -= 1
    return balance


def bucket_width(*, from_s: float, to_s: float, count: int) -> float | None:
    """Return the width in seconds of the buckets of `[from_s, to_s)`, of which the last one present is `count - 1`.

    Buckets may be missing at the end, so the span divided by `count` is only the first guess. Taken is, of the counts
    not far above it: the first that puts both ends on a grid of whole seconds; else the first that gives whole seconds
    which divide a day; else `count` itself. None where there is nothing to divide.

    >>> bucket_width(from_s=1407060000, to_s=1407063600, count=12)
    300.0
    >>> bucket_width(from_s=1407060000, to_s=1407063600, count=11)
    300.0
    >>> bucket_width(from_s=1407060000, to_s=1409745600, count=373)
    7200.0
    """
    span_s = to_s - from_s
    if count < 1 or not math.isfinite(span_s) or span_s <= 0:
        return None
    counts = range(count, count + max(2, count // (_MISSING_SHARE - 1)) + 1)
    whole = [span_s / n for n in counts if span_s % n == 0 and (n == count or _DAY_S % (span_s / n) == 0)]
    on_grid = [width for width in whole if from_s % width == 0]
    return next(iter(on_grid or whole or [span_s / count]))
