"""Takes readings in the order of their arrival: fold, commit, publish."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from exporter.clock import Clock, Stint
from exporter.collectors import LONGER, SHORTEST, InventoryReading, Reading, TrafficReading, nothing_told
from exporter.fleet import AccountView, Fleet, Machine, Outcome, Vm, aged, is_running
from exporter.intake.books import Book, Books
from exporter.intake.entry import Entry, Statistics, enter_reading
from exporter.intake.events import FleetChanged, FoldFailed, IntakeEvent, LockEnded, ReadingTaken, Restored, Taken
from exporter.intake.folding import fold_machine
from exporter.intake.order import Order
from exporter.intake.snapshots import answered, outcome_after_answer, outcome_after_listing, shown
from exporter.ledger import Ledger, VmRecord

__all__ = ["Intake"]

_QUEUE = 1_000
"""Readings that may wait. A collector that is faster than intake waits for a place."""
_ABSENCES = 2
"""A VM that so many complete listings in a row lack is gone (contract)."""
_GATHERED = 100
_MOST_GATHERED_S = 3.0
"""More answers are waited for, for a 100th of a bucket, but for three seconds at most: a commit costs a millisecond of
CPU and more before the first VM is in it, and both answers about a VM come within a second or two, so that most records
are written once, not twice, in a bucket.
"""
_MANY = 500
"""Where so many have come, no more are waited for."""
_GATHERED_IN_STEPS_S = 0.2
"""Between two of these it is seen whether that is so, or somebody waits."""
_PROBED_WIDTHS = 6
"""Where a longer period has not shown yet how it looks, one VM is asked again after so many of the shortest widths."""


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
        self._gather_s = 0.0
        self._awaited = 0
        """So many wait for what has come to be published."""
        self._probed_until_ms: dict[tuple[str, str], int] = {}
        self._ahead_s: defaultdict[str, float] = defaultdict(float)
        self._stale_after_shown_s: dict[str, float] = {}
        """With which setting the snapshots of an account were made."""

    async def open_account(self, view: AccountView) -> None:
        """Load what is remembered of an account and show it; its readings may come from now on."""
        if self._books.get(view.key) is not None and self._fleet.vms(view.name):
            return
        book = await self._books.open(view.key)
        self._order.know(view.name, (vm_id for vm_id, record in book.records.items() if record.cpu is not None))
        if book.account.listed:
            self._fleet.set_account(replace(view, listed=True))
        stint = Stint(self._clock)
        for machine in tuple(book.listed[vm_id] for vm_id in book.records if vm_id in book.listed):
            vm = self._shown(book.records[machine.vm_id], _listed(None, view.name, machine))
            self._fleet.replace(view.name, [vm])
            await stint.part_done()
        if book.records:
            self._on_event(Restored(view.name, len(book.records)))

    async def submit(self, reading: Reading) -> None:
        """Hand over a reading; waits while intake is behind."""
        await self._queue.put(reading)

    async def submit_nothing(self, account: str, vm_id: str, collector: str, period: str) -> None:
        """Take it that the provider has nothing of a VM in that period."""
        seen_at = self._clock.wall_s()
        asked_at = seen_at + self._ahead_s[account]
        await self.submit(nothing_told(account, vm_id, collector, period, asked_at=asked_at, asked_seen_at=seen_at))

    async def settled(self) -> None:
        """Wait until everything submitted has been published: no more is waited for."""
        self._awaited += 1
        try:
            await self._queue.join()
        finally:
            self._awaited -= 1

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
            readings, taken = deque([await self._queue.get()]), 1
            try:
                await self._gather()
                while not self._queue.empty():
                    readings.append(self._queue.get_nowait())
                    taken += 1
                await self._take(readings)
            finally:
                for _ in range(taken):
                    self._queue.task_done()

    async def _gather(self) -> None:
        """Let more come, while they are not many and nobody waits for those that have."""
        waited_s = self._books.pause_s
        await self._clock.sleep(waited_s)
        while waited_s < self._gather_s and self._queue.qsize() < _MANY and not self._awaited:
            step_s = min(_GATHERED_IN_STEPS_S, self._gather_s - waited_s)
            await self._clock.sleep(step_s)
            waited_s += step_s

    async def _take(self, readings: deque[Reading]) -> None:
        """Each leaves as soon as it can: to free those of a second together held the loop for three steps more."""
        statistics: deque[Statistics] = deque()
        while readings:
            reading = readings.popleft()
            self._ahead_s[reading.account] = reading.asked_at - reading.asked_seen_at
            if isinstance(reading, InventoryReading):
                await self._take_statistics(statistics)
                await self._take_listing(reading)
            else:
                statistics.append(reading)
        await self._take_statistics(statistics)

    def _book(self, account: str) -> Book | None:
        """The book of an account; None if that went with a reload while its answer was on its way."""
        view = self._fleet.account(account)
        return None if view is None else self._books.get(view.key)

    async def _take_statistics(self, readings: deque[Statistics]) -> None:
        entries: deque[Entry] = deque()
        stint = Stint(self._clock)
        for each in self._order.of(readings):
            if (entry := self._enter(each)) is not None:
                entries.append(entry)
            await stint.part_done()
        if entries:
            widths_ms = [entry.window.width_ms for entry in entries if entry.window is not None]
            self._gather_s = min(min(widths_ms, default=0) / 1000 / _GATHERED, _MOST_GATHERED_S)
            await self._books.commit()
        stint = Stint(self._clock)
        while entries:
            self._publish_statistics(entries.popleft())
            await stint.part_done()

    def _enter(self, reading: Statistics) -> Entry | None:
        """Enter a reading into its book; None where it is about nothing that is known (any more)."""
        book, vm = self._book(reading.account), self._fleet.vms(reading.account).get(reading.vm_id)
        record = None if book is None else book.records.get(reading.vm_id)
        if book is None or record is None or vm is None:
            return None
        try:
            return enter_reading(book, record, reading, vm.machine)
        except Exception as error:  # noqa: BLE001 - pure arithmetic: the other answers are none the worse for it
            self._on_event(FoldFailed(reading.account, reading.collector, reading.vm_id, error))
            return None

    def _publish_statistics(self, entry: Entry) -> None:
        reading, record = entry.reading, entry.record
        vm = self._fleet.vms(reading.account).get(reading.vm_id)
        if vm is not None:
            outcome = None
            if reading.period == SHORTEST:  # A longer one tells nothing of how the VM fares now.
                has_statistics = bool(record.cpu if reading.collector == "cpu" else record.interfaces)
                outcome = outcome_after_answer(running=is_running(vm.machine.status), has_statistics=has_statistics)
            snapshot = answered(
                vm,
                record,
                reading.collector,
                outcome=outcome,
                stale_after_s=self.stale_after_s,
                ahead_s=self._ahead_s[reading.account],
            )
            self._fleet.replace(reading.account, [aged(snapshot, now_s=self._clock.wall_s())])
        self._on_event(entry.told)
        self._on_taken(entry.taken(self._probe(entry)))

    def _probe(self, entry: Entry) -> str | None:
        """A longer period of which nobody knows yet where its buckets lie: one VM of the account is asked for it.

        That must be known before something is owed: sums are kept at the bounds of those buckets.
        """
        reading, window, book = entry.reading, entry.window, self._book(entry.reading.account)
        if book is None or window is None or entry.owes is not None:
            return None
        for period in LONGER[reading.collector]:
            which = (reading.account, period)
            if period not in book.grids(reading.collector) and window.asked_ms >= self._probed_until_ms.get(which, 0):
                self._probed_until_ms[which] = window.asked_ms + _PROBED_WIDTHS * window.width_ms
                return period
        return None

    async def _take_listing(self, reading: InventoryReading) -> None:
        """Fold, commit and publish a listing in steps: one of 10 000 VMs would hold the loop too long."""
        book, view = self._book(reading.account), self._fleet.account(reading.account)
        if book is None or view is None:
            return
        renamed: list[tuple[str, str]] = []
        news: set[str] = set()
        stint = Stint(self._clock)
        for machine in reading.machines:
            before = book.records.get(machine.vm_id)
            record = fold_machine(
                before,
                machine,
                asked_at=reading.asked_at,
                asked_seen_at=reading.asked_seen_at,
                listed_before=view.listed,
            )
            if record is not before:
                book.put(record)
            if book.put_listed(machine) or record is not before:
                news.add(machine.vm_id)
            if before is not None and before.name != record.name:
                renamed.append((before.name, record.name))
            if before is not None and (lasted_s := _lock_ended(before, record, reading.asked_seen_at)) is not None:
                self._on_event(LockEnded(reading.account, machine.vm_id, lasted_s))
            await stint.part_done()
        absent = _absent(book.records, reading)
        for record in absent:
            book.put(record)
        gone = [record.vm_id for record in absent if record.absences >= _ABSENCES]
        book.drop(gone)
        await stint.part_done()
        book.note_listed()
        self._order.forget(reading.account, gone)
        await self._books.commit()
        await self._publish_listing(reading, book, news, gone, renamed)

    async def _publish_listing(
        self,
        reading: InventoryReading,
        book: Book,
        news: AbstractSet[str],
        leaving: list[str],
        renamed: list[tuple[str, str]],
    ) -> None:
        before, records = dict(self._fleet.vms(reading.account)), book.records
        self._fleet.replace(reading.account, (), leaving)
        is_anew = self._stale_after_shown_s.get(reading.account) != self.stale_after_s
        self._stale_after_shown_s[reading.account] = self.stale_after_s
        born = []
        stint = Stint(self._clock)
        for machine in (each for each in reading.machines if is_anew or each.vm_id in news or each.vm_id not in before):
            vm_id = machine.vm_id
            if self._book(reading.account) is not book:
                return  # It went, or became another account of the provider's, meanwhile.
            vm = self._shown(records[vm_id], _listed(before.get(vm_id), reading.account, book.listed[vm_id]))
            self._fleet.replace(reading.account, [vm])
            if vm_id not in before:
                born.append(machine.name)
            await stint.part_done()
        view = self._fleet.account(reading.account)
        if view is None or self._book(reading.account) is not book:
            return
        expires_at = reading.credential_expires_at or view.credential_expires_at
        broken = len(reading.unreadable)
        self._fleet.set_account(replace(view, up=True, listed=True, credential_expires_at=expires_at, broken=broken))
        gone = tuple(before[vm_id].machine.name for vm_id in leaving if vm_id in before)
        self._on_event(
            ReadingTaken(account=reading.account, collector=reading.collector, duplicates=reading.duplicates)
        )
        if born or gone or renamed:
            self._on_event(FleetChanged(reading.account, tuple(born), gone, tuple(renamed)))
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


def _lock_ended(before: VmRecord, after: VmRecord, seen_at: float) -> float | None:
    """How long a lock lasted that was there before and is not now; None where it was not, or not seen to begin."""
    since_seen_at = before.lock.since_seen_at
    if since_seen_at is None or not before.lock.begun or after.lock.since_seen_at is not None:
        return None
    return max(0.0, seen_at - since_seen_at)


def _absent(records: Mapping[str, VmRecord], reading: InventoryReading) -> list[VmRecord]:
    """The VMs that are not in this listing as machines. An entry without a readable id could be any of them."""
    unreadable = {broken.machine_id for broken in reading.unreadable}
    absent = records.keys() - {machine.vm_id for machine in reading.machines}
    if None in unreadable or not absent:
        return []
    return [
        replace(record, absences=0 if vm_id in unreadable else record.absences + 1)
        for vm_id, record in records.items()
        if vm_id in absent
    ]
