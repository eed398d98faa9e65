"""What a VM's longer periods pay for, and which of them to ask next. Pure: instants are arguments, the provider's."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from exporter.collectors import LONGER, CpuReading, TrafficReading
from exporter.counting import (
    NO_RUNS,
    Ask,
    Grid,
    Manner,
    Series,
    Window,
    complete_until_ms,
    end_hint,
    enter,
    entered,
    excused,
    forgive,
    next_ask,
    owed,
    place,
    repay,
    to_ms,
    unpayable_before_ms,
    width_ms,
)
from exporter.intake.folding import Grids, cpu_manner, idle_after_ms, laid_over_each_other, traffic_manner
from exporter.ledger import CpuAccount, InterfaceAccount, VmRecord

__all__ = ["Reckoned", "Repayment", "owed_ms", "reckon", "repay_cpu", "repay_traffic"]

_BUSY_PER_MS = enter(1.0) // 1000
"""A whole VM cannot be busier than all the time."""
_ONCE = " (nothing, once)"
"""Added to a period's name where its last answer had nothing of the series."""
_MOST_KEPT = 1_000
"""Buckets and gaps that a series may keep waiting: a month of 2-hour sums and more. Beyond that the oldest go."""


class Repayment(Struct, frozen=True, gc=False):
    """A record after an answer of a longer period. `grid`: where its buckets lie, if it showed that. `paid_ms`: gaps
    that are filled now; `estimated_ms`: what of it is shared out by time.
    """

    record: VmRecord
    grid: Grid | None = None
    paid_ms: int = 0
    estimated_ms: int = 0


class Reckoned(Struct, frozen=True, gc=False):
    """A record without what nobody can pay any more. `lost_ms`: time that is missing for good; `ask`: what is next."""

    record: VmRecord
    lost_ms: int = 0
    ask: Ask | None = None


class _Paid(Struct, frozen=True, gc=False):
    """Series that are told of together, after an answer."""

    series: tuple[Series, ...]
    paid_ms: int
    estimated_ms: int
    denied: tuple[tuple[str, int], ...]


def repay_traffic(record: VmRecord, reading: TrafficReading, *, grids: Grids, late_ms: int) -> Repayment:
    """The record after an answer with traffic of a longer period."""
    if record.grid is None:
        return Repayment(record)
    asked_ms, known = to_ms(reading.asked_at), grids.get(reading.period)
    before = None if known is None else Window(known.end_ms, known.width_ms, (), asked_ms)
    width = width_ms(
        [(strip, NO_RUNS) for each in reading.interfaces for strip in (each.receive, each.transmit)],
        grid=before,
        hint_ms=None if known is None else known.width_ms,
    )
    windows = (
        {}
        if width is None
        else {
            each.interface_id: (each.receive.window(width), each.transmit.window(width)) for each in reading.interfaces
        }
    )
    grid = _grid_of(laid_over_each_other([way for both in windows.values() for way in both])) if windows else None
    manner = traffic_manner(record.grid, _with(grids, reading.period, grid))
    idle_ms = idle_after_ms(width_ms=record.grid.width_ms, late_ms=late_ms)
    accounts: dict[str, InterfaceAccount] = {}
    paid_ms = estimated_ms = 0
    for interface_id, account in record.interfaces.items():
        paid = _repay(
            (account.receive, account.transmit),
            windows.get(interface_id),
            account.denied,
            period=reading.period,
            manner=manner,
            idle_ms=idle_ms,
            asked_ms=asked_ms,
        )
        receive, transmit = paid.series
        accounts[interface_id] = replace(account, receive=receive, transmit=transmit, denied=paid.denied)
        paid_ms, estimated_ms = max(paid_ms, paid.paid_ms), max(estimated_ms, paid.estimated_ms)
    return Repayment(replace(record, interfaces=accounts), grid, paid_ms, estimated_ms)


