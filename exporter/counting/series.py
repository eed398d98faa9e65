"""One counter: what has been counted of its buckets, and what an answer adds."""

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from exporter.counting.window import Bucket, Window

__all__ = ["Folded", "Series", "begin", "fold", "lateness_ms", "moved"]

_HELD_LONGER = 4
"""A 0 is held a quarter of a width longer than it must be shown: it is not on the page at once."""


@dataclass(frozen=True, slots=True)
class Series:
    """The account of one counter; values in quanta, bounds in milliseconds of the provider's time.

    `base`: the sum of what has left the window, everything up to `settled_ms`. `horizon`: the buckets that an answer
    may still change, oldest first, as plain tuples. `newest_ms`: the end of the newest complete bucket; nothing after
    it is in `exposed`. `newest`: that bucket (it may be of the baseline); None while the counter is held. Until
    `held_until_ms` the counter stands at 0, so that Prometheus sees a series that is born with a past grow from 0.
    """

    settled_ms: int
    newest_ms: int
    held_until_ms: int
    base: int = 0
    exposed: int = 0
    # Not of a class of ours: the garbage collector leaves plain tuples of numbers alone. With 60 buckets a VM its full
    # collections held the event loop for 45 ms at 1 000 VMs.
    horizon: tuple[tuple[int, ...], ...] = ()
    newest: Bucket | None = None

    def buckets(self) -> list[Bucket]:
        """The horizon's buckets, oldest first."""
        return [Bucket._make(held) for held in self.horizon]


@dataclass(frozen=True, slots=True)
class Folded:
    """A series after an answer, with `lost_ms` that no answer has shown."""

    series: Series
    lost_ms: int = 0


def begin(window: Window, *, counts_from_ms: int, complete_ms: int, now_ms: int) -> Series:
    """Return a series at 0. What ended at or before the bucket that holds `counts_from_ms` is its baseline.

    The baseline is not counted, now or later. `complete_ms`: by `complete_until_ms`. If something counts that was there
    before `now_ms`, the 0 is held for a bucket's width first.

    >>> begin(Window(0, 10, (5, 6, 7), asked_ms=30), counts_from_ms=12, complete_ms=30, now_ms=31)
    Series(settled_ms=10, newest_ms=10, held_until_ms=43, base=0, exposed=0, horizon=(), newest=None)
    """
    start_ms = _boundary_at_or_before(window, counts_from_ms, complete_ms)
    if counts_from_ms <= now_ms:
        held_until_ms = now_ms + window.width_ms + window.width_ms // _HELD_LONGER
        return Series(settled_ms=start_ms, newest_ms=start_ms, held_until_ms=held_until_ms)
    newest = next((bucket for bucket in window.buckets() if bucket.end_ms == complete_ms), None)
    return Series(settled_ms=start_ms, newest_ms=start_ms, held_until_ms=now_ms, newest=newest)


def fold(
    series: Series, window: Window, *, complete_ms: int | None, now_ms: int, running_since_ms: int | None
) -> Folded:
    """Take an answer into the account: each bucket counts once, when it is complete, with the value asked for last.

    `complete_ms` is what `complete_until_ms` says of the answer (of all its directions together, so that they share a
    timestamp); None: nothing in it is complete. Time that leaves the window without a value is lost, as far as the
    machine was running (`running_since_ms`; None: it is not). A counter cannot fall: a correction downwards is worked
    off against later growth.
    """
    merged = _merge(series, window)
    settled_ms = max(series.settled_ms, min(window.start_ms, now_ms))
    leaving = [bucket for bucket in merged if bucket.end_ms <= settled_ms]
    horizon = tuple(tuple(bucket) for bucket in merged if bucket.end_ms > settled_ms)
    # A zero that was not complete when it was last seen tells nothing of its bucket.
    known = [bucket for bucket in leaving if bucket.value or bucket.end_ms <= series.newest_ms]
    lost_ms = _uncovered_ms(known, series.settled_ms, settled_ms, running_since_ms)
    settled = replace(
        series, settled_ms=settled_ms, base=series.base + sum(bucket.value for bucket in leaving), horizon=horizon
    )
    if now_ms < series.held_until_ms:
        return Folded(settled, lost_ms)
    return Folded(_expose(settled, leaving, complete_ms), lost_ms)


def moved(series: Series, *, by_ms: int) -> Series:
    """Return the same account at other times: what was counted stays, the buckets that it is of turn out to lie beside.

    >>> moved(Series(settled_ms=0, newest_ms=10, held_until_ms=0, horizon=((0, 10, 5, 21),)), by_ms=10).horizon
    ((10, 20, 5, 21),)
    """
    newest = series.newest
    return replace(
        series,
        settled_ms=series.settled_ms + by_ms,
        newest_ms=series.newest_ms + by_ms,
        horizon=tuple((start + by_ms, end + by_ms, value, asked) for start, end, value, asked in series.horizon),
        newest=newest and newest._replace(start_ms=newest.start_ms + by_ms, end_ms=newest.end_ms + by_ms),
    )


