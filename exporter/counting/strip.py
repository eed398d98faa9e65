"""Traffic says where a window begins and ends and numbers its buckets. How wide are they?"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.counting.window import Bucket, Window

__all__ = ["Strip", "bucket_width", "width_ms"]

_MISSING_SHARE = 4
"""At most a quarter of a window's buckets, and two at least, are taken for missing at its end where nothing else tells.
More would turn a change of width (12 buckets become 6) into half a window of missing ones."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Values by their number, over `[begin_ms, end_ms)`; None: the answer has none.

    `count`: one more than the largest number in the whole answer. Values are quanta of a bucket, or of a second of it
    (`per_second`).
    """

    begin_ms: int
    end_ms: int
    count: int
    values: Mapping[int, int | None]
    asked_ms: int
    per_second: bool = False

    def window(self, width_ms: int) -> Window:
        """The strip as buckets of that width.

        >>> Strip(0, 60, 2, {0: 5, 1: 7}, asked_ms=60).window(20)
        Window(start_ms=0, width_ms=20, values=(5, 7), asked_ms=60)
        """
        values = (self.values.get(number) for number in range(self.count))
        if self.per_second:
            values = (None if value is None else value * width_ms // 1000 for value in values)
        return Window(self.begin_ms, width_ms, tuple(values), self.asked_ms)


def width_ms(strips: Iterable[tuple[Strip, Iterable[Bucket]]], *, seen_ms: Iterable[int | None]) -> int | None:
    """Return the width of an answer's buckets. With each strip come the buckets that are known of its series already.

    `seen_ms` are widths that were seen before, the likeliest first: one is believed if it divides the span, leaves room
    for what is there, and what is known does not speak against it. So an answer of which only the oldest buckets are
    left (the VM was stopped) is not taken for one of fewer and wider buckets, and a change of width is noticed.

    >>> left = Strip(0, 3_600, 4, {0: 5, 1: 6, 2: 7, 3: 8}, asked_ms=3_600)
    >>> width_ms([(left, [])], seen_ms=[300])
    300
    >>> width_ms([(left, [Bucket(0, 300, 1, 0), Bucket(300, 600, 1, 0)])], seen_ms=[300])
    900
    """
    known = list(strips)
    if not known:
        return None
    first, _ = known[0]
    span_ms = first.end_ms - first.begin_ms
    if span_ms <= 0:
        return None
    for seen in seen_ms:
        if seen is None or span_ms % seen or first.count * seen > span_ms:
            continue
        nearly_full = first.count * seen * _MISSING_SHARE > span_ms * (_MISSING_SHARE - 1)
        if nearly_full or not _spoken_against(known, seen):
            return seen
    width_s = bucket_width(from_s=first.begin_ms / 1000, to_s=first.end_ms / 1000, count=first.count)
    return None if width_s is None else round(width_s * 1000)


def _spoken_against(strips: Iterable[tuple[Strip, Iterable[Bucket]]], width_ms: int) -> bool:
    """Whether, at that width, most of what the strips tell differs from what is known. Zeros tell nothing."""
    told = differing = 0
    for strip, buckets in strips:
        known = {(bucket.start_ms, bucket.end_ms): bucket.value for bucket in buckets}
        for bucket in strip.window(width_ms).buckets():
            value = known.get((bucket.start_ms, bucket.end_ms))
            if value is not None and (value or bucket.value):
                told += 1
                differing += value != bucket.value
    return differing * 2 > told


def bucket_width(*, from_s: float, to_s: float, count: int) -> float | None:
    """Return the width in seconds of the buckets of `[from_s, to_s)`, of which the last one present is `count - 1`.

    Buckets may be missing at the end, so the span divided by `count` is only the first guess. Taken is, of the counts
    not far above it: the first that puts both ends on a grid of whole seconds; else the first that gives whole seconds;
    else `count` itself. None where there is nothing to divide.

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
    whole = [span_s / n for n in counts if span_s % n == 0]
    on_grid = [width for width in whole if from_s % width == 0]
    return next(iter(on_grid or whole or [span_s / count]))
