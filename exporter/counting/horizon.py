"""The buckets that may still change, as a sorted list: answers merged in, gaps found, what is settled put together;
and how they are kept.
"""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import NewType, cast

from exporter.counting.resting import rested, woken
from exporter.counting.window import Bucket, Grid, Window, bounds_ms

__all__ = [
    "NO_RUNS",
    "Horizon",
    "Off",
    "Run",
    "boundary_at_or_before",
    "compacted",
    "gaps",
    "horizon_of",
    "is_settled",
    "is_told",
    "merged",
    "packed",
    "parts",
    "runs_of",
    "unpacked",
    "within",
]

Off = tuple[int, int]
"""The span in which a machine is known to have been off."""
Run = tuple[int, int, int, tuple[int, ...]]
"""Neighbouring buckets of one width, told by one answer: start, width, when it was asked for, values."""
Horizon = NewType("Horizon", bytes)
"""Runs, oldest first, as they are kept."""
NO_RUNS = Horizon(b"")


def horizon_of(runs: tuple[Run, ...]) -> Horizon:
    """Runs as they are kept.

    >>> horizon_of(())
    b''
    """
    return Horizon(rested(runs)) if runs else NO_RUNS


def runs_of(horizon: Horizon) -> tuple[Run, ...]:
    """The runs that are kept, oldest first.

    >>> runs_of(horizon_of(((0, 10, 77, (5, 2**70)),)))
    ((0, 10, 77, (5, 1180591620717411303424)),)
    """
    return cast("tuple[Run, ...]", woken(horizon)) if horizon else ()


def packed(buckets: Iterable[Bucket]) -> Horizon:
    """Buckets as they are kept, oldest first. A window told by one answer is one run.

    >>> runs_of(packed([Bucket(0, 10, 5, 77), Bucket(10, 20, 6, 77), Bucket(20, 30, 7, 78)]))
    ((0, 10, 77, (5, 6)), (20, 10, 78, (7,)))
    """
    runs: list[tuple[int, int, int, list[int]]] = []
    values: list[int] = []
    reached_ms = width_ms = told_ms = None
    for bucket in buckets:
        start_ms, end_ms, asked_ms = bucket.start_ms, bucket.end_ms, bucket.asked_ms
        if start_ms == reached_ms and end_ms - start_ms == width_ms and asked_ms == told_ms:
            values.append(bucket.value)
        else:
            width_ms, told_ms, values = end_ms - start_ms, asked_ms, [bucket.value]
            runs.append((start_ms, width_ms, asked_ms, values))
        reached_ms = end_ms
    return horizon_of(
        tuple((start_ms, width_ms, asked_ms, tuple(values)) for start_ms, width_ms, asked_ms, values in runs)
    )


def unpacked(runs: Iterable[Run]) -> list[Bucket]:
    """The buckets of runs, oldest first.

    >>> unpacked([(0, 10, 77, (5, 6))])
    [Bucket(start_ms=0, end_ms=10, value=5, asked_ms=77), Bucket(start_ms=10, end_ms=20, value=6, asked_ms=77)]
    """
    buckets: list[Bucket] = []
    for start_ms, width_ms, asked_ms, values in runs:
        bounds = bounds_ms(start_ms, width_ms, len(values))
        buckets += map(Bucket, bounds, bounds[1:], values, repeat(asked_ms))
    return buckets


def is_told(bucket: Bucket) -> bool:
    """Whether an answer has shown it after its end: a gap is a bucket asked for when it began.

    >>> is_told(Bucket(0, 10, 5, asked_ms=10)), is_told(Bucket(0, 10, 0, asked_ms=0))
    (True, False)
    """
    return bucket.asked_ms >= bucket.end_ms


def is_settled(bucket: Bucket, *, after_ms: int) -> bool:
    """Whether its value was told so long after its end that it does not change any more.

    >>> is_settled(Bucket(0, 10, 5, asked_ms=12), after_ms=8)
    False
    """
    return bucket.asked_ms - bucket.end_ms >= after_ms


def boundary_at_or_before(grid: Grid, at_ms: int) -> int:
    """Return the last boundary of a grid not after `at_ms`.

    >>> boundary_at_or_before(Grid(width_ms=10, end_ms=105, count=3), 99)
    95
    """
    return grid.end_ms + (at_ms - grid.end_ms) // grid.width_ms * grid.width_ms


def within(buckets: Iterable[Bucket], start_ms: int, end_ms: int) -> Iterator[Bucket]:
    """What of the buckets lies between two instants; values are shared out by time."""
    for bucket in buckets:
        yield from parts(bucket, max(bucket.start_ms, start_ms), min(bucket.end_ms, end_ms))


