"""What a reading changes in the record of a VM. Pure: instants are in the reading."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from exporter.collectors import CpuReading, InterfaceReading, TrafficReading
from exporter.counting import (
    NO_RUNS,
    Bucket,
    Grid,
    Horizon,
    Manner,
    Strip,
    Window,
    begin,
    changes_for_ms,
    complete_until_ms,
    end_hint,
    entered,
    fold,
    lateness_ms,
    moved,
    observe,
    place,
    to_ms,
    unseen,
    width_ms,
)
from exporter.fleet import Machine, is_running
from exporter.ledger import CpuAccount, InterfaceAccount, VmRecord

__all__ = [
    "Gained",
    "Grids",
    "Lateness",
    "cpu_manner",
    "fold_cpu",
    "fold_machine",
    "fold_traffic",
    "idle_after_ms",
    "laid_over_each_other",
    "traffic_manner",
]

Grids = Mapping[str, Grid]
"""Where the buckets of longer periods lie, by period, as far as that is known."""

_FADES = 20
"""Lateness that is not seen again is forgotten at a twentieth of the speed of time."""
_BESIDE_LOOKS = 5
"""So many looks in a row must say that CPU lists were placed wrongly, before they are moved."""
_WATCHED_WIDTHS = 2
"""For so long a new series is watched before a zero behind filled buckets is believed that may still change: within
that a bucket that is merely late is filled, which tells how late buckets are here."""
_HELD_WIDTHS = 6
"""For so long a traffic counter waits for a gap to be filled. Mostly that takes seconds, and until then nobody could
say which of the buckets before its timestamp it holds."""


class Gained(Struct, frozen=True, gc=False):
    """A record after a reading. `window`: the buckets of the answer, of all interfaces together (None: no data).

    `late_ms`: how late buckets are filled, as far as is known by now. `again`: another answer would tell what this one
    does not.
    """

    record: VmRecord
    window: Window | None = None
    late_ms: int = 0
    again: bool = False


class Lateness(Struct, frozen=True, gc=False):
    """How late after their end buckets were filled, as was seen at an instant. One slow hour must not be held against a
    provider for ever: its idle VMs would look stale.
    """

    late_ms: int = 0
    seen_ms: int = 0

    def at_ms(self, now_ms: int) -> int:
        """What of it is still to be reckoned with.

        >>> [Lateness(960_000, seen_ms=0).at_ms(hours * 3_600_000) for hours in (0, 1, 6)]
        [960000, 780000, 0]
        """
        return max(0, self.late_ms - max(0, now_ms - self.seen_ms) // _FADES)


def idle_after_ms(*, width_ms: int, late_ms: int) -> int:
    """How old a zero at the end of a window must be to be idleness: two widths, or one more than buckets are late."""
    return max(2 * width_ms, late_ms + width_ms)


def traffic_manner(grid: Window, grids: Grids) -> Manner:
    """How traffic is counted, where the shortest window is that `grid`."""
    final_after_ms = changes_for_ms(grid.end_ms - grid.start_ms)
    return Manner(
        final_after_ms=final_after_ms,
        settled_after_ms=final_after_ms,
        width_ms=grid.width_ms,
        hold_ms=_HELD_WIDTHS * grid.width_ms,
        estimates=True,
        grids=tuple(grids.values()),
    )


def cpu_manner(listed: Window, grids: Grids) -> Manner:
    """How CPU is counted, of which the shortest list is that. The one longer period is of days, of whose bounds nobody
    can be sure: it pays for gaps, where it leaves nothing to guess, but corrects nothing that was told; and no counter
    waits a day for it.
    """
    return Manner(
        final_after_ms=changes_for_ms(listed.end_ms - listed.start_ms),
        settled_after_ms=0,
        width_ms=listed.width_ms,
        grids=tuple(grids.values()),
    )


def fold_machine(
    record: VmRecord | None, machine: Machine, *, asked_at: float, asked_seen_at: float, listed_before: bool
) -> VmRecord:
    """The record after a listing that has the VM: the same one where that tells nothing new. `listed_before`: whether
    an earlier one was complete, too.
    """
    running = is_running(machine.status)
    if record is None:
        return VmRecord(
            vm_id=machine.vm_id,
            name=machine.name,
            status=machine.status,
            known_since_at=asked_at,
            appeared=listed_before,
            # For all that we know it has run since it was made.
            running_since_ms=to_ms(min(machine.created_at or 0.0, asked_at)) if running else None,
            was_off_ms=None if running else (0, to_ms(asked_at)),
            lock=unseen(on=machine.locked, seen_at=asked_seen_at, at=asked_at),
            suspension=unseen(on=machine.suspended, seen_at=asked_seen_at, at=asked_at),
        )
    if running:
        running_since_ms = to_ms(asked_at) if record.running_since_ms is None else record.running_since_ms
        was_off_ms = record.was_off_ms
    else:
        running_since_ms, was_off_ms = None, (_off_since_ms(record, asked_at), to_ms(asked_at))
    lock = observe(record.lock, on=machine.locked, seen_at=asked_seen_at, at=asked_at)
    suspension = observe(record.suspension, on=machine.suspended, seen_at=asked_seen_at, at=asked_at)
    if (machine.name, machine.status, 0, running_since_ms, was_off_ms, lock, suspension) == _LISTED(record):
        return record
    return replace(
        record,
        name=machine.name,
        renames=record.renames + (machine.name != record.name),
        status=machine.status,
        status_changes=record.status_changes + (record.status not in {"", machine.status}),
        absences=0,
        running_since_ms=running_since_ms,
        was_off_ms=was_off_ms,
        lock=lock,
        suspension=suspension,
    )


_LISTED = attrgetter("name", "status", "absences", "running_since_ms", "was_off_ms", "lock", "suspension")
"""What a listing may change of a record; what is counted changes with one of these."""


def _off_since_ms(record: VmRecord, asked_at: float) -> int:
    """Since when a machine that does not run now was seen not to."""
    still = record.running_since_ms is None and record.was_off_ms is not None
    return record.was_off_ms[0] if still and record.was_off_ms else to_ms(asked_at)


def fold_cpu(record: VmRecord, reading: CpuReading, *, created_at: float | None, grids: Grids, late_ms: int) -> Gained:
    """The record after a list of CPU chunks."""
    if not reading.values:
        return Gained(record, late_ms=late_ms)
    known = record.cpu
    now_ms = to_ms(reading.asked_at)
    hint_ms = end_hint(now_ms=now_ms, width_ms=reading.width_ms, grid=record.grid)
    before = known.told if known is not None else None
    told = place(entered(reading.values), width_ms=reading.width_ms, hint_ms=hint_ms, before=before, asked_ms=now_ms)
    if known is None:
        window = _of_the_vm(told, None, cores=reading.cores)
        complete_ms = _complete(window, now_ms, late_ms)
        if complete_ms is None:
            return Gained(record, window, late_ms=late_ms)
        if _could_end_later(reading, hint_ms, grid=record.grid):
            return Gained(record, window, late_ms=late_ms, again=True)
        counts_from_ms, from_birth = _counts_from_ms(record, window, created_at)
        series = begin(
            window, counts_from_ms=counts_from_ms, from_birth=from_birth, complete_ms=complete_ms, now_ms=now_ms
        )
        known = CpuAccount(series, told.rested(), since_ms=now_ms, on_grid=record.grid is not None)
    else:
        placed = _put_right(known, off_ms=hint_ms - told.end_ms, has_grid=record.grid is not None)
        told = replace(told, start_ms=told.start_ms + placed.told.start_ms - known.told.start_ms)
        known = placed
        window = _of_the_vm(told, known, cores=reading.cores)
        late_ms = max(late_ms, lateness_ms(known.series, window))
        complete_ms = _complete(window, known.since_ms, late_ms)
    manner = cpu_manner(told, grids)
    series = fold(known.series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms, off=record.was_off_ms)
    return Gained(replace(record, cpu=replace(known, series=series, list=told.rested())), window, late_ms)


def _could_end_later(reading: CpuReading, hint_ms: int, *, grid: Window | None) -> bool:
    """Whether a chunk has ended while a list was asked for. A first one is not begun with then: nothing but the clock
    says where it lies. Where answers take as long as a chunk there is no better one.
    """
    answered_ms = to_ms(reading.asked_at) + reading.took_ms
    is_sooner = reading.took_ms < reading.width_ms
    return is_sooner and end_hint(now_ms=answered_ms, width_ms=reading.width_ms, grid=grid) != hint_ms


def _of_the_vm(told: Window, known: CpuAccount | None, *, cores: int | None) -> Window:
    """The list in busy seconds of the whole VM. A chunk told as before keeps its value when cores come or go."""
    if cores is None:
        return told
    before, held = ({}, {}) if known is None else (_by_bounds(known.told.buckets()), _by_bounds(known.series.buckets()))
    shared = {}
    for bucket in told.buckets():
        bounds = bucket.start_ms, bucket.end_ms
        same = bounds in held and before.get(bounds) == bucket.value
        shared[bucket.start_ms] = held[bounds] if same else bucket.value // cores
    starts = range(told.start_ms, told.end_ms, told.width_ms)
    return replace(told, values=tuple(shared.get(start_ms) for start_ms in starts))


def _by_bounds(buckets: Iterable[Bucket]) -> dict[tuple[int, int], int]:
    return {(bucket.start_ms, bucket.end_ms): bucket.value for bucket in buckets}


def _put_right(known: CpuAccount, *, off_ms: int, has_grid: bool) -> CpuAccount:
    """The account, moved to where the clock says that its lists lie, if that must be believed.

    That is when traffic has shown the grid for the first time, or when the clock has said the same for some looks: the
    first list may have been asked for at the moment at which a chunk ended.
    """
    looks = known.off_looks + 1 if off_ms and off_ms == known.off_ms else int(off_ms != 0)
    if off_ms and (looks >= _BESIDE_LOOKS or (has_grid and not known.on_grid)):
        told = replace(known.told, start_ms=known.told.start_ms + off_ms)
        series = moved(known.series, by_ms=off_ms)
        return CpuAccount(series, told.rested(), known.since_ms, has_grid, denied=known.denied)
    return replace(known, on_grid=known.on_grid or has_grid, off_ms=off_ms, off_looks=looks)


def fold_traffic(
    record: VmRecord, reading: TrafficReading, *, created_at: float | None, grids: Grids, late_ms: int
) -> Gained:
    """The record after an answer with traffic. An interface that a full window of answers lacks is gone."""
    width = width_ms(tuple(_strips(record, reading)), grid=record.grid, hint_ms=reading.width_hint_ms)
    if width is None:
        return Gained(record, late_ms=late_ms)
    shown = [(each.receive.window(width), each.transmit.window(width)) for each in reading.interfaces]
    window = laid_over_each_other([way for both in shown for way in both])
    spans_ms = reading.interfaces[0].receive.end_ms - reading.interfaces[0].receive.begin_ms
    grid = _grid(window, spans_ms=spans_ms, took_ms=reading.took_ms)
    manner = traffic_manner(grid, grids)
    accounts: dict[str, InterfaceAccount] = {}
    for interface, both in zip(reading.interfaces, shown, strict=True):
        account, late_ms = _fold_interface(
            record, interface, both, manner=manner, created_at=created_at, late_ms=late_ms
        )
        if account is not None:
            accounts[interface.interface_id] = account
    absent = {
        interface_id: account
        for interface_id, account in record.interfaces.items()
        if interface_id not in accounts and account.seen_ms >= window.start_ms
    }
    counted = replace(
        record,
        interfaces=_in_order({**accounts, **absent}),
        grid=grid,
    )
    return Gained(counted, window, late_ms)


def _grid(window: Window, *, spans_ms: int, took_ms: int) -> Window:
    """Where an answer ends, and what it spans, also where only its oldest buckets are left (the VM was stopped). It is
    as late as it can have been made: a bucket that ended while it was asked for is none that is running.
    """
    count = max(len(window.values), round(spans_ms / window.width_ms))
    start_ms = window.end_ms - count * window.width_ms
    return Window(start_ms, window.width_ms, _nothing(count), window.asked_ms + took_ms)


@lru_cache(16)
def _nothing(count: int) -> tuple[None, ...]:
    """VMs share it: it stays with each."""
    return (None,) * count


def _strips(record: VmRecord, reading: TrafficReading) -> Iterator[tuple[Strip, Horizon]]:
    for interface in reading.interfaces:
        known = record.interfaces.get(interface.interface_id)
        yield interface.receive, known.receive.horizon if known is not None else NO_RUNS
        yield interface.transmit, known.transmit.horizon if known is not None else NO_RUNS


def _fold_interface(
    record: VmRecord,
    reading: InterfaceReading,
    shown: tuple[Window, Window],
    *,
    manner: Manner,
    created_at: float | None,
    late_ms: int,
) -> tuple[InterfaceAccount | None, int]:
    received, sent = shown
    now_ms = received.asked_ms
    both = laid_over_each_other([received, sent])
    known = record.interfaces.get(reading.interface_id)
    since_ms = now_ms
    if known is not None:
        since_ms = known.since_ms
        late_ms = max(late_ms, lateness_ms(known.receive, received), lateness_ms(known.transmit, sent))
    complete_ms = _complete(both, since_ms, late_ms)
    if known is not None:
        receive, transmit = known.receive, known.transmit
    elif complete_ms is not None:
        counts_from_ms, from_birth = _counts_from_ms(record, both, created_at)
        if record.grid is not None:
            # Other answers lacked it: all that it shows counts, as far as the VM itself does.
            counts_from_ms, from_birth = max(counts_from_ms, _first_filled_ms(both)), True
        receive, transmit = (
            begin(way, counts_from_ms=counts_from_ms, from_birth=from_birth, complete_ms=complete_ms, now_ms=now_ms)
            for way in (received, sent)
        )
    else:
        return None, late_ms
    into, out = (
        fold(series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms, off=record.was_off_ms)
        for series, window in ((receive, received), (transmit, sent))
    )
    denied = known.denied if known is not None else ()
    return InterfaceAccount(reading.network_id, reading.public, into, out, since_ms, now_ms, denied), late_ms


def _complete(window: Window, since_ms: int, late_ms: int) -> int | None:
    """Until when an answer is complete, of a series that is watched since then."""
    now_ms = window.asked_ms
    idle_ms = idle_after_ms(width_ms=window.width_ms, late_ms=late_ms)
    if now_ms < since_ms + _WATCHED_WIDTHS * window.width_ms and any(window.values):
        idle_ms = changes_for_ms(window.end_ms - window.start_ms)
    return complete_until_ms(window, now_ms=now_ms, idle_after_ms=idle_ms)


def _counts_from_ms(record: VmRecord, window: Window, created_at: float | None) -> tuple[int, bool]:
    """From when on buckets count, and whether there were none before: since the VM was made, if the window shows that,
    else since it is known to us.

    Where nobody says when it was made, one that an earlier listing lacked is taken to be younger than the window. The
    bucket in which a VM was made belongs to it whole; the one in which we came to know it is mostly from before.
    """
    created_ms = None if created_at is None else to_ms(created_at)
    if created_ms is None or created_ms > window.asked_ms:  # A time to come is one in another zone than we think.
        if record.appeared:
            return _first_filled_ms(window), True
    elif created_ms >= window.start_ms:
        return created_ms, True
    return to_ms(record.known_since_at) + window.width_ms - 1, False


def _first_filled_ms(window: Window) -> int:
    return next((bucket.start_ms for bucket in window.buckets() if bucket.value), window.end_ms)


def laid_over_each_other(windows: Sequence[Window]) -> Window:
    """The windows laid over each other: a bucket is filled where any of them has it filled. They share their bounds."""
    first, *others = windows
    if not others:
        return first
    columns = [window.values for window in windows]
    values: tuple[int | None, ...]
    if any(None in column for column in columns):
        values = tuple(
            max((value for value in bucket if value is not None), default=None) for bucket in zip(*columns, strict=True)
        )
    else:
        values = tuple(map(max, *columns))
    return Window(first.start_ms, first.width_ms, values, first.asked_ms)


def _in_order(accounts: dict[str, InterfaceAccount]) -> Mapping[str, InterfaceAccount]:
    return MappingProxyType(dict(sorted(accounts.items(), key=lambda each: (len(each[0]), each[0]))))
