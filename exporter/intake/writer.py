"""Takes readings in the order of their arrival: fold, commit, publish."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.clock import Clock
from exporter.collectors import CpuReading, InventoryReading, Reading, TrafficReading
from exporter.counting import to_ms
from exporter.fleet import Fleet, Machine, Outcome, Vm, aged, is_running
from exporter.intake.folding import Gained, Lateness, fold_cpu, fold_machine, fold_traffic
from exporter.intake.order import Order
from exporter.intake.snapshots import outcome_after_answer, outcome_after_listing, shown
from exporter.ledger import Batch, Ledger, VmRecord

__all__ = ["FleetChanged", "FoldFailed", "Intake", "ReadingTaken", "Taken"]

_QUEUE = 1_000
"""Readings that may wait. A collector that is faster than intake waits for a place."""
_STEP = 50
"""Readings or machines taken before others may run: some 0.1 ms each, and 20 ms is the most that a step may take."""
_ABSENCES = 2
"""A VM that so many complete listings in a row lack is gone (contract)."""


@dataclass(frozen=True, slots=True)
class ReadingTaken:
    """Event: a reading was counted. Losses and refusals are of this reading alone."""

    account: str
    collector: str
    vm_id: str
    lost_s: float
    refused: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class FleetChanged:
    """Event: VMs came, went or changed their names (old, new)."""

    account: str
    born: tuple[str, ...]
    gone: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FoldFailed:
    """Event: a fault of ours met an answer, which is dropped. What was known of the VM stays."""

    account: str
    collector: str
    vm_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at a VM has shown, for whoever decides when to look again. `filled`: whether the last bucket, and the
    one before it, held anything. `end_at` and `width_s` are None where the provider had no data.
    """

    account: str
    vm_id: str
    collector: str
    asked_at: float
    end_at: float | None
    width_s: float | None
    filled: tuple[bool, bool]