def lateness_ms(series: Series, window: Window) -> int:
    """Return how long after its end a bucket may have been filled that `series` holds unfilled (0: none was).

    That was some time between the two looks; long after the first one nobody can tell.

    >>> series = Series(settled_ms=0, newest_ms=10, held_until_ms=0, horizon=((0, 10, 5, 21), (10, 20, 0, 21)))
    >>> [lateness_ms(series, Window(0, 10, (5, 6), asked_ms=asked)) for asked in (30, 99)]
    [10, 11]
    """
    unfilled = {(bucket.start_ms, bucket.end_ms): bucket.asked_ms for bucket in series.buckets() if not bucket.value}
    filled = [bucket for bucket in window.buckets() if bucket.value and (bucket.start_ms, bucket.end_ms) in unfilled]
    return max(
        (
            min(bucket.asked_ms, unfilled[bucket.start_ms, bucket.end_ms] + window.width_ms) - bucket.end_ms
            for bucket in filled
        ),
        default=0,
    )


def _expose(series: Series, leaving: Iterable[Bucket], complete_ms: int | None) -> Series:
    newest_ms = max(series.newest_ms, complete_ms or 0, max((bucket.end_ms for bucket in leaving), default=0))
    complete = [bucket for bucket in series.buckets() if bucket.end_ms <= newest_ms]
    last = max((*leaving, *complete), key=lambda bucket: bucket.end_ms, default=series.newest)
    true = series.base + sum(bucket.value for bucket in complete)
    return replace(series, newest_ms=newest_ms, newest=last, exposed=max(series.exposed, true))


def _merge(series: Series, window: Window) -> list[Bucket]:
    """The horizon with the answer's buckets in it; of what both tell, the one that was asked for later counts."""
    held, told = series.buckets(), list(_after(series.settled_ms, window))
    known = {(bucket.start_ms, bucket.end_ms): bucket for bucket in held}
    if any(_overlaps(held, bucket) for bucket in told if (bucket.start_ms, bucket.end_ms) not in known):
        return _laid_over(held, told)
    for bucket in told:
        before = known.get((bucket.start_ms, bucket.end_ms))
        if before is None or bucket.asked_ms > before.asked_ms:
            known[bucket.start_ms, bucket.end_ms] = bucket
    return sorted(known.values(), key=lambda bucket: bucket.end_ms)


def _laid_over(held: list[Bucket], told: list[Bucket]) -> list[Bucket]:
    """Of neighbours with other bounds (a width that changed, a window that slides with the clock), what is told now
    counts where it tells something; what was held keeps the parts outside, shared out by time.
    """
    if told[-1].asked_ms <= held[-1].asked_ms:
        return held
    while told and not told[-1].value:  # It may not be filled yet: it takes nothing back.
        told.pop()
    outside: list[Bucket] = []
    for bucket in held:
        start_ms = bucket.start_ms
        covers = bisect.bisect_right(told, start_ms, key=lambda each: each.end_ms)
        while covers < len(told) and told[covers].start_ms < bucket.end_ms:
            outside.extend(_part(bucket, start_ms, told[covers].start_ms))
            start_ms = told[covers].end_ms
            covers += 1
        outside.extend(_part(bucket, start_ms, bucket.end_ms))
    return sorted((*outside, *told), key=lambda bucket: bucket.end_ms)


def _overlaps(held: list[Bucket], bucket: Bucket) -> bool:
    """Whether one of the (sorted) held buckets has time in common with this one."""
    first = bisect.bisect_right(held, bucket.start_ms, key=lambda each: each.end_ms)
    return first < len(held) and held[first].start_ms < bucket.end_ms


def _after(settled_ms: int, window: Window) -> Iterator[Bucket]:
    """The answer's buckets, or what of them lies after that."""
    for bucket in window.buckets():
        if bucket.end_ms > settled_ms:
            yield from _part(bucket, max(bucket.start_ms, settled_ms), bucket.end_ms)


def _part(bucket: Bucket, start_ms: int, end_ms: int) -> Iterator[Bucket]:
    """A part of a bucket, its value shared out by time; none where there is no time."""
    if (start_ms, end_ms) == (bucket.start_ms, bucket.end_ms):
        yield bucket
    elif start_ms < end_ms:
        share = bucket.value * (end_ms - start_ms) // (bucket.end_ms - bucket.start_ms)
        yield Bucket(start_ms, end_ms, share, bucket.asked_ms)


def _uncovered_ms(leaving: Iterable[Bucket], from_ms: int, to_ms: int, running_since_ms: int | None) -> int:
    if running_since_ms is None:
        return 0
    from_ms = max(from_ms, running_since_ms)
    covered_ms = sum(max(0, min(bucket.end_ms, to_ms) - max(bucket.start_ms, from_ms)) for bucket in leaving)
    return max(0, to_ms - from_ms - covered_ms)


def _boundary_at_or_before(window: Window, at_ms: int, latest_ms: int) -> int:
    """The last bucket boundary not after `at_ms`, within the window and not after `latest_ms`."""
    steps = max(0, at_ms - window.start_ms) // window.width_ms
    return min(window.start_ms + steps * window.width_ms, latest_ms)
