"""One counter: what has been counted of its buckets, and what an answer adds."""

from collections.abc import Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from exporter.counting.horizon import (
    NO_RUNS,
    Horizon,
    Off,
    Run,
    boundary_at_or_before,
    compacted,
    gaps,
    horizon_of,
    is_settled,
    is_told,
    merged,
    packed,
    runs_of,
    unpacked,
    within,
)
from exporter.counting.window import Bucket, Grid, Window

__all__ = ["Manner", "Series", "begin", "bucket_by_bucket", "counted", "fold", "going_on", "lateness_ms", "moved"]

_HELD_LONGER = 4
"""A 0 is held a quarter of a width longer than it must be shown: it is not on the page at once."""


class Series(Struct, frozen=True, gc=False, kw_only=True):
    """The account of one counter; values in quanta, bounds in milliseconds of the provider's time.

    `base`: the sum of everything up to `settled_ms`, which no answer changes any more. `horizon`: the buckets after
    that, oldest first. Those up to `left_ms` have left the shortest window; they are still here where
    something is owed (`arrears`). `newest_ms`: the end of the newest bucket that is in `exposed`; `newest`: that bucket
    (it may be of the baseline); None while the counter is held. `complete_ms`: until when buckets are complete, as far
    as answers have shown; `asked_ms`: when the last one was asked for. Until `held_until_ms` the counter stands: at 0,
    so that Prometheus sees a series that is born with a past grow from 0, or before a gap that waits to be filled. What
    ended before `began_ms` is not counted (`from_birth`: there was nothing). `marks`: (width, boundary, sum of
    everything counted up to it) of the buckets of longer periods that have begun before `settled_ms` and not ended.
    """

    settled_ms: int
    left_ms: int
    newest_ms: int
    complete_ms: int
    held_until_ms: int
    began_ms: int
    from_birth: bool = False
    asked_ms: int = 0
    base: int = 0
    exposed: int = 0
    horizon: Horizon = NO_RUNS
    newest: Bucket | None = None
    marks: tuple[tuple[int, int, int], ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The horizon's runs, oldest first."""
        return runs_of(self.horizon)

    def buckets(self) -> list[Bucket]:
        """The horizon's buckets, oldest first."""
        return unpacked(self.runs)

    def left(self) -> list[Bucket]:
        """Those that have left the shortest window, oldest first."""
        some = unpacked(run for run in self.runs if run[0] < self.left_ms)
        return [bucket for bucket in some if bucket.end_ms <= self.left_ms]

    @property
    def last(self) -> Bucket | None:
        """The newest bucket of the horizon, whether it is complete or not."""
        if not self.horizon:
            return None
        start_ms, width_ms, asked_ms, values = self.runs[-1]
        end_ms = start_ms + len(values) * width_ms
        return Bucket(end_ms - width_ms, end_ms, values[-1], asked_ms)

    def counted_since(self, since_ms: int) -> int:
        """How many buckets that end after an instant are counted and told. A gap is asked for when it begins."""
        count = 0
        for start_ms, width_ms, asked_ms, values in self.runs:
            until_ms = min(self.newest_ms, asked_ms, start_ms + len(values) * width_ms)
            count += max(0, (until_ms - start_ms) // width_ms - max(0, since_ms - start_ms) // width_ms)
        return count

    @property
    def true(self) -> int:
        """What has been counted by now; less than `exposed` where that is more than there turned out to be."""
        true = self.base
        for start_ms, width_ms, _, values in self.runs:
            true += sum(values[: max(0, (self.newest_ms - start_ms) // width_ms)])
        return true


class Manner(Struct, frozen=True, gc=False, kw_only=True):
    """How a kind of series is counted. `final_after_ms`: the age from which a bucket does not change any more;
    `settled_after_ms`: that from which a value told need not be asked for again. `hold_ms`: for how long a counter
    waits for a gap to be filled before it goes on without. `estimates`: whether a longer bucket of which a part is not
    known may be shared out by time. `grids`: those of the longer periods, as far as known; `width_ms`: of the shortest
    buckets.
    """

    final_after_ms: int
    settled_after_ms: int
    width_ms: int = 0
    hold_ms: int = 0
    estimates: bool = False
    grids: Sequence[Grid] = ()


def begin(window: Window, *, counts_from_ms: int, from_birth: bool, complete_ms: int, now_ms: int) -> Series:
    """Return a series at 0. What ended at or before the bucket that holds `counts_from_ms` is its baseline.

    The baseline is not counted, now or later. `complete_ms`: by `complete_until_ms`. If something counts that was there
    before `now_ms`, the 0 is held for a bucket's width first.

    >>> window = Window(0, 10, (5, 6, 7), asked_ms=30)
    >>> series = begin(window, counts_from_ms=12, from_birth=False, complete_ms=30, now_ms=31)
    >>> series.settled_ms, series.newest_ms, series.held_until_ms
    (10, 10, 43)
    """
    start_ms = _boundary_at_or_before(window, counts_from_ms, complete_ms)
    held_until_ms, newest = now_ms, None
    if counts_from_ms <= now_ms:
        held_until_ms += window.width_ms + window.width_ms // _HELD_LONGER
    else:
        newest = next((bucket for bucket in window.buckets() if bucket.end_ms == complete_ms), None)
    return Series(
        settled_ms=start_ms,
        left_ms=start_ms,
        newest_ms=start_ms,
        complete_ms=start_ms,
        held_until_ms=held_until_ms,
        began_ms=start_ms,
        from_birth=from_birth,
        asked_ms=window.asked_ms,
        newest=newest,
    )


def fold(
    series: Series, window: Window, *, manner: Manner, complete_ms: int | None, now_ms: int, off: Off | None
) -> Series:
    """Take an answer into the account: each bucket counts once, when it is complete, with the value asked for last.

    `complete_ms` is what `complete_until_ms` says of the answer (of all its directions together, so that they share a
    timestamp); None: nothing in it is complete. What leaves the window untold, or told too early, is owed (`arrears`),
    as far as the machine was not `off`. A counter cannot fall: a correction downwards is worked off against later
    growth.
    """
    gone_on = going_on(series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms)
    if gone_on is not None:
        return gone_on
    return bucket_by_bucket(series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms, off=off)


def going_on(series: Series, window: Window, *, manner: Manner, complete_ms: int | None, now_ms: int) -> Series | None:
    """`fold` of an answer that goes on where the last one stood, as nearly every one does: it tells all that is held
    anew, beside buckets that are complete and settled. None: it is another one.

    All is one run before and after, and numbers alone are worked with: objects for buckets take four times as long.
    """
    # Where nothing is held, as after a beginning, that is a run without a bucket.
    runs = series.runs or ((series.settled_ms, window.width_ms, series.asked_ms, ()),)
    if len(runs) != 1:
        return None
    ((start_ms, width_ms, told_ms, held),) = runs
    first_ms = max(window.start_ms, series.settled_ms)
    leaving, cut = (first_ms - start_ms) // width_ms, (first_ms - window.start_ms) // width_ms
    if not (
        start_ms == series.settled_ms == series.left_ms
        and window.width_ms == width_ms
        and (window.start_ms - start_ms) % width_ms == 0
        and first_ms <= min(series.complete_ms, now_ms)
        and leaving <= len(held)
        and (leaving == 0 or told_ms - first_ms >= manner.settled_after_ms)
        and start_ms + len(held) * width_ms <= window.end_ms
        and told_ms < window.asked_ms
        and None not in window.values
        and (values := cast("tuple[int, ...]", window.values[cut:]))
    ):
        return None
    base = series.base + sum(held[:leaving])
    complete_ms = max(series.complete_ms, complete_ms or 0)
    newest_ms, newest, exposed = series.newest_ms, series.newest, series.exposed
    if now_ms >= series.held_until_ms:
        newest_ms = max(newest_ms, complete_ms)
        if newest_ms > window.asked_ms:
            return None
        shown = min((newest_ms - first_ms) // width_ms, len(values))
        exposed = max(exposed, base + sum(values[:shown]))
        end_ms = first_ms + shown * width_ms
        if (shown or leaving) and (newest is None or end_ms >= newest.end_ms):
            value, asked_ms = (values[shown - 1], window.asked_ms) if shown else (held[leaving - 1], told_ms)
            newest = Bucket(end_ms - width_ms, end_ms, value, asked_ms)
    gone = unpacked([(start_ms, width_ms, told_ms, held[:leaving])])
    return replace(
        series,
        settled_ms=first_ms,
        left_ms=first_ms,
        newest_ms=newest_ms,
        complete_ms=complete_ms,
        asked_ms=max(series.asked_ms, window.asked_ms),
        base=base,
        exposed=exposed,
        horizon=horizon_of(((first_ms, width_ms, window.asked_ms, values),)),
        newest=newest,
        marks=_marks(series, gone, first_ms, manner.grids),
    )


def bucket_by_bucket(
    series: Series, window: Window, *, manner: Manner, complete_ms: int | None, now_ms: int, off: Off | None
) -> Series:
    """`fold` of any answer."""
    buckets = merged(series.buckets(), window, after_ms=series.settled_ms)
    left_ms = max(series.left_ms, min(window.start_ms, now_ms))
    complete_ms = max(series.complete_ms, complete_ms or 0)
    held_until_ms = series.held_until_ms
    if left_ms > series.left_ms:
        # A zero that was not complete when it was last seen tells nothing of its bucket.
        buckets = [
            bucket
            for bucket in buckets
            if bucket.value or not series.left_ms < bucket.end_ms <= left_ms or bucket.end_ms <= series.complete_ms
        ]
        complete_ms = max((complete_ms, *(each.end_ms for each in buckets if each.end_ms <= left_ms and is_told(each))))
        if missing := list(gaps(buckets, series.left_ms, left_ms, off=off)):
            buckets = sorted((*buckets, *missing), key=lambda bucket: bucket.end_ms)
        if any(bucket.end_ms > series.asked_ms for bucket in missing) and not _waits(series):
            held_until_ms = max(held_until_ms, now_ms + manner.hold_ms)  # Nobody has looked since it ended.
    seen = _Seen(left_ms, complete_ms, held_until_ms, max(series.asked_ms, window.asked_ms))
    return _counted(series, buckets, seen, manner, now_ms)


def counted(series: Series, buckets: Sequence[Bucket], *, manner: Manner, now_ms: int) -> Series:
    """Return the series with these buckets in its horizon: everything that is complete is in `exposed`, unless the
    counter is held, and everything that has left the window and is settled is in `base`, up to the first bucket that is
    not.
    """
    seen = _Seen(series.left_ms, series.complete_ms, series.held_until_ms, series.asked_ms)
    return _counted(series, buckets, seen, manner, now_ms)


class _Seen(Struct, frozen=True, gc=False):
    """What an answer alone tells of a series; as its fields."""

    left_ms: int
    complete_ms: int
    held_until_ms: int
    asked_ms: int


def _counted(series: Series, buckets: Sequence[Bucket], seen: _Seen, manner: Manner, now_ms: int) -> Series:
    newest_ms, newest, sum_exposed = _exposed(series, buckets, seen, now_ms)
    leaving, settled_ms = _leaving(buckets, seen, manner)
    rest = buckets[leaving:]
    if settled_ms < seen.left_ms:
        rest = list(
            compacted(
                rest,
                until_ms=seen.left_ms,
                settled_after_ms=manner.settled_after_ms,
                grids=manner.grids,
                newest_ms=newest_ms,
            )
        )
    return replace(
        series,
        settled_ms=settled_ms,
        left_ms=seen.left_ms,
        newest_ms=newest_ms,
        complete_ms=seen.complete_ms,
        held_until_ms=seen.held_until_ms,
        asked_ms=seen.asked_ms,
        base=series.base + sum(bucket.value for bucket in buckets[:leaving]),
        exposed=sum_exposed,
        horizon=packed(rest),
        newest=newest,
        marks=_marks(series, buckets[:leaving], settled_ms, manner.grids),
    )


def _exposed(series: Series, buckets: Sequence[Bucket], seen: _Seen, now_ms: int) -> tuple[int, Bucket | None, int]:
    """The end of what is shown, its last bucket, and the sum."""
    if now_ms < seen.held_until_ms:
        return series.newest_ms, series.newest, series.exposed
    newest_ms, newest = max(series.newest_ms, seen.complete_ms), series.newest
    true = series.base
    for bucket in buckets:
        if bucket.end_ms > newest_ms:
            break
        true += bucket.value
        if is_told(bucket) and (newest is None or bucket.end_ms >= newest.end_ms):
            newest = bucket
    return newest_ms, newest, max(series.exposed, true)


def _leaving(buckets: Sequence[Bucket], seen: _Seen, manner: Manner) -> tuple[int, int]:
    """How many of the buckets are counted for good, and until when everything is."""
    for count, bucket in enumerate(buckets):
        if bucket.end_ms > seen.left_ms:
            return count, seen.left_ms
        if not is_settled(bucket, after_ms=manner.settled_after_ms):
            return count, bucket.start_ms
    return len(buckets), seen.left_ms


def moved(series: Series, *, by_ms: int) -> Series:
    """Return the same account at other times: what was counted stays, the buckets that it is of turn out to lie beside.

    >>> series = Series(settled_ms=0, left_ms=0, newest_ms=10, complete_ms=10, held_until_ms=0, began_ms=0)
    >>> moved(replace(series, horizon=horizon_of(((0, 10, 21, (5,)),))), by_ms=10).runs
    ((10, 10, 21, (5,)),)
    """
    newest = series.newest
    return replace(
        series,
        settled_ms=series.settled_ms + by_ms,
        left_ms=series.left_ms + by_ms,
        newest_ms=series.newest_ms + by_ms,
        complete_ms=series.complete_ms + by_ms,
        began_ms=series.began_ms + by_ms,
        horizon=horizon_of(tuple((start + by_ms, width, asked, values) for start, width, asked, values in series.runs)),
        newest=newest and replace(newest, start_ms=newest.start_ms + by_ms, end_ms=newest.end_ms + by_ms),
        marks=(),
    )


def lateness_ms(series: Series, window: Window) -> int:
    """Return how long after its end a bucket may have been filled that `series` holds unfilled (0: none was).

    That was some time between the two looks; long after the first one nobody can tell.

    >>> series = Series(settled_ms=0, left_ms=0, newest_ms=10, complete_ms=10, held_until_ms=0, began_ms=0)
    >>> series = replace(series, horizon=horizon_of(((0, 10, 21, (5, 0)),)))
    >>> [lateness_ms(series, Window(0, 10, (5, 6), asked_ms=asked)) for asked in (30, 99)]
    [10, 11]
    """
    with_zeros = [run for run in series.runs if 0 in run[3]]
    if not with_zeros:
        return 0
    unfilled = {
        (bucket.start_ms, bucket.end_ms): bucket.asked_ms
        for bucket in unpacked(with_zeros)
        if not bucket.value and is_told(bucket)
    }
    filled = [bucket for bucket in window.buckets() if bucket.value and (bucket.start_ms, bucket.end_ms) in unfilled]
    return max(
        (
            min(bucket.asked_ms, unfilled[bucket.start_ms, bucket.end_ms] + window.width_ms) - bucket.end_ms
            for bucket in filled
        ),
        default=0,
    )


def _waits(series: Series) -> bool:
    """Whether a gap has not been filled yet. Who waits already must not wait anew at each further one."""
    return not all(map(is_told, series.left()))


def _marks(
    series: Series, leaving: Sequence[Bucket], settled_ms: int, grids: Sequence[Grid]
) -> tuple[tuple[int, int, int], ...]:
    marks = []
    for grid in grids:
        boundary_ms = boundary_at_or_before(grid, settled_ms)
        if boundary_ms >= series.settled_ms:
            sum_to_there = series.base + sum(part.value for part in within(leaving, series.settled_ms, boundary_ms))
            marks.append((grid.width_ms, boundary_ms, sum_to_there))
        else:
            marks += [mark for mark in series.marks if mark[:2] == (grid.width_ms, boundary_ms)]
    return tuple(marks)


def _boundary_at_or_before(window: Window, at_ms: int, latest_ms: int) -> int:
    """The last bucket boundary not after `at_ms`, within the window and not after `latest_ms`."""
    steps = max(0, at_ms - window.start_ms) // window.width_ms
    return min(window.start_ms + steps * window.width_ms, latest_ms)
