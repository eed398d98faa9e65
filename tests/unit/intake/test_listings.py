"""What a listing changes: of 10 000 VMs that are listed every minute, nearly all are as they were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from exporter.clock import SystemClock
from exporter.collectors import Reading
from exporter.fleet import AccountView, Change, Fleet, Vm
from exporter.intake import Intake, IntakeEvent, LockEnded
from tests.builders import machine
from tests.unit.intake.readings import ACCOUNT, RecordingLedger, chunks, listing

VIEW = AccountView(name=ACCOUNT, account_id="17893")


class Clock(SystemClock):
    now_s = 0.0

    def wall_s(self) -> float:
        return self.now_s


@dataclass
class Listed:
    """An intake at work, what it remembers and whom it tells of changes."""

    clock: Clock = field(default_factory=Clock)
    fleet: Fleet = field(default_factory=Fleet)
    ledger: RecordingLedger = field(default_factory=RecordingLedger)
    changes: list[Change] = field(default_factory=list)
    events: list[IntakeEvent] = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.fleet.keep_accounts([VIEW])
        self.fleet.subscribe(self.changes.append)
        self.intake = Intake(
            ledger=self.ledger,
            fleet=self.fleet,
            clock=self.clock,
            stale_after_s=900.0,
            on_event=self.events.append,
            on_taken=lambda _: None,
        )

    async def take(self, reading: Reading) -> None:
        self.clock.now_s = reading.asked_seen_at
        await self.intake.submit(reading)
        await self.intake.settled()

    def vm(self, vm_id: str) -> Vm:
        return self.fleet.vms(ACCOUNT)[vm_id]

    def written(self) -> set[str]:
        """The VMs of which the last commit wrote something."""
        last = self.ledger.batches[-1]
        records = [record.vm_id for records in last.changed.values() for record in records]
        return {*records, *(vm_id for listed in last.listed.values() for vm_id in listed)}

    def shown_anew(self) -> set[str]:
        """The VMs that subscribers were told of since the last time."""
        told = set().union(*(change.vm_ids for change in self.changes))
        self.changes.clear()
        return told


@asynccontextmanager
async def listed() -> AsyncIterator[Listed]:
    at_work = Listed()
    await at_work.intake.open_account(VIEW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(at_work.intake.run())
        await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2"), at=100))
        assert at_work.written() == at_work.shown_anew() == {"1", "2"}
        yield at_work
        task.cancel()


async def test_a_listing_that_tells_nothing_new_writes_and_shows_nothing() -> None:
    async with listed() as at_work:
        before = at_work.vm("1")
        await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2"), at=160))
        assert at_work.written() == at_work.shown_anew() == set()
        assert at_work.vm("1") is before


async def test_of_a_listing_only_what_changed_is_written_and_shown() -> None:
    async with listed() as at_work:
        await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2", cpus=8), at=160))
        assert at_work.written() == at_work.shown_anew() == {"2"}
        assert at_work.vm("2").machine.cpus == 8


async def test_a_lock_lasts_from_listing_to_listing_and_what_is_not_locked_does_not_change() -> None:
    async with listed() as at_work:
        for at, lasted_s in ((160, 0), (220, 60), (280, 120)):
            await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2", locked=True), at=at))
            assert at_work.written() == {"2"}
            assert at_work.vm("2").lock.lasted_s == lasted_s


async def test_of_a_lock_that_was_seen_to_begin_it_is_told_how_long_it_lasted() -> None:
    async with listed() as at_work:
        for at, locked in ((160, True), (220, True), (280, False), (340, False), (400, True), (460, False)):
            await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2", locked=locked), at=at))
        ended = [event for event in at_work.events if isinstance(event, LockEnded)]
        assert ended == [LockEnded(ACCOUNT, "2", 120.0), LockEnded(ACCOUNT, "2", 60.0)]


async def test_of_a_lock_that_was_there_at_first_sight_nobody_knows_how_long_it_lasted() -> None:
    async with listed() as at_work:
        for at, locked in ((160, True), (220, False)):
            await at_work.take(
                listing(machine(vm_id="1"), machine(vm_id="2"), machine(vm_id="3", locked=locked), at=at)
            )
        assert not [event for event in at_work.events if isinstance(event, LockEnded)]


async def test_a_vm_that_a_listing_lacked_once_is_as_before_when_it_is_back() -> None:
    async with listed() as at_work:
        for at, machines in ((160, "1"), (220, "12"), (280, "1"), (340, "12")):
            await at_work.take(listing(*(machine(vm_id=vm_id) for vm_id in machines), at=at))
            assert set(at_work.fleet.vms(ACCOUNT)) == {"1", "2"}, "two in a row must lack it"


async def test_another_stale_after_applies_to_vms_that_did_not_change() -> None:
    async with listed() as at_work:
        for at in (110, 120, 130):
            await at_work.take(chunks(at, "1 2 3 4", vm_id="1"))
        assert at_work.vm("1").cpu is not None
        before = at_work.vm("1").ages_at
        at_work.intake.stale_after_s = 1_000.0
        await at_work.take(listing(machine(vm_id="1"), machine(vm_id="2"), at=160))
        assert at_work.vm("1").ages_at == before + 100


async def test_every_change_of_status_counts_and_none_at_first_sight() -> None:
    async with listed() as at_work:
        assert at_work.vm("1").status_changes == 0
        for at, status, changes in ((160, "offline", 1), (220, "offline", 1), (280, "online", 2), (340, "recovery", 3)):
            await at_work.take(listing(machine(vm_id="1", status=status), machine(vm_id="2"), at=at))
            assert at_work.vm("1").status_changes == changes
        assert at_work.vm("2").status_changes == 0