def parts(bucket: Bucket, start_ms: int, end_ms: int) -> Iterator[Bucket]:
    """A part of a bucket, its value shared out by time; none where there is no time."""
    if (start_ms, end_ms) == (bucket.start_ms, bucket.end_ms):
        yield bucket
    elif start_ms < end_ms:
        share = bucket.value * (end_ms - start_ms) // (bucket.end_ms - bucket.start_ms)
        # As old as the whole: what a longer period has told too early must not pass for settled when it is divided.
        yield Bucket(start_ms, end_ms, share, end_ms + bucket.asked_ms - bucket.end_ms)


def merged(held: Sequence[Bucket], window: Window, *, after_ms: int) -> list[Bucket]:
    """The buckets with an answer's in them, as far as those lie after `after_ms`; of what both tell, the one that was
    asked for later counts.
    """
    told = [bucket for bucket in window.buckets() if bucket.end_ms > after_ms]
    if told and told[0].start_ms < after_ms:
        told[:1] = parts(told[0], after_ms, told[0].end_ms)
    known = {(bucket.start_ms, bucket.end_ms): bucket for bucket in held}
    if any(_overlaps(held, bucket) for bucket in told if (bucket.start_ms, bucket.end_ms) not in known):
        return _laid_over(held, told)
    for bucket in told:
        before = known.get((bucket.start_ms, bucket.end_ms))
        if before is None or bucket.asked_ms > before.asked_ms:
            known[bucket.start_ms, bucket.end_ms] = bucket
    return sorted(known.values(), key=lambda bucket: bucket.end_ms)


def _laid_over(held: Sequence[Bucket], told: list[Bucket]) -> list[Bucket]:
    """Of neighbours with other bounds (a width that changed, a window that slides with the clock), what is told now
    counts where it tells something; what was held keeps the parts outside, shared out by time.
    """
    if told[-1].asked_ms <= held[-1].asked_ms:
        return list(held)
    while told and not told[-1].value:  # It may not be filled yet: it takes nothing back.
        told.pop()
    outside: list[Bucket] = []
    for bucket in held:
        start_ms = bucket.start_ms
        covers = bisect.bisect_right(told, start_ms, key=lambda each: each.end_ms)
        while covers < len(told) and told[covers].start_ms < bucket.end_ms:
            outside.extend(parts(bucket, start_ms, told[covers].start_ms))
            start_ms = told[covers].end_ms
            covers += 1
        outside.extend(parts(bucket, start_ms, bucket.end_ms))
    return sorted((*outside, *told), key=lambda bucket: bucket.end_ms)


def _overlaps(held: Sequence[Bucket], bucket: Bucket) -> bool:
    """Whether one of the (sorted) held buckets has time in common with this one."""
    first = bisect.bisect_right(held, bucket.start_ms, key=lambda each: each.end_ms)
    return first < len(held) and held[first].start_ms < bucket.end_ms


def gaps(buckets: Iterable[Bucket], start_ms: int, end_ms: int, *, off: Off | None) -> Iterator[Bucket]:
    """The time between two instants that no bucket covers and in which the machine was not off, as buckets untold.

    >>> list(gaps([Bucket(10, 20, 5, 40)], 0, 40, off=(30, 40)))
    [Bucket(start_ms=0, end_ms=10, value=0, asked_ms=0), Bucket(start_ms=20, end_ms=30, value=0, asked_ms=20)]
    """
    covered = [(bucket.start_ms, bucket.end_ms) for bucket in buckets]
    if off is not None:
        covered = sorted((*covered, off))
    for covered_from_ms, covered_until_ms in (*covered, (end_ms, end_ms)):
        if start_ms < min(covered_from_ms, end_ms):
            yield Bucket(start_ms, min(covered_from_ms, end_ms), 0, start_ms)
        start_ms = max(start_ms, covered_until_ms)


def compacted(
    buckets: Iterable[Bucket], *, until_ms: int, settled_after_ms: int, grids: Sequence[Grid], newest_ms: int
) -> Iterator[Bucket]:
    """The same with settled neighbours up to `until_ms` put together, but the one that ends at `newest_ms`.

    What waits for a longer period must not make a series grow with the time that it waits: of each bucket of that
    period it takes the sum alone.
    """
    last: Bucket | None = None
    for bucket in buckets:
        joins = (
            bucket.end_ms <= until_ms and is_settled(bucket, after_ms=settled_after_ms) and bucket.end_ms != newest_ms
        )
        if last is None:
            last = bucket if joins else None
        elif joins and last.end_ms == bucket.start_ms and not _is_boundary(last.end_ms, grids):
            last = Bucket(last.start_ms, bucket.end_ms, last.value + bucket.value, bucket.asked_ms)
        else:
            yield last
            last = bucket if joins else None
        if not joins:
            yield bucket
    if last is not None:
        yield last


def _is_boundary(at_ms: int, grids: Sequence[Grid]) -> bool:
    # Where no longer period is known yet, any instant may turn out to be one.
    return not grids or any((at_ms - grid.end_ms) % grid.width_ms == 0 for grid in grids)
