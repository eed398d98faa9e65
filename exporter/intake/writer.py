"""Takes readings in the order of their arrival: fold, commit, publish."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from exporter.clock import Clock
from exporter.collectors import LONGER, SHORTEST, CpuReading, InventoryReading, Reading, TrafficReading
from exporter.counting import Window, to_ms
from exporter.fleet import AccountView, Fleet, Machine, Outcome, Vm, aged, is_running
from exporter.intake.arrears import Reckoned, reckon, repay_cpu, repay_traffic
from exporter.intake.books import Book, Books
from exporter.intake.events import FleetChanged, FoldFailed, IntakeEvent, ReadingTaken, Restored, Taken
from exporter.intake.folding import fold_cpu, fold_machine, fold_traffic
from exporter.intake.order import Order
from exporter.intake.snapshots import outcome_after_answer, outcome_after_listing, shown
from exporter.ledger import Ledger, VmRecord

__all__ = ["Intake"]

_QUEUE = 1_000
"""Readings that may wait. A collector that is faster than intake waits for a place."""
_STEP = 50
"""Readings or machines taken before others may run: some 0.1 ms each, and 20 ms is the most that a step may take."""
_ABSENCES = 2
"""A VM that so many complete listings in a row lack is gone (contract)."""
_PROBED_WIDTHS = 6
"""Where a longer period has not shown yet how it looks, one VM is asked again after so many of the shortest widths."""

_Statistics = CpuReading | TrafficReading
_Each = TypeVar("_Each")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A reading that was folded. `window`: the buckets of a shortest window; None: it showed none, or was another's."""

    reading: _Statistics
    record: VmRecord
    window: Window | None
    told: ReadingTaken
    owes: tuple[str, float] | None
    is_owed: bool


