"""Readings are folded, committed and then published; what is known is never less than the provider has shown."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from exporter.clock import SystemClock
from exporter.collectors import CpuReading, InterfaceReading, InventoryReading, Reading, TrafficReading
from exporter.fleet import AccountView, Fleet, Machine, Outcome, Vm
from exporter.gigas import BrokenMachine
from exporter.intake import FleetChanged, FoldFailed, Intake, IntakeEvent, ReadingTaken, Taken
from exporter.ledger import Batch, MemoryLedger
from tests.builders import machine, strip
from tests.waiting import eventually

ACCOUNT = "production"


class Clock(SystemClock):
    """Wall time is what the readings say."""

    now_s = 0.0

    def wall_s(self) -> float:
        return self.now_s


@dataclass
class Taking:
    """An intake at work."""

    clock: Clock = field(default_factory=Clock)
    fleet: Fleet = field(default_factory=Fleet)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    events: list[IntakeEvent] = field(default_factory=list)
    taken: list[Taken | InventoryReading] = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.fleet.keep_accounts([AccountView(name=ACCOUNT, account_id="17893")])
        self.intake = Intake(
            ledger=self.ledger,
            fleet=self.fleet,
            clock=self.clock,
            stale_after_s=900.0,
            on_event=self.events.append,
            on_taken=self.taken.append,
        )

    async def take(self, *readings: Reading) -> None:
        for reading in readings:
            self.clock.now_s = reading.asked_seen_at
            await self.intake.submit(reading)
        await self.intake.settled()

    def vm(self, vm_id: str = "24") -> Vm:
        return self.fleet.vms(ACCOUNT)[vm_id]

    def cpu_busy(self) -> float:
        cpu = self.vm().cpu
        assert cpu is not None
        return cpu.busy_s


@asynccontextmanager
async def taking(at_work: Taking | None = None) -> AsyncIterator[Taking]:
    at_work = at_work or Taking()
    await at_work.intake.open_account(AccountView(name=ACCOUNT, account_id="17893"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(at_work.intake.run())
        yield at_work
        task.cancel()


def listing(*machines: Machine, at: float = 0.0, unreadable: tuple[str | None, ...] = ()) -> InventoryReading:
    return InventoryReading(
        account=ACCOUNT,
        machines=machines,
        unreadable=tuple(BrokenMachine(vm_id, "status: missing") for vm_id in unreadable),
        duplicates=0,
        asked_at=at,
        asked_seen_at=at,
        credential_expires_at=None,
    )


def chunks(text: str, *, at: float, width: float = 10.0, refused: int = 0, cores: int | None = None) -> CpuReading:
    values = tuple(None if word == "_" else float(word) for word in text.split())
    return CpuReading(
        account=ACCOUNT,
        vm_id="24",
        values=values,
        width_ms=round(width * 1000),
        cores=cores,
        refused=refused,
        asked_at=at,
        asked_seen_at=at,
    )


def traffic(at: int, start: int, interfaces: dict[str, str], *, of: int | None = None) -> TrafficReading:
    return TrafficReading(
        account=ACCOUNT,
        vm_id="24",
        interfaces=tuple(
            InterfaceReading(
                interface_id,
                "1",
                public=True,
                receive=strip(text, start=start, of=of, asked=at),
                transmit=strip(text, start=start, of=of, asked=at),
            )
            for interface_id, text in interfaces.items()
        ),
        width_hint_ms=None,
        refused=0,
        duplicates=0,
        asked_at=at,
        asked_seen_at=at,
    )


def no_traffic(at: int) -> TrafficReading:
    """The provider knows of none: CPU lists are placed by the clock."""
    return traffic(at, 0, {})


def received(vm: Vm) -> dict[str, float]:
    return {interface.interface_id: interface.receive_bytes for interface in vm.interfaces}


async def test_a_listing_makes_the_fleet() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), machine(vm_id="25", label="", hostname="db")))
        assert [vm.machine.name for vm in at_work.fleet.vms(ACCOUNT).values()] == ["web-1", "db"]
        view = at_work.fleet.account(ACCOUNT)
        assert view is not None
        assert (view.up, view.listed) == (True, True)
        assert at_work.events[-1] == FleetChanged(ACCOUNT, ("web-1", "db"), (), ())


async def test_a_vm_that_two_listings_in_a_row_lack_is_gone_and_one_is_not_enough() -> None:
    async with taking() as at_work:
        both, one = (machine(), machine(vm_id="25")), (machine(),)
        await at_work.take(listing(*both), listing(*one))
        assert set(at_work.fleet.vms(ACCOUNT)) == {"24", "25"}
        await at_work.take(listing(*both), listing(*one))
        assert set(at_work.fleet.vms(ACCOUNT)) == {"24", "25"}
        await at_work.take(listing(*one))
        assert set(at_work.fleet.vms(ACCOUNT)) == {"24"}


async def test_an_entry_that_cannot_be_read_removes_nobody() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), machine(vm_id="25")))
        for _ in range(3):
            await at_work.take(listing(machine(), unreadable=("25",)))
        for _ in range(3):
            await at_work.take(listing(machine(), unreadable=(None,)))
        assert set(at_work.fleet.vms(ACCOUNT)) == {"24", "25"}


async def test_a_failed_listing_changes_no_vm() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine()))
        at_work.intake.listing_failed(ACCOUNT, credential_expires_at=None)
        view = at_work.fleet.account(ACCOUNT)
        assert view is not None
        assert (view.up, view.listed) == (False, True)
        assert set(at_work.fleet.vms(ACCOUNT)) == {"24"}


async def test_a_renamed_vm_keeps_its_counters() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("1 2 3", at=31), chunks("2 3 4", at=41))
        await at_work.take(listing(machine(label="web-2"), at=50))
        assert (at_work.vm().machine.name, at_work.vm().renames, at_work.cpu_busy()) == ("web-2", 1, 4)


async def test_cpu_is_counted_over_overlapping_lists_and_the_ratio_is_of_the_newest_complete_chunk() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31))
        for text, at in (("1 2 3", 31), ("2 3 4", 41), ("2 3 4", 45), ("3 4 0", 51), ("4 5 0", 61)):
            await at_work.take(chunks(text, at=at))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.busy_s, cpu.until_at, cpu.ratio) == (9, 50, 0.5)


async def test_an_interface_that_comes_later_counts_all_of_its_own() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), traffic(31, 0, {"45": "1 2 3"}))
        await at_work.take(traffic(41, 10, {"45": "2 3 4", "46": "_ _ 7"}))
        assert received(at_work.vm()) == {"45": 4, "46": 0}
        await at_work.take(traffic(54, 20, {"45": "3 4 5", "46": "_ 7 8"}))
        assert received(at_work.vm()) == {"45": 9, "46": 15}


async def test_an_interface_that_a_full_window_lacks_is_gone_and_no_data_is_not_absence() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), traffic(31, 0, {"45": "1 2 3", "46": "1 2 3"}))
        await at_work.take(traffic(41, 10, {}), traffic(51, 20, {"45": "3 4 5"}))
        assert set(received(at_work.vm())) == {"45", "46"}
        await at_work.take(traffic(71, 40, {"45": "5 6 7"}))
        assert set(received(at_work.vm())) == {"45"}


async def test_a_vm_that_appears_and_does_not_say_when_it_was_made_counts_from_its_first_bucket() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(vm_id="25"), at=10), listing(machine(), machine(vm_id="25"), at=30))
        await at_work.take(traffic(31, 0, {"45": "_ 2 3"}))
        assert received(at_work.vm()) == {"45": 0}
        await at_work.take(traffic(44, 10, {"45": "2 3 4"}))
        assert received(at_work.vm()) == {"45": 9}


async def test_the_first_cpu_list_waits_for_the_grid_that_traffic_shows() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), chunks("1 2 3", at=36))
        assert at_work.vm().cpu is None
        await at_work.take(traffic(36, 3, {"45": "5 6 7"}))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert cpu.until_at == 33


async def test_a_cpu_list_does_not_wait_for_traffic_that_fails() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), machine(vm_id="25"), at=30), chunks("1 2 3", at=31))
        at_work.intake.failed(ACCOUNT, "24", "traffic")
        await at_work.take(listing(machine(), machine(vm_id="25"), at=40))
        await at_work.take(replace(no_traffic(41), vm_id="25"))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert cpu.until_at == 30


async def test_a_second_cpu_list_waits_no_longer() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), chunks("1 2 3", at=31), chunks("2 3 4", at=41))
        assert at_work.vm().cpu is not None


async def test_cpu_that_was_placed_by_the_clock_moves_to_the_grid_when_traffic_shows_it() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=34))
        at_work.intake.failed(ACCOUNT, "24", "traffic")
        await at_work.take(chunks("1 2 3", at=35), chunks("2 3 4", at=45))
        before = at_work.vm().cpu
        assert before is not None
        assert (before.busy_s, before.until_at) == (4, 40)
        await at_work.take(traffic(46, 13, {"45": "5 6 7"}), chunks("3 4 5", at=55))
        after = at_work.vm().cpu
        assert after is not None
        assert (after.busy_s, after.until_at, after.ratio) == (9, 53, 0.5)


async def test_a_list_that_was_first_asked_for_as_a_chunk_ended_is_put_right() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("0 1 2", at=30))
        for count in range(1, 7):
            text = " ".join(str(count + each) for each in range(3))
            await at_work.take(chunks(text, at=30 + 10 * count + 5 - 10))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.busy_s) == (80, sum(range(3, 9)))


async def test_a_list_in_whose_asking_a_chunk_ended_begins_no_series() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine()), no_traffic(35))
        await at_work.take(replace(chunks("1 2 3 4", at=39.5), took_ms=600))
        assert at_work.vm().cpu is None, "it may end at 30 or at 40"
        for at, text in ((41.0, "2 3 4 5"), (51.0, "3 4 5 6"), (61.0, "4 5 6 7")):
            await at_work.take(replace(chunks(text, at=at), took_ms=600))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.busy_s) == (60, 2 + 3 + 4 + 5 + 6 + 7)
        again = [taken.again for taken in at_work.taken if isinstance(taken, Taken)]
        assert again == [False, True, False, False, False], "who looks is told to look at it soon"


async def test_a_bucket_that_ended_while_traffic_was_asked_for_is_not_taken_for_one_that_is_running() -> None:
    async with taking() as at_work:
        seen = replace(traffic(39, 0, {"45": "1 2 3 4"}), took_ms=1_500)
        await at_work.take(listing(machine()), seen)
        for at, text in ((41.0, "1 2 3 4"), (51.0, "2 3 4 5"), (61.0, "3 4 5 6")):
            await at_work.take(chunks(text, at=at))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.ratio) == (60, 0.6)


async def test_where_answers_take_as_long_as_a_chunk_cpu_is_counted_all_the_same() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine()), no_traffic(35))
        await at_work.take(replace(chunks("1 2 3 4", at=39.5), took_ms=10_000))
        assert at_work.vm().cpu is not None


async def test_a_fault_of_ours_that_one_answer_meets_costs_that_answer() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31))
        await at_work.take(replace(chunks("1 2 3", at=31), width_ms=0), traffic(31, 0, {"45": "1 2 3"}))
        assert received(at_work.vm()) == {"45": 0}
        assert [type(event.error) for event in at_work.events if isinstance(event, FoldFailed)] == [ZeroDivisionError]


async def test_zeros_behind_filled_buckets_are_not_believed_before_a_series_was_watched_for_a_while() -> None:
    """The first answer cannot tell idleness from buckets that are published late."""
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=60), traffic(61, 0, {"45": "1 2 3 0 0 0"}))
        assert [interface.until_at for interface in at_work.vm().interfaces] == [30]
        await at_work.take(traffic(71, 10, {"45": "2 3 4 0 0 0"}))
        assert [interface.until_at for interface in at_work.vm().interfaces] == [40]
        await at_work.take(traffic(81, 20, {"45": "3 4 5 0 0 0"}))
        assert [interface.until_at for interface in at_work.vm().interfaces] == [50]
        await at_work.take(traffic(101, 40, {"45": "5 0 0 0 0 0"}))
        assert [interface.until_at for interface in at_work.vm().interfaces] == [60]
        assert received(at_work.vm()) == {"45": 9}


async def test_of_a_vm_that_was_stopped_the_oldest_buckets_are_no_wider_ones() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=40), traffic(41, 0, {"45": "1 2 3 4"}, of=40))
        await at_work.take(traffic(51, 10, {"45": "2 3 4 5"}, of=40))
        for at, start, left in ((61, 20, "3 4 5"), (71, 30, "4 5"), (81, 40, "5"), (91, 50, "_")):
            await at_work.take(traffic(at, start, {"45": left}, of=40))
            assert received(at_work.vm()) == {"45": 5}
        await at_work.take(traffic(121, 80, {"45": "_ _ _ 6"}, of=40))
        assert received(at_work.vm()) == {"45": 11}


async def test_an_interface_whose_first_answer_was_empty_counts_nothing_of_before_the_vm_was_known() -> None:
    async with taking() as at_work:
        await at_work.take(
            listing(machine(created_at=-10_000.0), at=30), traffic(31, 0, {"45": "1 2 3", "46": "_ _ _"})
        )
        await at_work.take(traffic(41, 10, {"45": "2 3 4", "46": "7 8 9"}))
        await at_work.take(traffic(54, 20, {"45": "3 4 5", "46": "8 9 6"}))
        assert received(at_work.vm()) == {"45": 9, "46": 15}


async def test_a_vm_that_seems_to_be_made_in_time_to_come_counts_as_one_that_does_not_say() -> None:
    async with taking() as at_work:
        young = machine(created_at=7_230.0)  # an hour of another zone
        await at_work.take(listing(machine(vm_id="25"), at=10), listing(young, machine(vm_id="25"), at=30))
        await at_work.take(traffic(31, 0, {"45": "_ 2 3"}), traffic(44, 10, {"45": "2 3 4"}))
        assert received(at_work.vm()) == {"45": 9}


async def test_a_vm_that_was_started_again_does_not_show_what_it_did_before() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("1 2 3", at=31))
        await at_work.take(listing(machine(status="offline"), at=32), listing(machine(), at=35))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.ratio) == (30, None)
        await at_work.take(chunks("2 3 4", at=41))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.ratio) == (40, 0.4)


async def test_cores_that_come_and_go_change_nothing_that_was_counted() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("4 8 12", at=31, cores=4))
        await at_work.take(chunks("8 12 16", at=41, cores=4))
        assert at_work.cpu_busy() == 4
        await at_work.take(chunks("12 16 6", at=51, cores=2))
        assert at_work.cpu_busy() == 4 + 3
        await at_work.take(chunks("16 6 8", at=61, cores=8))
        assert at_work.cpu_busy() == 4 + 3 + 1


async def test_a_list_that_does_not_move_on_is_no_news() -> None:
    """A cache may show the same for an hour."""
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=60), no_traffic(61), chunks("1 2 3 4 5 6", at=61))
        for at in range(71, 191, 10):
            await at_work.take(chunks("1 2 3 4 5 6", at=at))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.busy_s) == (60, 0)


async def test_a_clock_that_jumps_does_not_move_chunks_that_are_known() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=60), no_traffic(61), chunks("1 2 3 4 5 6", at=61))
        await at_work.take(chunks("2 3 4 5 6 7", at=7_271), chunks("3 4 5 6 7 8", at=81))
        cpu = at_work.vm().cpu
        assert cpu is not None
        assert (cpu.until_at, cpu.busy_s) == (80, 15)


async def test_an_hour_in_which_the_provider_was_late_is_not_held_against_it_for_ever() -> None:
    async with taking() as at_work:
        idle = machine(vm_id="25")
        await at_work.take(listing(machine(), idle, at=60), replace(traffic(61, 0, {"45": "0 0 0 0 0 0"}), vm_id="25"))
        await at_work.take(traffic(61, 0, {"45": "1 2 0 0 0 0"}), traffic(65, 0, {"45": "1 2 3 4 5 0"}))
        for at, until in ((101, 50), (2_001, 50), (2_071, 2_050)):  # For a while a gap is waited for.
            await at_work.take(replace(traffic(at, at - 61, {"45": "0 0 0 0 0 0"}), vm_id="25"))
            assert [interface.until_at for interface in at_work.vm("25").interfaces] == [until], at


async def test_an_entry_that_cannot_be_read_is_not_absent() -> None:
    async with taking() as at_work:
        other = machine(vm_id="25")
        await at_work.take(
            listing(machine(), other), listing(other), listing(other, unreadable=("24",)), listing(other)
        )
        assert "24" in at_work.fleet.vms(ACCOUNT)
        await at_work.take(listing(other))
        assert "24" not in at_work.fleet.vms(ACCOUNT)


async def test_a_vm_without_data_has_no_statistics() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine()), no_traffic(31), chunks("", at=31))
        vm = at_work.vm()
        assert (vm.cpu, vm.interfaces, vm.cpu_outcome, vm.traffic_outcome) == (
            None,
            (),
            Outcome.WAITING,
            Outcome.WAITING,
        )


async def test_a_vm_that_is_off_shows_no_ratio_and_is_idle() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("1 2 3", at=31), chunks("2 3 4", at=41))
        await at_work.take(listing(machine(status="offline"), at=42))
        vm = at_work.vm()
        assert vm.cpu is not None
        assert (vm.cpu.ratio, vm.cpu.busy_s, vm.cpu_outcome) == (None, 4, Outcome.IDLE)


async def test_a_look_that_failed_leaves_what_was_known() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=30), no_traffic(31), chunks("1 2 3", at=31), chunks("2 3 4", at=41))
        at_work.intake.failed(ACCOUNT, "24", "cpu")
        assert (at_work.cpu_busy(), at_work.vm().cpu_outcome) == (4, Outcome.FAILING)


async def test_nothing_is_published_before_it_is_committed() -> None:
    async with taking() as at_work:
        seen: list[int] = []

        class Watching(MemoryLedger):
            async def commit(self, batch: Batch) -> None:
                seen.append(len(at_work.fleet.vms(ACCOUNT)))
                await super().commit(batch)

        at_work.intake._books._ledger = Watching()
        await at_work.take(listing(machine()))
        assert seen[0] == 0


async def test_an_answer_that_comes_after_its_account_went_is_dropped() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine()))
        at_work.fleet.keep_accounts([])
        await at_work.take(listing(machine()), no_traffic(31), chunks("1 2 3", at=31))
        assert not at_work.fleet.vms(ACCOUNT)


async def test_refused_values_and_lost_time_are_told() -> None:
    async with taking() as at_work:
        await at_work.take(
            listing(machine(), at=0), no_traffic(31), chunks("1 2 3", at=31), chunks("7 8 9", at=131, refused=2)
        )
        assert at_work.events[-1] == ReadingTaken(account=ACCOUNT, collector="cpu", vm_id="24", buckets=3, refused=2)


async def test_each_bucket_that_is_counted_is_told_once_for_each_vm() -> None:
    def told(at_work: Taking, collector: str) -> list[int]:
        taken = [event for event in at_work.events if isinstance(event, ReadingTaken)]
        return [event.buckets for event in taken if event.collector == collector]

    async with taking() as at_work:
        await at_work.take(listing(machine(), at=0))
        for at, start, text in ((61, 0, "1 2 3 4 5 6"), (62, 0, "1 2 3 4 5 6"), (74, 10, "2 3 4 5 6 7")):
            await at_work.take(traffic(at, start, {"45": text, "46": text}, of=60), chunks(text, at=at))
        await at_work.take(traffic(85, 20, {"45": "3 4 5 6 7 0"}, of=60), chunks("3 4 5 6 7 0", at=85))
        await at_work.take(traffic(95, 30, {"45": "4 5 6 7 8 9"}, of=60))
        # What is known since 0 counts from the second bucket on, when its 0 has been shown for a width.
        assert told(at_work, "cpu") == [0, 0, 6, 0]
        assert told(at_work, "traffic") == [0, 0, 6, 0, 2]


async def test_a_look_tells_for_how_many_buckets_the_window_has_room() -> None:
    async with taking() as at_work:
        await at_work.take(listing(machine(), at=0))
        await at_work.take(traffic(41, 0, {"45": "1 2 3"}, of=40), chunks("1 2 3 4 5", at=51), no_traffic(52))
        rooms = [taken.buckets for taken in at_work.taken if isinstance(taken, Taken)]
        assert rooms == [4, 5, 0]


class Pacing(Clock):
    """Time goes on while somebody sleeps, and by nothing else. `to_come`: submitted after two seconds of it."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s = 0.0
        self.to_come: list[Coroutine[Any, Any, None]] = []

    def monotonic_s(self) -> float:
        return self.slept_s

    async def sleep(self, delay_s: float) -> None:
        self.slept_s += delay_s
        await super().sleep(0)
        while self.slept_s >= 2 and self.to_come:
            await self.to_come.pop()


class CountingLedger(MemoryLedger):
    commits = 0

    async def commit(self, batch: Batch) -> None:
        self.commits += 1
        await super().commit(batch)


async def test_more_answers_are_waited_for_unless_somebody_waits_for_those_that_came() -> None:
    clock, ledger = Pacing(), CountingLedger()
    async with taking(Taking(clock=clock, ledger=ledger)) as at_work:
        await at_work.take(listing(machine()), no_traffic(910), chunks("1 2 3", at=910, width=300.0))
        taken, ledger.commits, clock.slept_s = len(at_work.taken), 0, 0.0
        clock.to_come.append(at_work.intake.submit(no_traffic(1_212)))
        await at_work.intake.submit(chunks("2 3 4", at=1_210, width=300.0))

        async def both_are_taken() -> bool:
            return len(at_work.taken) == taken + 2

        await eventually(both_are_taken)
        assert ledger.commits == 1
        assert clock.slept_s == pytest.approx(3.0)
        clock.slept_s = 0.0
        await at_work.take(chunks("3 4 5", at=1_510, width=300.0))
        assert clock.slept_s < 0.5