def repay_cpu(record: VmRecord, reading: CpuReading, *, grids: Grids, late_ms: int) -> Repayment:
    """The record after a list of longer CPU chunks, which end on multiples of their width: a list says no times."""
    known, asked_ms = record.cpu, to_ms(reading.asked_at)
    hint_ms = end_hint(now_ms=asked_ms, width_ms=reading.width_ms, grid=None)
    told = place(entered(reading.values), width_ms=reading.width_ms, hint_ms=hint_ms, before=None, asked_ms=asked_ms)
    if reading.cores is not None:
        told = replace(told, values=tuple(value if value is None else value // reading.cores for value in told.values))
    grid = _grid_of(told) if reading.values else None
    if known is None:
        return Repayment(record, grid)
    paid = _repay(
        (known.series,),
        (_while_running(told, record),) if reading.values else None,
        known.denied,
        period=reading.period,
        manner=cpu_manner(known.told, _with(grids, reading.period, grid)),
        idle_ms=idle_after_ms(width_ms=known.told.width_ms, late_ms=late_ms),
        asked_ms=asked_ms,
        most_per_ms=_BUSY_PER_MS,
    )
    (series,) = paid.series
    cpu = replace(known, series=series, denied=paid.denied)
    return Repayment(replace(record, cpu=cpu), grid, paid.paid_ms, paid.estimated_ms)


def reckon(record: VmRecord, collector: str, *, grids: Grids, now_ms: int) -> Reckoned:
    """Give up what no period can pay any more, and say which one can pay the rest."""
    if not any(owed_ms(account) or account.denied for account in _accounts(record, collector)):
        return Reckoned(record)  # As it nearly always is.
    periods = {period: grids.get(period) for period in LONGER[collector]}
    if collector == CpuReading.collector and record.cpu is not None:
        manner, denied = cpu_manner(record.cpu.told, grids), record.cpu.denied
        (series,), denied, lost_ms, ask = _reckon(
            (record.cpu.series,), denied, periods, manner=manner, off=record.was_off_ms, now_ms=now_ms
        )
        if (series, denied) == (record.cpu.series, record.cpu.denied):
            return Reckoned(record, lost_ms, ask)
        return Reckoned(replace(record, cpu=replace(record.cpu, series=series, denied=denied)), lost_ms, ask)
    if record.grid is None:
        return Reckoned(record)
    manner = traffic_manner(record.grid, grids)
    accounts, asks, lost_ms = dict(record.interfaces), [], 0
    for interface_id, account in record.interfaces.items():
        both, denied, lost, ask = _reckon(
            (account.receive, account.transmit),
            account.denied,
            periods,
            manner=manner,
            off=record.was_off_ms,
            now_ms=now_ms,
        )
        lost_ms = max(lost_ms, lost)
        if ask is not None:
            asks.append(ask)
        accounts[interface_id] = replace(account, receive=both[0], transmit=both[1], denied=denied)
    return Reckoned(
        replace(record, interfaces=accounts) if accounts != record.interfaces else record,
        lost_ms,
        min(asks, key=lambda each: each.at_ms, default=None),
    )


def _accounts(record: VmRecord, collector: str) -> tuple[CpuAccount | InterfaceAccount, ...]:
    if collector == CpuReading.collector:
        return () if record.cpu is None else (record.cpu,)
    return tuple(record.interfaces.values())


def owed_ms(account: CpuAccount | InterfaceAccount) -> int:
    """How much time waits for a longer period."""
    series = (account.series,) if isinstance(account, CpuAccount) else (account.receive, account.transmit)
    return max(each.left_ms - each.settled_ms for each in series)


def _repay(
    series: tuple[Series, ...],
    windows: Sequence[Window] | None,
    denied: tuple[tuple[str, int], ...],
    *,
    period: str,
    manner: Manner,
    idle_ms: int,
    asked_ms: int,
    most_per_ms: int | None = None,
) -> _Paid:
    """The series after an answer of a period; `windows` has one for each of them. None: it has nothing of them."""
    if windows is None:
        return _Paid(series, 0, 0, _denied_nothing_told(denied, period, asked_ms - manner.final_after_ms))
    complete_ms = complete_until_ms(laid_over_each_other(windows), now_ms=asked_ms, idle_after_ms=idle_ms)
    repaid = [
        repay(each, window, manner=manner, complete_ms=complete_ms, most_per_ms=most_per_ms)
        for each, window in zip(series, windows, strict=True)
    ]
    return _Paid(
        tuple(each.series for each in repaid),
        max(each.paid_ms for each in repaid),
        max(each.estimated_ms for each in repaid),
        _denied(denied, period, min(each.denied_until_ms for each in repaid)),
    )


def _reckon(
    series: tuple[Series, ...],
    denied: tuple[tuple[str, int], ...],
    periods: Mapping[str, Grid | None],
    *,
    manner: Manner,
    off: tuple[int, int] | None,
    now_ms: int,
) -> tuple[tuple[Series, ...], tuple[tuple[str, int], ...], int, Ask | None]:
    if all(each.settled_ms == each.left_ms for each in series):
        return series, (), 0, None
    if off is not None:
        series = tuple(excused(each, manner=manner, off=off, now_ms=now_ms) for each in series)
    limit_ms = unpayable_before_ms(periods, denied=dict(denied), now_ms=now_ms)
    until_ms = max((*(_overflow_ms(each) for each in series), limit_ms or 0))
    forgiven = [forgive(each, manner=manner, until_ms=until_ms, now_ms=now_ms) for each in series]
    left = tuple(each.series for each in forgiven)
    spans = [span for each in left for span in owed(each, manner=manner)]
    ask = next_ask(
        spans,
        periods,
        manner=manner,
        denied=dict(denied),
        now_ms=now_ms,
        left_ms=min(each.left_ms for each in left),
        asked_ms=min(each.asked_ms for each in left),
    )
    return left, denied if spans else (), max(each.lost_ms for each in forgiven), ask


def _overflow_ms(series: Series) -> int:
    """Until when things must be given up, so that a series does not grow for ever; 0 as long as it is not too long."""
    buckets = series.buckets()
    beyond = len(buckets) - _MOST_KEPT
    return buckets[beyond].end_ms if beyond > 0 else 0


def _denied_nothing_told(
    denied: tuple[tuple[str, int], ...], period: str, until_ms: int
) -> tuple[tuple[str, int], ...]:
    """An answer without anything denies everything, if the one before was like that, too: once may be a bad moment."""
    known = dict(denied)
    if f"{period}{_ONCE}" not in known:
        return (*denied, (f"{period}{_ONCE}", until_ms))
    return _denied(denied, period, until_ms)


def _denied(denied: tuple[tuple[str, int], ...], period: str, until_ms: int) -> tuple[tuple[str, int], ...]:
    known = {each: until for each, until in denied if each != f"{period}{_ONCE}"}
    return tuple({**known, period: max(until_ms, known.get(period, until_ms))}.items())


def _while_running(told: Window, record: VmRecord) -> Window:
    """Without chunks in which the machine did not run all the time: nobody says what they are the mean of."""
    if record.running_since_ms is None:
        return replace(told, values=(None,) * len(told.values))
    starts = range(told.start_ms, told.end_ms, told.width_ms)
    return replace(
        told,
        values=tuple(
            value if start_ms >= record.running_since_ms else None
            for start_ms, value in zip(starts, told.values, strict=True)
        ),
    )


def _grid_of(window: Window) -> Grid:
    return Grid(window.width_ms, window.end_ms, len(window.values))


def _with(grids: Grids, period: str, grid: Grid | None) -> Grids:
    return grids if grid is None else {**grids, period: grid}
