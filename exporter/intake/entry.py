"""An answer about a VM, entered into its account's book."""

from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from exporter.collectors import SHORTEST, CpuReading, TrafficReading
from exporter.counting import Series, Window, to_ms
from exporter.fleet import Machine
from exporter.intake.arrears import reckon, repay_cpu, repay_traffic
from exporter.intake.books import Book
from exporter.intake.events import ReadingTaken, Taken
from exporter.intake.folding import Gained, fold_cpu, fold_traffic
from exporter.ledger import VmRecord

__all__ = ["Entry", "Statistics", "enter_reading"]

Statistics = CpuReading | TrafficReading


class Entry(Struct, frozen=True, gc=False):
    """What an answer has come to. `window`: what it shows, if it is of the shortest period and shows anything;
    `told`: what is to be told of it; `owes`: the longer period that can pay what is missing now, and from when on;
    `again`: another answer would tell what this one does not.
    """

    reading: Statistics
    record: VmRecord
    window: Window | None
    told: ReadingTaken
    owes: tuple[str, float] | None
    again: bool

    def taken(self, probe: str | None) -> Taken:
        """The same for whoever decides when to look again; `probe`: a period of which it is not known how it looks."""
        reading, window = self.reading, self.window
        taken = Taken(
            account=reading.account,
            vm_id=reading.vm_id,
            collector=reading.collector,
            period=reading.period,
            asked_at=reading.asked_at,
            owes=(probe, reading.asked_at) if self.owes is None and probe is not None else self.owes,
            is_owed=self.owes is not None,
            again=self.again,
        )
        if window is None:
            return taken
        last, before = (bool(value) for value in (*reversed(window.values[-2:]), None, None)[:2])
        grid = self.record.grid if isinstance(reading, TrafficReading) else None
        return replace(
            taken,
            end_at=window.end_ms / 1000,
            width_s=window.width_ms / 1000,
            filled=(last, before),
            buckets=len((grid or window).values),
        )


def enter_reading(book: Book, record: VmRecord, reading: Statistics, machine: Machine) -> Entry:
    """Count what is new, and give up what nobody can tell any more."""
    if reading.period == SHORTEST:
        before = _newest(record, reading.collector)
        gained, told = _folded(book, record, reading, machine), _told(reading)
        after = _newest(gained.record, reading.collector)
        buckets = 0 if before is None or after is None else after.counted_since(before.newest_ms)
    else:
        (gained, told), buckets = _repaid(book, record, reading), 0
    reckoned = reckon(
        gained.record, reading.collector, grids=book.grids(reading.collector), now_ms=to_ms(reading.asked_at)
    )
    book.put(reckoned.record)
    owes = None if reckoned.ask is None else (reckoned.ask.period, reckoned.ask.at_ms / 1000)
    told = replace(told, buckets=buckets, lost_s=reckoned.lost_ms / 1000)
    return Entry(reading, reckoned.record, gained.window, told, owes, gained.again)


def _newest(record: VmRecord, collector: str) -> Series | None:
    """The series of a VM that is counted farthest; None where nothing is."""
    if collector == CpuReading.collector:
        return None if record.cpu is None else record.cpu.series
    received = (interface.receive for interface in record.interfaces.values())
    return max(received, key=attrgetter("newest_ms"), default=None)


def _folded(book: Book, record: VmRecord, reading: Statistics, machine: Machine) -> Gained:
    collector, now_ms = reading.collector, to_ms(reading.asked_at)
    grids, late_ms = book.grids(collector), book.late_ms(collector, now_ms)
    if isinstance(reading, CpuReading):
        gained = fold_cpu(record, reading, created_at=machine.created_at, grids=grids, late_ms=late_ms)
    else:
        gained = fold_traffic(record, reading, created_at=machine.created_at, grids=grids, late_ms=late_ms)
    book.note_late(collector, gained.late_ms, now_ms)
    return gained


def _repaid(book: Book, record: VmRecord, reading: Statistics) -> tuple[Gained, ReadingTaken]:
    collector = reading.collector
    grids, late_ms = book.grids(collector), book.late_ms(collector, to_ms(reading.asked_at))
    if isinstance(reading, CpuReading):
        repayment = repay_cpu(record, reading, grids=grids, late_ms=late_ms)
    else:
        repayment = repay_traffic(record, reading, grids=grids, late_ms=late_ms)
    if repayment.grid is not None:
        book.put_grid(collector, reading.period, repayment.grid)
    paid_s, estimated_s = repayment.paid_ms / 1000, repayment.estimated_ms / 1000
    return Gained(repayment.record), replace(_told(reading), caught_up_s=paid_s, estimated_s=estimated_s)


def _told(reading: Statistics) -> ReadingTaken:
    return ReadingTaken(
        account=reading.account,
        collector=reading.collector,
        vm_id=reading.vm_id,
        refused=reading.refused,
        duplicates=reading.duplicates,
    )
