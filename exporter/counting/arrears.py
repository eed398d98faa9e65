"""What is owed: time that left the shortest window untold, or told too early, and which longer period pays for it.

A bucket of a longer period pays for what is owed inside it: its value less what is counted there. For that neither it
nor anything else inside it may change any more: else a correction would be counted twice. What is counted there is in
the horizon, or the difference to a mark. Only where the series itself began inside the longer bucket (or its width was
not known yet) is its value shared out by time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress

from msgspec import Struct
from msgspec.structs import replace

from exporter.counting.horizon import Off, boundary_at_or_before, is_settled, is_told, packed, within
from exporter.counting.series import Manner, Series, counted
from exporter.counting.window import Bucket, Grid, Window

__all__ = [
    "Ask",
    "Forgiven",
    "Owed",
    "Repaid",
    "excused",
    "forgive",
    "next_ask",
    "owed",
    "repay",
    "unpayable_before_ms",
]

_ROUNDING = 20
"""A longer bucket may be less than what is counted inside it by its 2**20th part: it is a rounded sum of those."""


_MOST_PAID = 60
"""Longer buckets that are taken from one answer: each costs some 50 µs, and the rest is asked for again."""


class Owed(Struct, frozen=True, gc=False):
    """A span that is owed."""

    start_ms: int
    end_ms: int


class Ask(Struct, frozen=True, gc=False):
    """Which longer period can pay, and from when on."""

    period: str
    at_ms: int


class Repaid(Struct, frozen=True, gc=False):
    """A series after an answer of a longer period. `paid_ms`: gaps that are filled now, `estimated_ms`: what of that
    was shared out by time. `denied_until_ms`: what is owed before that, this period will not pay.
    """

    series: Series
    paid_ms: int
    estimated_ms: int
    denied_until_ms: int


class Forgiven(Struct, frozen=True, gc=False):
    """A series that is owed nothing before an instant; `lost_ms`: gaps that stay gaps."""

    series: Series
    lost_ms: int


class _Payment(Struct, frozen=True, gc=False):
    """What a longer bucket tells of the `owed` inside it. `unknown_ms`: time before the series that it holds, too."""

    value: int
    owed: Sequence[Bucket]
    unknown_ms: int


def owed(series: Series, *, manner: Manner) -> list[Owed]:
    """Return what is owed, oldest first.

    >>> series = Series(settled_ms=0, left_ms=20, newest_ms=0, complete_ms=0, held_until_ms=0, began_ms=0)
    >>> manner = Manner(final_after_ms=8, settled_after_ms=8)
    >>> owed(replace(series, horizon=packed([Bucket(0, 20, 0, 0), Bucket(20, 30, 5, 31)])), manner=manner)
    [Owed(start_ms=0, end_ms=20)]
    """
    return [
        Owed(bucket.start_ms, bucket.end_ms)
        for bucket in series.left()
        if not is_settled(bucket, after_ms=manner.settled_after_ms)
    ]


def repay(
    series: Series, window: Window, *, manner: Manner, complete_ms: int | None, most_per_ms: int | None
) -> Repaid:
    """Take an answer of a longer period into the account. Until `complete_ms` its buckets are complete.

    `most_per_ms`: a value beyond that cannot be of this series (None: any can).
    """
    asked_ms, denied_until_ms = window.asked_ms, window.start_ms
    before = series
    estimated_ms = paid = 0
    for start_ms in range(window.start_ms, window.end_ms, window.width_ms):
        if start_ms >= series.left_ms or paid == _MOST_PAID:
            break
        cell = Bucket(start_ms, start_ms + window.width_ms, 0, asked_ms)
        value = window.values[(start_ms - window.start_ms) // window.width_ms]
        if not (is_settled(cell, after_ms=manner.final_after_ms) and _is_known(series, cell, manner)):
            break
        denied_until_ms = cell.end_ms
        if cell.end_ms <= before.settled_ms or value is None or complete_ms is None or cell.end_ms > complete_ms:
            continue
        payment = _payment(series, replace(cell, value=value), manner=manner)
        if payment is None or (payment.unknown_ms and not manner.estimates):
            continue
        paid += 1
        if _is_possible(payment, value, most_per_ms):
            # All of a bucket that does not change any more is complete: a timestamp within it would say that the part
            # before it is known.
            series = replace(_paid(series, payment, manner=manner), complete_ms=max(series.complete_ms, cell.end_ms))
            estimated_ms += _length_ms(each for each in payment.owed if payment.unknown_ms and not is_told(each))
    paid_ms = _untold_ms(before) - _untold_ms(series)
    if paid_ms and not _untold_ms(series) and series.newest_ms > series.began_ms:
        series = replace(series, held_until_ms=min(series.held_until_ms, asked_ms))
    series = counted(series, series.buckets(), manner=manner, now_ms=asked_ms)
    return Repaid(series, paid_ms, min(estimated_ms, paid_ms), denied_until_ms)


def forgive(series: Series, *, manner: Manner, until_ms: int, now_ms: int) -> Forgiven:
    """Give up what is owed before an instant: values told stay as they are, gaps stay gaps."""
    kept: list[Bucket] = []
    lost_ms = 0
    for bucket in series.buckets():
        if bucket.end_ms > series.left_ms or bucket.start_ms >= until_ms:
            kept.append(bucket)
        elif not is_told(bucket):
            lost_ms += min(bucket.end_ms, until_ms) - bucket.start_ms
            kept += within([bucket], until_ms, bucket.end_ms)
        elif bucket.end_ms <= until_ms:
            kept.append(replace(bucket, asked_ms=max(bucket.asked_ms, bucket.end_ms + manner.settled_after_ms)))
        else:
            kept.append(bucket)
    if kept == series.buckets():
        return Forgiven(series, 0)
    forgiven = replace(series, horizon=packed(kept))
    if lost_ms and not _untold_ms(forgiven) and series.newest_ms > series.began_ms:
        forgiven = replace(forgiven, held_until_ms=min(series.held_until_ms, now_ms))
    return Forgiven(counted(forgiven, kept, manner=manner, now_ms=now_ms), lost_ms)


def excused(series: Series, *, manner: Manner, off: Off, now_ms: int) -> Series:
    """Return the series without gaps in which the machine turns out to have been off: there is nothing to pay.

    After a start, answers may come before the listing that says so.
    """
    kept = [
        part
        for bucket in series.buckets()
        for part in ([bucket] if is_told(bucket) or bucket.end_ms > series.left_ms else _outside(bucket, [_span(off)]))
    ]
    if kept == series.buckets():
        return series
    return counted(series, kept, manner=manner, now_ms=now_ms)


def unpayable_before_ms(periods: Mapping[str, Grid | None], *, denied: Mapping[str, int], now_ms: int) -> int | None:
    """Return the instant before which no period can pay any more (None: one may reach back for ever).

    >>> periods = {"-1day": Grid(10, 1_000, 4), "-1M": Grid(100, 900, 3)}
    >>> [unpayable_before_ms(periods, denied=denied, now_ms=1_005) for denied in ({}, {"-1M": 600})]
    [None, 600]
    """
    limits = _limits(periods, denied, now_ms).values()
    known = [limit for limit in limits if limit is not None]
    return min(known) if len(known) == len(limits) else None


def next_ask(
    spans: Iterable[Owed],
    periods: Mapping[str, Grid | None],
    *,
    manner: Manner,
    denied: Mapping[str, int],
    now_ms: int,
    left_ms: int = 0,
    asked_ms: int = 0,
) -> Ask | None:
    """Return which period to ask, and when at the soonest; None where nothing is owed that one can pay.

    The finest that reaches so far back, and of what a longer bucket holds, the finer ones first. `periods`: finest
    first, each with its grid (None: not known yet; then asking shows it). `left_ms`, `asked_ms`: of the series; a
    longer bucket that reaches into the shortest window waits for a look that shows that part for good.

    >>> manner = Manner(final_after_ms=60, settled_after_ms=60)
    >>> next_ask([Owed(430, 455)], {"-1day": Grid(20, 500, 4)}, manner=manner, denied={}, now_ms=490)
    Ask(period='-1day', at_ms=500)
    """
    limits = _limits(periods, denied, now_ms)
    payers = [
        (span, period) for each in spans for span in _cut(each, limits) if (period := _finest(span, limits)) is not None
    ]
    asks = [
        _ask(span, period, periods[period], manner=manner, now_ms=now_ms, left_ms=left_ms, asked_ms=asked_ms)
        for span, period in payers
        if not _has_finer(span, period, payers, periods)
    ]
    return min(asks, key=lambda ask: ask.at_ms, default=None)


def _payment(series: Series, cell: Bucket, *, manner: Manner) -> _Payment | None:
    """What a longer bucket tells; None where nothing is owed inside it.

    Where it tells only a share, it does not take the place of a value that was told, and may have changed since.
    """
    inside = list(within(series.buckets(), cell.start_ms, cell.end_ms))
    counted, unknown_ms = _counted_before_horizon(series, cell)
    is_owed = [
        bucket.end_ms <= series.left_ms
        and not is_settled(bucket, after_ms=manner.settled_after_ms)
        and not (unknown_ms and is_told(bucket))
        for bucket in inside
    ]
    unpaid = list(compress(inside, is_owed))
    if not unpaid:
        return None
    rest = cell.value - counted - sum(bucket.value for bucket, owed in zip(inside, is_owed, strict=True) if not owed)
    if unknown_ms:
        rest = rest * _length_ms(unpaid) // (_length_ms(unpaid) + unknown_ms)
    return _Payment(rest, unpaid, unknown_ms)


def _is_known(series: Series, cell: Bucket, manner: Manner) -> bool:
    """Whether what a longer bucket holds that is still in the shortest window is complete, and stays as it is."""
    from_ms = max(cell.start_ms, series.left_ms)
    if cell.end_ms <= from_ms:
        return True
    shown = list(within(series.buckets(), from_ms, cell.end_ms))
    return (
        cell.end_ms <= series.complete_ms
        and _length_ms(shown) == cell.end_ms - from_ms
        and all(is_settled(bucket, after_ms=manner.final_after_ms) for bucket in shown)
    )


def _counted_before_horizon(series: Series, cell: Bucket) -> tuple[int, int]:
    """What is counted of a longer bucket before `settled_ms`, and the time before that of which nothing is known."""
    if cell.start_ms >= series.settled_ms:
        return 0, 0
    for width_ms, boundary_ms, sum_to_there in series.marks:
        if (width_ms, boundary_ms) == (cell.end_ms - cell.start_ms, cell.start_ms):
            return series.base - sum_to_there, 0
    if cell.start_ms <= series.began_ms:
        return series.base, 0 if series.from_birth else series.began_ms - cell.start_ms
    return 0, series.settled_ms - cell.start_ms


def _is_possible(payment: _Payment, value: int, most_per_ms: int | None) -> bool:
    """Whether the payment can be of this series: what contradicts what is known of it pays for nothing."""
    rounding = (value >> _ROUNDING) + 1
    if most_per_ms is not None and payment.value > _length_ms(payment.owed) * most_per_ms + rounding:
        return False
    return payment.value >= -rounding


def _paid(series: Series, payment: _Payment, *, manner: Manner) -> Series:
    """The series with what is owed filled, by time where that is more than one bucket."""
    rest, rest_ms = max(0, payment.value), _length_ms(payment.owed)
    filled: list[Bucket] = []
    for bucket in payment.owed:
        length_ms = bucket.end_ms - bucket.start_ms
        share = rest * length_ms // rest_ms
        filled.append(Bucket(bucket.start_ms, bucket.end_ms, share, bucket.end_ms + manner.settled_after_ms))
        rest, rest_ms = rest - share, rest_ms - length_ms
    kept = [part for bucket in series.buckets() for part in _outside(bucket, filled)]
    return replace(series, horizon=packed(sorted((*kept, *filled), key=lambda each: each.end_ms)))


def _outside(bucket: Bucket, taken: Iterable[Bucket]) -> Iterator[Bucket]:
    """The parts of a bucket that none of the (sorted) others takes."""
    start_ms = bucket.start_ms
    for other in taken:
        if other.end_ms > start_ms and other.start_ms < bucket.end_ms:
            yield from within([bucket], start_ms, other.start_ms)
            start_ms = other.end_ms
    yield from within([bucket], start_ms, bucket.end_ms)


def _span(off: Off) -> Bucket:
    return Bucket(*off, value=0, asked_ms=off[1])


def _untold_ms(series: Series) -> int:
    return _length_ms(bucket for bucket in series.left() if not is_told(bucket))


def _length_ms(buckets: Iterable[Bucket]) -> int:
    return sum(bucket.end_ms - bucket.start_ms for bucket in buckets)


def _limits(periods: Mapping[str, Grid | None], denied: Mapping[str, int], now_ms: int) -> dict[str, int | None]:
    """Before which instant each period cannot pay: it does not reach back so far, or has told all that it will tell.

    Of the last one only its own word counts: how far back it reaches may have been learned from a younger machine, and
    what it does not pay is lost.
    """
    limits: dict[str, int | None] = {}
    for number, (period, grid) in enumerate(periods.items(), start=1):
        if grid is None or number == len(periods):
            limits[period] = denied.get(period)
        else:
            reaches_ms = boundary_at_or_before(grid, now_ms) - grid.count * grid.width_ms
            limits[period] = max(reaches_ms, denied.get(period, reaches_ms))
    return limits


def _cut(span: Owed, limits: Mapping[str, int | None]) -> Iterator[Owed]:
    """A span in parts each of which has one finest period."""
    start_ms = span.start_ms
    for limit_ms in sorted(limit for limit in limits.values() if limit is not None):
        if start_ms < limit_ms < span.end_ms:
            yield replace(span, start_ms=start_ms, end_ms=limit_ms)
            start_ms = limit_ms
    yield replace(span, start_ms=start_ms)


def _finest(span: Owed, limits: Mapping[str, int | None]) -> str | None:
    return next((period for period, limit in limits.items() if limit is None or limit <= span.start_ms), None)


def _has_finer(span: Owed, period: str, payers: Iterable[tuple[Owed, str]], periods: Mapping[str, Grid | None]) -> bool:
    """Whether something else in the longer bucket that is to pay for a span is owed by a finer period."""
    grid, order = periods[period], list(periods)
    if grid is None:
        return False
    end_ms = boundary_at_or_before(grid, span.start_ms) + grid.width_ms
    return any(
        order.index(finer) < order.index(period) and other.end_ms > span.start_ms and other.start_ms < end_ms
        for other, finer in payers
    )


def _ask(
    span: Owed, period: str, grid: Grid | None, *, manner: Manner, now_ms: int, left_ms: int, asked_ms: int
) -> Ask:
    if grid is None:
        return Ask(period, now_ms)
    end_ms = boundary_at_or_before(grid, span.start_ms) + grid.width_ms
    final_ms = end_ms + manner.final_after_ms
    if end_ms > left_ms and asked_ms < final_ms:
        final_ms += manner.width_ms  # The next look comes before that.
    return Ask(period, max(now_ms, final_ms))
