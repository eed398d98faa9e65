"""What the shortest windows did not show is counted from longer periods, or is told to be lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from msgspec.structs import replace

from exporter.clock import SystemClock
from exporter.collectors import SHORTEST, CpuReading, InventoryReading, Reading, TrafficReading
from exporter.counting import Ask, Bucket, Grid, Series, leave, packed
from exporter.counting.horizon import is_told
from exporter.fleet import AccountView, Fleet
from exporter.intake import CommitFailed, Committed, Intake, IntakeEvent, ReadingTaken, Taken
from exporter.intake.arrears import owed_ms, reckon, repay_cpu, repay_traffic
from exporter.intake.folding import fold_cpu, fold_machine, fold_traffic
from exporter.ledger import VmRecord
from tests.builders import machine
from tests.unit.intake.readings import (
    ACCOUNT,
    RecordingLedger,
    chunks,
    disk_full,
    listing,
    longer_chunks,
    longer_traffic,
    traffic,
)

VIEW = AccountView(name=ACCOUNT, account_id="17893")
OLD = machine(created_at=-1e6)
DAY, MONTH, YEAR = (Grid(width, 0, 100) for width in (60_000, 240_000, 960_000))
GRIDS = {"-1day": DAY, "-1M": MONTH, "-1Y": YEAR}


@dataclass
class Counted:
    """One VM, known since 60, and what became of its answers."""

    grids: dict[str, Grid]
    record: VmRecord = field(init=False)
    ask: Ask | None = None
    lost_s: list[float] = field(default_factory=list)
    paid_s: list[float] = field(default_factory=list)
    estimated_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.list(at=60, running=True, before=None)

    def list(self, *, at: float, running: bool, before: VmRecord | None) -> None:
        shown = OLD if running else replace(OLD, status="offline")
        self.record = fold_machine(before, shown, asked_at=at, asked_seen_at=at, listed_before=False)

    def take(self, *readings: TrafficReading | CpuReading) -> None:
        for reading in readings:
            if reading.period == SHORTEST:
                self.record = self._folded(reading)
            else:
                self._repay(reading)
            now_ms = round(reading.asked_at * 1000)
            reckoned = reckon(self.record, reading.collector, grids=self.grids, now_ms=now_ms)
            self.record, self.ask = reckoned.record, reckoned.ask
            self.lost_s += [reckoned.lost_ms / 1000] if reckoned.lost_ms else []

    def _folded(self, reading: TrafficReading | CpuReading) -> VmRecord:
        if isinstance(reading, CpuReading):
            return fold_cpu(self.record, reading, created_at=OLD.created_at, grids=self.grids, late_ms=0).record
        return fold_traffic(self.record, reading, created_at=OLD.created_at, grids=self.grids, late_ms=0).record

    def _repay(self, reading: TrafficReading | CpuReading) -> None:
        if isinstance(reading, CpuReading):
            repayment = repay_cpu(self.record, reading, grids=self.grids, late_ms=0)
        else:
            repayment = repay_traffic(self.record, reading, grids=self.grids, late_ms=0)
        self.record = repayment.record
        self.paid_s.append(repayment.paid_ms / 1000)
        self.estimated_s.append(repayment.estimated_ms / 1000)

    def received(self) -> dict[str, float]:
        return {name: leave(each.receive.true) for name, each in self.record.interfaces.items()}

    def busy(self) -> Series:
        assert self.record.cpu is not None
        return self.record.cpu.series


def shown(start: int, buckets: int = 6) -> str:
    """What really is: 1 in the first bucket of each minute, 6 in the last."""
    return " ".join(str(1 + (start // 10 + number) % 6) for number in range(buckets))


MINUTE = 21
"""So much is in each of the longer buckets."""


def look(at: int, *interfaces: str) -> TrafficReading:
    start = at // 10 * 10 - 60
    return traffic(at, start, **dict.fromkeys(interfaces or ("eth45",), shown(start)))


def away(*interfaces: str) -> Counted:
    """From 121 to 361 nobody has looked. What was counted then is of 60 to 120."""
    counted = Counted(GRIDS)
    counted.take(*(look(at, *interfaces) for at in (61, 81, 101, 121, 361)))
    return counted


def test_what_nobody_has_looked_at_is_owed_and_the_finest_period_is_asked_for_it_at_once() -> None:
    counted = away()
    assert counted.ask == Ask("-1day", 361_000)
    assert owed_ms(counted.record.interfaces["45"]) == 220_000


def test_a_longer_period_pays_for_the_gap_and_settles_what_was_seen_too_early() -> None:
    counted = away()
    counted.take(longer_traffic(362, 0, eth45="21 21 21 21 21"))
    assert (counted.paid_s, counted.estimated_s, counted.lost_s, counted.ask) == ([180], [0], [], None)
    assert counted.received() == {"45": 5 * MINUTE}
    counted.take(longer_traffic(363, 0, eth45="21 21 21 21 21"), look(371))
    assert counted.received() == {"45": 5 * MINUTE + 1}


def test_a_series_that_begins_idle_begins_where_buckets_change_no_more_and_owes_nothing_at_the_next_look() -> None:
    """Else the zero behind the last filled bucket would leave the window before it is believed."""
    counted = Counted(GRIDS)
    counted.take(traffic(61, 0, eth45="7 0 0 0 0 0"), traffic(81, 20, eth45="0 0 0 0 0 0"))
    assert counted.ask is None
    counted.take(longer_traffic(82, 0, eth45="7"), traffic(91, 30, eth45="0 0 0 0 0 5"))
    assert (counted.received(), counted.estimated_s, counted.lost_s) == ({"45": 5}, [0], [])


def test_a_series_that_began_in_the_longer_bucket_gets_its_share_and_that_is_told_as_an_estimate() -> None:
    counted = Counted(GRIDS)
    counted.list(at=80, running=True, before=None)
    counted.take(*map(look, (81, 91, 101, 361)), longer_traffic(362, 0, eth45="21 21 21 21 21"))
    assert (counted.paid_s, counted.estimated_s, counted.lost_s) == ([200], [20], [])
    assert counted.received() == {"45": MINUTE * 40 / 60 + 4 * MINUTE}


def test_an_interface_that_a_longer_answer_lacks_is_not_asked_for_there_again_and_others_are_paid() -> None:
    counted = away("eth45", "eth46")
    counted.take(longer_traffic(362, 0, eth46="21 21 21 21 21"))
    assert counted.received() == {"45": MINUTE, "46": 5 * MINUTE}
    assert counted.ask == Ask("-1day", 362_000)  # Once may be a bad moment.
    counted.take(longer_traffic(363, 0, eth46="21 21 21 21 21"))
    assert counted.ask == Ask("-1M", 363_000)
    assert counted.lost_s == []


def test_what_no_period_has_is_lost_once_and_said_in_seconds_of_the_vm() -> None:
    counted = away("eth45", "eth46")
    for due, at, period in ((361, 362, "-1day"), (362, 363, "-1M"), (960 + 40 + 10, 1_011, "-1Y")):
        assert counted.ask == Ask(period, due * 1000)
        counted.take(longer_traffic(at, 0, period=period), longer_traffic(at, 0, period=period))
    assert (counted.lost_s, counted.ask) == ([180], None)
    assert counted.received() == {"45": 2 * MINUTE, "46": 2 * MINUTE}
    assert all(interface.denied == () for interface in counted.record.interfaces.values())
    counted.take(longer_traffic(1_012, 0))
    assert counted.lost_s == [180]


def test_what_contradicts_the_window_pays_nothing() -> None:
    counted = away()
    counted.take(longer_traffic(362, 0, eth45="21 2 21 21 21"))
    assert counted.ask == Ask("-1M", 362_000)
    assert owed_ms(counted.record.interfaces["45"]) == 220_000


def busy_in(first: int, end: int) -> float:
    """What a machine really was busy between two instants: no two chunks are alike, by which lists are placed."""
    return sum(number / 8 for number in range(first // 10, end // 10))


def list_at(at: int) -> CpuReading:
    end = at // 10 * 10
    return chunks(at, " ".join(str(busy_in(start, start + 10)) for start in range(end - 60, end, 10)))


def days_at(at: int, **other: float) -> CpuReading:
    """Longer chunks of 60 until then; `other`: what one that begins at that instant says instead, as `at_120=…`."""
    begins = range(at // 60 * 60 - 360, at // 60 * 60, 60)
    return longer_chunks(at, " ".join(str(other.get(f"at_{begin}", busy_in(begin, begin + 60))) for begin in begins))


def away_cpu(*, started: int | None = None) -> Counted:
    """The same of CPU. `started`: the machine was seen to be off from 125 until 5 before that, and to run then."""
    counted = Counted({"-30days": DAY})
    counted.take(*map(list_at, (61, 81, 101, 121)))
    if started is not None:
        for at in (125, started - 5):
            counted.list(at=at, running=False, before=counted.record)
        counted.list(at=started, running=True, before=counted.record)
    counted.take(list_at(361))
    return counted


def owed_ms_of_cpu(counted: Counted) -> int:
    assert counted.record.cpu is not None
    return owed_ms(counted.record.cpu)


def test_cpu_that_nobody_has_seen_is_made_good_from_longer_chunks() -> None:
    counted = away_cpu()
    assert counted.ask == Ask("-30days", 361_000)
    counted.take(days_at(362))
    assert (counted.paid_s, counted.lost_s, owed_ms_of_cpu(counted)) == ([180], [], 0)
    assert leave(counted.busy().true) == busy_in(60, 360)


def test_a_longer_chunk_in_which_the_machine_did_not_run_all_the_time_pays_nothing() -> None:
    counted = away_cpu(started=150)
    counted.take(days_at(362))
    assert counted.paid_s == [120]
    assert counted.lost_s == [60 - 20]
    assert leave(counted.busy().true) == busy_in(60, 120) + busy_in(180, 360)


def test_a_machine_cannot_have_been_busier_than_all_the_time() -> None:
    counted = away_cpu()
    counted.take(days_at(362, at_120=60.0, at_180=60.5))
    assert (counted.paid_s, counted.lost_s) == ([120], [60])
    assert leave(counted.busy().true) == busy_in(60, 120) + 60 + busy_in(240, 360)


def test_a_longer_chunk_corrects_no_chunk_that_was_told() -> None:
    counted = away_cpu()
    counted.take(days_at(362, at_60=50.0))
    assert leave(counted.busy().true) == busy_in(60, 360)


def test_a_longer_list_that_is_of_one_core_is_taken_for_the_whole_machine() -> None:
    counted, days = away_cpu(), days_at(362)
    fourfold = tuple(None if value is None else 4 * value for value in days.values)
    counted.take(replace(days, values=fourfold, cores=4))
    assert leave(counted.busy().true) == busy_in(60, 360)


@pytest.mark.parametrize(
    "reading",
    [longer_traffic(362, 0, eth45="21 21 21 21 21"), longer_chunks(362, "21 21 21 21 21 21"), longer_traffic(362, 0)],
)
def test_a_longer_answer_about_a_vm_of_which_nothing_is_counted_changes_nothing(
    reading: TrafficReading | CpuReading,
) -> None:
    counted = Counted(GRIDS)
    before = counted.record
    counted.take(reading)
    assert (counted.record, counted.ask, counted.paid_s) == (before, None, [0])


def test_what_waits_for_a_period_that_never_answers_is_bounded_and_the_oldest_is_given_up() -> None:
    counted = Counted({})
    counted.take(look(61))
    account = counted.record.interfaces["45"]
    many = [Bucket(start, start + 10, 1, start if start % 20 else 10**9) for start in range(60_000, 80_000, 10)]
    waiting = replace(
        account.receive, horizon=packed(many), settled_ms=60_000, left_ms=80_000, complete_ms=80_000, newest_ms=60_000
    )
    counted.record = replace(counted.record, interfaces={"45": replace(account, receive=waiting, transmit=waiting)})
    assert owed_ms(counted.record.interfaces["45"]) == 20_000
    reckoned = reckon(counted.record, "traffic", grids={}, now_ms=90_000)
    kept = reckoned.record.interfaces["45"].receive
    assert len(kept.buckets()) <= 1_000
    assert reckoned.lost_ms == 500 * 10
    assert reckoned.ask == Ask("-1day", 90_000)


_Event = TypeVar("_Event", bound=IntakeEvent)


@dataclass
class Taking:
    """An intake at work, with a clock that says what the answers say."""

    ledger: RecordingLedger
    fleet: Fleet = field(default_factory=Fleet)
    events: list[IntakeEvent] = field(default_factory=list)
    taken: list[Taken | InventoryReading] = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.fleet.keep_accounts([VIEW])
        self.intake = Intake(
            ledger=self.ledger,
            fleet=self.fleet,
            clock=SystemClock(),
            stale_after_s=1e12,
            on_event=self.events.append,
            on_taken=self.taken.append,
        )

    async def take(self, *readings: Reading) -> None:
        for reading in readings:
            await self.intake.submit(reading)
            await self.intake.settled()

    def owes(self) -> list[tuple[str, tuple[str, float] | None]]:
        """Of each answer, which VM it was about and what that is to be asked for next."""
        return [(each.vm_id, each.owes) for each in self.taken if isinstance(each, Taken)]

    def received(self) -> float:
        """What is shown of the only interface of VM 24."""
        (interface,) = self.fleet.vms(ACCOUNT)["24"].interfaces
        return interface.receive_bytes

    def told(self, kind: type[_Event]) -> list[_Event]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def taking(ledger: RecordingLedger | None = None) -> AsyncIterator[Taking]:
    at_work = Taking(ledger or RecordingLedger())
    await at_work.intake.open_account(VIEW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(at_work.intake.run())
        try:
            yield at_work
        finally:
            task.cancel()


def fleet_of(vms: int) -> InventoryReading:
    return listing(*(replace(OLD, vm_id=str(24 + number)) for number in range(vms)), at=60)


async def test_one_vm_of_the_account_is_asked_for_each_longer_period_that_is_not_known_yet() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(5), *(replace(look(61), vm_id=str(24 + number)) for number in range(5)))
        periods = ["-1day", "-1M", "-1Y", None, None]
        expected = [(str(24 + number), period and (period, 61.0)) for number, period in enumerate(periods)]
        assert at_work.owes() == expected
        assert not any(each.is_owed for each in at_work.taken if isinstance(each, Taken))


async def test_a_period_that_has_not_shown_itself_is_asked_for_again_after_some_widths() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), look(61), look(61), look(111), look(121), look(121))
        assert [owes and owes[0] for _, owes in at_work.owes()] == ["-1day", "-1M", "-1Y", None, "-1day", "-1M"]


async def test_what_a_longer_answer_shows_of_its_period_is_remembered_and_nobody_is_asked_for_it_again() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), longer_traffic(62, 0, eth45="21"), *map(look, (121, 121, 121)))
        assert [owes and owes[0] for _, owes in at_work.owes()] == ["-1day", None, "-1M", "-1Y", None]
        remembered = await at_work.ledger.load(VIEW.key)
        assert remembered.account.grids["traffic"] == {"-1day": Grid(60_000, 60_000, 1)}


async def test_a_longer_answer_is_no_news_of_the_shortest_window() -> None:
    """Who learns from it when buckets are published would look at the wrong time."""
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), longer_traffic(62, 0, eth45="21"))
        before, after = (each for each in at_work.taken if isinstance(each, Taken))
        assert (before.period, before.end_at, before.width_s, before.filled) == ("-1H", 60, 10, (True, True))
        assert (after.period, after.end_at, after.width_s, after.filled) == ("-1day", None, None, (False, False))


async def test_an_absence_is_caught_up_and_what_of_it_was_paid_is_told() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), longer_traffic(62, -540, eth45="21 " * 10))
        await at_work.take(*map(look, (81, 101, 121, 361)))
        last = at_work.taken[-1]
        assert isinstance(last, Taken)
        assert (at_work.received(), last.owes, last.is_owed) == (21, ("-1day", 361), True)
        await at_work.take(longer_traffic(362, 0, eth45="21 21 21 21 21"))
        assert at_work.received() == 5 * MINUTE
        (told,) = (event for event in at_work.told(ReadingTaken) if event.caught_up_s)
        assert told == ReadingTaken(account=ACCOUNT, collector="traffic", vm_id="24", caught_up_s=180)


async def test_what_is_lost_is_told_with_the_answer_that_left_no_hope() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61))
        await at_work.take(*(longer_traffic(62, 0, period=period, eth45="21") for period in ("-1day", "-1M", "-1Y")))
        await at_work.take(*map(look, (81, 101, 121, 361)))
        for period in ("-1day", "-1M", "-1Y"):
            await at_work.take(longer_traffic(362, 0, period=period), longer_traffic(362, 0, period=period))
        assert [event.lost_s for event in at_work.told(ReadingTaken) if event.lost_s] == [180]


async def test_what_was_caught_up_is_shown_when_it_is_committed_and_not_before() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), longer_traffic(62, -540, eth45="21 " * 10))
        await at_work.take(*map(look, (81, 101, 121, 361)))
        shown: list[float] = []

        async def look_at_the_page() -> None:
            shown.append(at_work.received())

        at_work.ledger.before = look_at_the_page
        await at_work.take(longer_traffic(362, 0, eth45="21 21 21 21 21"))
        assert (shown, at_work.received()) == ([21], 5 * MINUTE)


async def test_what_cannot_be_committed_is_shown_all_the_same_and_handed_over_again_with_what_comes_next() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(2), look(61), look(81))
        at_work.ledger.before = disk_full
        await at_work.take(look(91), replace(look(91), vm_id="25"))
        assert at_work.received() == 1 + 2 + 3
        cause = "/x/ledger.db: cannot be written: disk full"
        assert at_work.told(CommitFailed) == [CommitFailed(cause, vms=1), CommitFailed(cause, vms=2)]
        at_work.ledger.before = None
        await at_work.take(replace(look(101), vm_id="25"))
        assert {record.vm_id for record in at_work.ledger.batches[-1].changed[VIEW.key]} == {"24", "25"}
        assert at_work.told(Committed)[-1].vms == 2


async def test_what_was_not_committed_before_a_crash_is_counted_again_from_the_windows() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(1), look(61), look(81))
        at_work.ledger.before = disk_full
        await at_work.take(look(91), look(101))
        remembered, at_work.ledger.before = at_work.ledger, None
    async with taking(remembered) as again:
        assert again.received() == 1 + 2
        await again.take(look(111))
        assert again.received() == 1 + 2 + 3 + 4 + 5


async def test_flush_hands_over_what_could_not_be_written_and_only_that() -> None:
    async with taking() as at_work:
        await at_work.take(fleet_of(2), look(61))
        commits = len(at_work.ledger.batches)
        await at_work.intake.flush()
        assert len(at_work.ledger.batches) == commits
        at_work.ledger.before = disk_full
        await at_work.take(look(71))
        at_work.ledger.before = None
        await at_work.intake.flush()
        assert [record.vm_id for record in at_work.ledger.batches[-1].changed[VIEW.key]] == ["24"]
        commits = len(at_work.ledger.batches)
        await at_work.intake.flush()
        assert len(at_work.ledger.batches) == commits


def test_a_gap_in_which_the_machine_turns_out_to_have_been_off_is_owed_no_more() -> None:
    """After a start, answers may come before the listing."""
    counted = Counted(GRIDS)
    counted.take(*map(look, (61, 81, 101)))
    counted.list(at=102, running=False, before=counted.record)
    counted.take(look(361))
    assert max(gap_ends(counted)) > 102_000
    counted.list(at=362, running=False, before=counted.record)
    counted.take(look(363))
    assert max(gap_ends(counted), default=0) <= 102_000
    assert counted.lost_s == []


def gap_ends(counted: Counted) -> list[int]:
    return [bucket.end_ms for bucket in counted.record.interfaces["45"].receive.buckets() if not is_told(bucket)]