class Intake:
    """One owned task (`run`) takes what was submitted; `failed` and `listing_failed` say that nothing will come."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        clock: Clock,
        stale_after_s: float,
        on_event: Callable[[ReadingTaken | FleetChanged | FoldFailed], None],
        on_taken: Callable[[Taken | InventoryReading], None],
    ) -> None:
        self.stale_after_s = stale_after_s
        self._ledger = ledger
        self._fleet = fleet
        self._clock = clock
        self._on_event = on_event
        self._on_taken = on_taken
        self._queue: asyncio.Queue[Reading] = asyncio.Queue(_QUEUE)
        self._records: dict[str, dict[str, VmRecord]] = {}
        self._order = Order()
        self._lateness: dict[tuple[str, str], Lateness] = {}
        self._ahead_s: defaultdict[str, float] = defaultdict(float)

    async def open_account(self, key: str) -> None:
        """Load what is remembered of an account; its readings may come from now on."""
        if key not in self._records:
            self._records[key] = {record.vm_id: record for record in await self._ledger.load(key)}

    async def submit(self, reading: Reading) -> None:
        """Hand over a reading; waits while intake is behind."""
        await self._queue.put(reading)

    async def settled(self) -> None:
        """Wait until everything submitted has been published."""
        await self._queue.join()

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
            while not self._queue.empty() and len(readings) < _STEP:
                readings.append(self._queue.get_nowait())
            try:
                await self._take(readings)
            finally:
                for _ in readings:
                    self._queue.task_done()
            await self._clock.sleep(0)

    async def _take(self, readings: Iterable[Reading]) -> None:
        statistics: list[CpuReading | TrafficReading] = []
        for reading in readings:
            self._ahead_s[reading.account] = reading.asked_at - reading.asked_seen_at
            if isinstance(reading, InventoryReading):
                await self._take_statistics(statistics)
                statistics = []
                await self._take_listing(reading)
            else:
                statistics.append(reading)
        await self._take_statistics(statistics)

    def _key(self, account: str) -> str | None:
        """What an account is remembered by; None if it went with a reload while its answer was on its way."""
        view = self._fleet.account(account)
        return view.key if view is not None and view.key in self._records else None

    async def _take_statistics(self, readings: list[CpuReading | TrafficReading]) -> None:
        changed: dict[str, dict[str, VmRecord]] = defaultdict(dict)
        counted = []
        for reading in self._order.of(readings):
            key = self._key(reading.account)
            if key is None:
                continue
            try:
                gained = self._fold(self._records[key], reading)
            except Exception as error:  # noqa: BLE001 - pure arithmetic: the other answers are none the worse for it
                self._on_event(FoldFailed(reading.account, reading.collector, reading.vm_id, error))
                continue
            if gained is not None:
                self._records[key][reading.vm_id] = changed[key][reading.vm_id] = gained.record
                counted.append((reading, gained))
        await self._commit(changed, {})
        for reading, gained in counted:
            self._publish_statistics(reading, gained)

    def _fold(self, records: Mapping[str, VmRecord], reading: CpuReading | TrafficReading) -> Gained | None:
        record = records.get(reading.vm_id)
        vm = self._fleet.vms(reading.account).get(reading.vm_id)
        if record is None or vm is None:
            return None  # The VM went while the answer was on its way.
        where, asked_ms = (reading.account, reading.collector), to_ms(reading.asked_at)
        late_ms = self._lateness.get(where, Lateness()).at_ms(asked_ms)
        created_at = vm.machine.created_at
        if isinstance(reading, CpuReading):
            gained = fold_cpu(record, reading, created_at=created_at, late_ms=late_ms)
        else:
            gained = fold_traffic(record, reading, created_at=created_at, late_ms=late_ms)
        if gained.late_ms > late_ms or where not in self._lateness:
            self._lateness[where] = Lateness(gained.late_ms, asked_ms)
        return gained

    def _publish_statistics(self, reading: CpuReading | TrafficReading, gained: Gained) -> None:
        vm = self._fleet.vms(reading.account).get(reading.vm_id)
        if vm is not None:
            record = gained.record
            has_statistics = bool(record.cpu if reading.collector == "cpu" else record.interfaces)
            outcome = outcome_after_answer(running=is_running(vm.machine.status), has_statistics=has_statistics)
            self._fleet.replace(reading.account, [self._shown(record, _with_outcome(vm, reading.collector, outcome))])
        self._on_event(
            ReadingTaken(
                reading.account,
                reading.collector,
                reading.vm_id,
                gained.lost_ms / 1000,
                reading.refused,
                reading.duplicates,
            )
        )
        self._on_taken(_taken(reading, gained))

    async def _take_listing(self, reading: InventoryReading) -> None:
        """Fold, commit and publish a listing in steps: one of 10 000 VMs would hold the loop too long."""
        key, view = self._key(reading.account), self._fleet.account(reading.account)
        if key is None or view is None:
            return
        records = self._records[key]
        changed: dict[str, VmRecord] = {}
        renamed: list[tuple[str, str]] = []
        for machines in _steps(reading.machines):
            for machine in machines:
                before = records.get(machine.vm_id)
                record = fold_machine(
                    before,
                    machine,
                    asked_at=reading.asked_at,
                    asked_seen_at=reading.asked_seen_at,
                    listed_before=view.listed,
                )
                changed[machine.vm_id] = record
                if before is not None and before.name != record.name:
                    renamed.append((before.name, record.name))
            await self._clock.sleep(0)
        changed.update(_absent(records, reading))
        gone = [vm_id for vm_id, record in changed.items() if record.absences >= _ABSENCES]
        for vm_id in gone:
            del changed[vm_id]
            del records[vm_id]
        self._order.forget(reading.account, gone)
        records.update(changed)
        await self._commit({key: changed}, {key: gone})
        await self._publish_listing(reading, key, gone, renamed)

    async def _publish_listing(
        self, reading: InventoryReading, key: str, leaving: list[str], renamed: list[tuple[str, str]]
    ) -> None:
        before, records = dict(self._fleet.vms(reading.account)), self._records[key]
        self._fleet.replace(reading.account, (), leaving)
        for machines in _steps(reading.machines):
            if self._key(reading.account) != key:
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
        self._on_event(ReadingTaken(reading.account, reading.collector, "", 0.0, 0, reading.duplicates))
        if born or gone or renamed:
            self._on_event(FleetChanged(reading.account, born, gone, tuple(renamed)))
        self._on_taken(reading)

    async def _commit(self, changed: Mapping[str, Mapping[str, VmRecord]], gone: Mapping[str, list[str]]) -> None:
        await self._ledger.commit(Batch({key: tuple(records.values()) for key, records in changed.items()}, gone))

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


def _steps(machines: tuple[Machine, ...]) -> Iterator[tuple[Machine, ...]]:
    return (machines[first : first + _STEP] for first in range(0, len(machines), _STEP))


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


def _absent(records: Mapping[str, VmRecord], reading: InventoryReading) -> dict[str, VmRecord]:
    """The VMs that are not in this listing as machines. An entry without a readable id could be any of them."""
    present = {machine.vm_id for machine in reading.machines}
    unreadable = {broken.machine_id for broken in reading.unreadable}
    if None in unreadable:
        return {}
    return {
        vm_id: replace(record, absences=0 if vm_id in unreadable else record.absences + 1)
        for vm_id, record in records.items()
        if vm_id not in present
    }


def _taken(reading: CpuReading | TrafficReading, gained: Gained) -> Taken:
    window = gained.window
    if window is None:
        return Taken(reading.account, reading.vm_id, reading.collector, reading.asked_at, None, None, (False, False))
    last, before = (bool(value) for value in (*reversed(window.values[-2:]), None, None)[:2])
    end_at, width_s = window.end_ms / 1000, window.width_ms / 1000
    return Taken(reading.account, reading.vm_id, reading.collector, reading.asked_at, end_at, width_s, (last, before))