class Intake:
    """One owned task (`run`) takes what was submitted; `failed` and `listing_failed` say that nothing will come."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        clock: Clock,
        stale_after_s: float,
        on_event: Callable[[IntakeEvent], None],
        on_taken: Callable[[Taken | InventoryReading], None],
    ) -> None:
        self.stale_after_s = stale_after_s
        self._books = Books(ledger=ledger, clock=clock, on_event=on_event)
        self._fleet = fleet
        self._clock = clock
        self._on_event = on_event
        self._on_taken = on_taken
        self._queue: asyncio.Queue[Reading] = asyncio.Queue(_QUEUE)
        self._order = Order()
        self._probed_until_ms: dict[tuple[str, str], int] = {}
        self._ahead_s: defaultdict[str, float] = defaultdict(float)

    async def open_account(self, view: AccountView) -> None:
        """Load what is remembered of an account and show it; its readings may come from now on."""
        if self._books.get(view.key) is not None and self._fleet.vms(view.name):
            return
        book = await self._books.open(view.key)
        self._order.know(view.name, (vm_id for vm_id, record in book.records.items() if record.cpu is not None))
        if book.account.listed:
            self._fleet.set_account(replace(view, listed=True))
        for machines in _steps(tuple(book.listed[vm_id] for vm_id in book.records if vm_id in book.listed)):
            self._fleet.replace(
                view.name,
                [self._shown(book.records[each.vm_id], _listed(None, view.name, each)) for each in machines],
            )
            await self._clock.sleep(0)
        if book.records:
            self._on_event(Restored(view.name, len(book.records)))

    async def submit(self, reading: Reading) -> None:
        """Hand over a reading; waits while intake is behind."""
        await self._queue.put(reading)

    async def settled(self) -> None:
        """Wait until everything submitted has been published."""
        await self._queue.join()

    async def flush(self) -> None:
        """Have remembered what could not be written before, if there is something and it can be now."""
        await self._books.flush()

    def failed(self, account: str, vm_id: str, collector: str) -> None:
        """Note that a VM could not be looked at: what was known of it stays."""
        if collector == TrafficReading.collector:
            self._order.traffic_failed(account, vm_id)
        vm = self._fleet.vms(account).get(vm_id)
        if vm is not None and is_running(vm.machine.status):
            self._fleet.replace(account, [_with_outcome(vm, collector, Outcome.FAILING)])

    def listing_failed(self, account: str, *, credential_expires_at: float | None) -> None:
        """Note that the account could not be listed: what was known of it stays."""
        view = self._fleet.account(account)
        if view is not None:
            expires_at = credential_expires_at or view.credential_expires_at
            self._fleet.set_account(replace(view, up=False, credential_expires_at=expires_at))

    async def run(self) -> None:
        """Take readings until cancelled. What has been taken from the queue is always published."""
        while True:
            readings = [await self._queue.get()]
            try:
                await self._clock.sleep(self._books.pause_s)
                while not self._queue.empty():
                    readings.append(self._queue.get_nowait())
                await self._take(readings)
            finally:
                for _ in readings:
                    self._queue.task_done()

    async def _take(self, readings: Iterable[Reading]) -> None:
        statistics: list[_Statistics] = []
        for reading in readings:
            self._ahead_s[reading.account] = reading.asked_at - reading.asked_seen_at
            if isinstance(reading, InventoryReading):
                await self._take_statistics(statistics)
                statistics = []
                await self._take_listing(reading)
            else:
                statistics.append(reading)
        await self._take_statistics(statistics)

    def _book(self, account: str) -> Book | None:
        """The book of an account; None if that went with a reload while its answer was on its way."""
        view = self._fleet.account(account)
        return None if view is None else self._books.get(view.key)

    async def _take_statistics(self, readings: list[_Statistics]) -> None:
        counted: list[_Counted] = []
        for few in _steps(tuple(self._order.of(readings))):
            counted += [each for each in map(self._counted, few) if each is not None]
            await self._clock.sleep(0)
        if counted:
            await self._books.commit()
        for some in _steps(tuple(counted)):
            for each in some:
                self._publish_statistics(each)
            await self._clock.sleep(0)

    def _counted(self, reading: _Statistics) -> _Counted | None:
        """Fold a reading into its book; None where it is about nothing that is known (any more)."""
        book, vm = self._book(reading.account), self._fleet.vms(reading.account).get(reading.vm_id)
        record = None if book is None else book.records.get(reading.vm_id)
        if book is None or record is None or vm is None:
            return None
        try:
            fold = _fold if reading.period == SHORTEST else _repay
            return self._reckoned(book, reading, *fold(book, record, reading, vm.machine))
        except Exception as error:  # noqa: BLE001 - pure arithmetic: the other answers are none the worse for it
            self._on_event(FoldFailed(reading.account, reading.collector, reading.vm_id, error))
            return None

    def _reckoned(
        self, book: Book, reading: _Statistics, record: VmRecord, window: Window | None, told: ReadingTaken
    ) -> _Counted:
        now_ms = to_ms(reading.asked_at)
        reckoned = reckon(record, reading.collector, grids=book.grids(reading.collector), now_ms=now_ms)
        book.put(reckoned.record)
        return _Counted(
            reading,
            reckoned.record,
            window,
            replace(told, lost_s=reckoned.lost_ms / 1000),
            self._next(book, reading, window, reckoned),
            is_owed=reckoned.ask is not None,
        )

    def _next(
        self, book: Book, reading: _Statistics, window: Window | None, reckoned: Reckoned
    ) -> tuple[str, float] | None:
        """Which longer period this VM is to be asked for, and when: for what it owes, or to learn how such look.

        That must be known before something is owed: sums are kept at the bounds of their buckets.
        """
        if reckoned.ask is not None:
            return reckoned.ask.period, reckoned.ask.at_ms / 1000
        if window is None:
            return None
        for period in LONGER[reading.collector]:
            which = (reading.account, period)
            if period not in book.grids(reading.collector) and window.asked_ms >= self._probed_until_ms.get(which, 0):
                self._probed_until_ms[which] = window.asked_ms + _PROBED_WIDTHS * window.width_ms
                return period, reading.asked_at
        return None

    def _publish_statistics(self, counted: _Counted) -> None:
        reading, record = counted.reading, counted.record
        vm = self._fleet.vms(reading.account).get(reading.vm_id)
        if vm is not None:
            has_statistics = bool(record.cpu if reading.collector == "cpu" else record.interfaces)
            outcome = outcome_after_answer(running=is_running(vm.machine.status), has_statistics=has_statistics)
            self._fleet.replace(reading.account, [self._shown(record, _with_outcome(vm, reading.collector, outcome))])
        self._on_event(counted.told)
        self._on_taken(_taken(counted))

    async def _take_listing(self, reading: InventoryReading) -> None:
        """Fold, commit and publish a listing in steps: one of 10 000 VMs would hold the loop too long."""
        book, view = self._book(reading.account), self._fleet.account(reading.account)
        if book is None or view is None:
            return
        renamed: list[tuple[str, str]] = []
        for machines in _steps(reading.machines):
            for machine in machines:
                before = book.records.get(machine.vm_id)
                record = fold_machine(
                    before,
                    machine,
                    asked_at=reading.asked_at,
                    asked_seen_at=reading.asked_seen_at,
                    listed_before=view.listed,
                )
                book.put(record)
                book.put_listed(machine)
                if before is not None and before.name != record.name:
                    renamed.append((before.name, record.name))
            await self._clock.sleep(0)
        absent = _absent(book.records, reading)
        for record in absent:
            book.put(record)
        gone = [record.vm_id for record in absent if record.absences >= _ABSENCES]
        book.drop(gone)
        book.note_listed()
        self._order.forget(reading.account, gone)
        await self._books.commit()
        await self._publish_listing(reading, book, gone, renamed)

    async def _publish_listing(
        self, reading: InventoryReading, book: Book, leaving: list[str], renamed: list[tuple[str, str]]
    ) -> None:
        before, records = dict(self._fleet.vms(reading.account)), book.records
        self._fleet.replace(reading.account, (), leaving)
        for machines in _steps(reading.machines):
            if self._book(reading.account) is not book:
                return  # It went, or became another account of the provider's, meanwhile.
            self._fleet.replace(
                reading.account,
                [
                    self._shown(records[machine.vm_id], _listed(before.get(machine.vm_id), reading.account, machine))
                    for machine in machines
                ],
            )
            await self._clock.sleep(0)
        view = self._fleet.account(reading.account)
        if view is None:
            return
        expires_at = reading.credential_expires_at or view.credential_expires_at
        broken = len(reading.unreadable)
        self._fleet.set_account(replace(view, up=True, listed=True, credential_expires_at=expires_at, broken=broken))
        born = tuple(machine.name for machine in reading.machines if machine.vm_id not in before)
        gone = tuple(before[vm_id].machine.name for vm_id in leaving if vm_id in before)
        self._on_event(
            ReadingTaken(account=reading.account, collector=reading.collector, duplicates=reading.duplicates)
        )
        if born or gone or renamed:
            self._on_event(FleetChanged(reading.account, born, gone, tuple(renamed)))
        self._on_taken(reading)

    def _shown(self, record: VmRecord, vm: Vm) -> Vm:
        snapshot = shown(
            record,
            vm.machine,
            account=vm.account,
            stale_after_s=self.stale_after_s,
            ahead_s=self._ahead_s[vm.account],
            cpu_outcome=vm.cpu_outcome,
            traffic_outcome=vm.traffic_outcome,
        )
        return aged(snapshot, now_s=self._clock.wall_s())


def _steps(each: Sequence[_Each]) -> Iterator[Sequence[_Each]]:
    return (each[first : first + _STEP] for first in range(0, len(each), _STEP))


def _fold(
    book: Book, record: VmRecord, reading: _Statistics, machine: Machine
) -> tuple[VmRecord, Window | None, ReadingTaken]:
    """The record after a shortest window, that window, and what is to be told of it."""
    collector, now_ms = reading.collector, to_ms(reading.asked_at)
    grids, late_ms = book.grids(collector), book.late_ms(collector, now_ms)
    if isinstance(reading, CpuReading):
        gained = fold_cpu(record, reading, created_at=machine.created_at, grids=grids, late_ms=late_ms)
    else:
        gained = fold_traffic(record, reading, created_at=machine.created_at, grids=grids, late_ms=late_ms)
    book.note_late(collector, gained.late_ms, now_ms)
    return gained.record, gained.window, _told(reading)


def _repay(book: Book, record: VmRecord, reading: _Statistics, _: Machine) -> tuple[VmRecord, None, ReadingTaken]:
    """The record after an answer of a longer period, no shortest window, and what is to be told of it."""
    collector = reading.collector
    grids, late_ms = book.grids(collector), book.late_ms(collector, to_ms(reading.asked_at))
    if isinstance(reading, CpuReading):
        repayment = repay_cpu(record, reading, grids=grids, late_ms=late_ms)
    else:
        repayment = repay_traffic(record, reading, grids=grids, late_ms=late_ms)
    if repayment.grid is not None:
        book.put_grid(collector, reading.period, repayment.grid)
    paid_s, estimated_s = repayment.paid_ms / 1000, repayment.estimated_ms / 1000
    return repayment.record, None, replace(_told(reading), caught_up_s=paid_s, estimated_s=estimated_s)


def _told(reading: _Statistics) -> ReadingTaken:
    return ReadingTaken(
        account=reading.account,
        collector=reading.collector,
        vm_id=reading.vm_id,
        refused=reading.refused,
        duplicates=reading.duplicates,
    )


def _with_outcome(vm: Vm, collector: str, outcome: Outcome) -> Vm:
    return replace(vm, cpu_outcome=outcome) if collector == "cpu" else replace(vm, traffic_outcome=outcome)


def _listed(known: Vm | None, account: str, machine: Machine) -> Vm:
    """The snapshot as the listing has it; its statistics are filled in from the record."""
    vm = Vm(account=account, machine=machine) if known is None else replace(known, machine=machine)
    running = is_running(machine.status)
    return replace(
        vm,
        cpu_outcome=outcome_after_listing(vm.cpu_outcome, running=running, has_statistics=vm.cpu is not None),
        traffic_outcome=outcome_after_listing(vm.traffic_outcome, running=running, has_statistics=bool(vm.interfaces)),
    )


def _absent(records: Mapping[str, VmRecord], reading: InventoryReading) -> list[VmRecord]:
    """The VMs that are not in this listing as machines. An entry without a readable id could be any of them."""
    present = {machine.vm_id for machine in reading.machines}
    unreadable = {broken.machine_id for broken in reading.unreadable}
    if None in unreadable:
        return []
    return [
        replace(record, absences=0 if vm_id in unreadable else record.absences + 1)
        for vm_id, record in records.items()
        if vm_id not in present
    ]


def _taken(counted: _Counted) -> Taken:
    reading, window = counted.reading, counted.window
    taken = Taken(
        account=reading.account,
        vm_id=reading.vm_id,
        collector=reading.collector,
        period=reading.period,
        asked_at=reading.asked_at,
        owes=counted.owes,
        is_owed=counted.is_owed,
    )
    if window is None:
        return taken
    last, before = (bool(value) for value in (*reversed(window.values[-2:]), None, None)[:2])
    return replace(taken, end_at=window.end_ms / 1000, width_s=window.width_ms / 1000, filled=(last, before))
