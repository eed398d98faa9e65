"""What is not in the ledger yet is handed over, once, and again where that failed."""

import asyncio
from dataclasses import dataclass, field

import pytest

from exporter.clock import SystemClock
from exporter.counting import Grid, Spell
from exporter.intake import CommitFailed, Committed
from exporter.intake.books import Book, Books
from exporter.ledger import AccountRecord, Batch, VmRecord
from tests.builders import machine
from tests.unit.intake.readings import RecordingLedger, disk_full

KEY = "17893/production"


class Clock(SystemClock):
    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


@dataclass
class Kept:
    """Books over a ledger, with the only account's one open."""

    ledger: RecordingLedger = field(default_factory=RecordingLedger)
    events: list[Committed | CommitFailed] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    books: Books = field(init=False)

    def __post_init__(self) -> None:
        self.books = Books(ledger=self.ledger, clock=self.clock, on_event=self.events.append)

    async def book(self) -> Book:
        return await self.books.open(KEY)

    def last(self) -> Batch:
        return self.ledger.batches[-1]


def record(vm_id: str = "24", **fields: int) -> VmRecord:
    spell = Spell(1.0, 2.0)
    return VmRecord(
        vm_id=vm_id,
        name="web-1",
        known_since_at=0.0,
        appeared=False,
        running_since_ms=0,
        lock=spell,
        suspension=spell,
        **fields,  # type: ignore[arg-type]
    )


async def test_what_has_changed_is_handed_over_once_and_nothing_else() -> None:
    kept = Kept()
    book = await kept.book()
    for vm_id in ("24", "25"):
        book.put(record(vm_id))
        book.put_listed(machine(vm_id=vm_id))
    book.note_listed()
    await kept.books.commit()
    assert {each.vm_id for each in kept.last().changed[KEY]} == kept.last().listed[KEY].keys() == {"24", "25"}
    assert kept.last().accounts == {KEY: AccountRecord(listed=True)}
    book.put(record("25", renames=1))
    book.put_listed(machine(vm_id="24"))  # As before.
    book.note_listed()
    await kept.books.commit()
    assert kept.last() == Batch(changed={KEY: [record("25", renames=1)]})
    await kept.books.commit()
    assert kept.last() == Batch()


async def test_a_vm_that_is_gone_is_handed_over_as_gone_and_not_as_changed() -> None:
    kept = Kept()
    book = await kept.book()
    book.put(record())
    book.put_listed(machine())
    book.drop(["24"])
    await kept.books.commit()
    assert kept.last() == Batch(gone={KEY: ("24",)})
    book.put(record())
    await kept.books.commit()
    assert kept.last() == Batch(changed={KEY: [record()]})


async def test_what_is_known_is_there_again_when_it_is_opened_anew() -> None:
    kept = Kept()
    book = await kept.book()
    book.put(record())
    book.put_listed(machine(cpus=2, created_at=0.5, locked=True))
    book.put_grid("traffic", "-1day", Grid(60_000, 0, 10))
    book.note_late("traffic", 7_000, 0)
    await kept.books.commit()
    again = await Kept(kept.ledger).book()
    assert (again.records, again.listed, again.account) == (book.records, book.listed, book.account)
    assert again.grids("traffic") == {"-1day": Grid(60_000, 0, 10)}
    assert again.late_ms("traffic", 0) == 7_000


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        # A version after this one knows another field.
        ({"vm_id": "24", "label": "web", "hostname": "web", "status": "online", "colour": "red"}, {"24"}),
        # One that it needs is not there: what the VM looks like, the next listing shows.
        ({"vm_id": "24", "label": "web", "hostname": "web"}, set()),
    ],
)
async def test_a_listed_vm_of_another_version_harms_nobody(listed: dict[str, str], known: set[str]) -> None:
    ledger = RecordingLedger()
    await ledger.commit(Batch(changed={KEY: [record()]}, listed={KEY: {"24": listed}}))
    book = await Kept(ledger).book()
    assert book.listed.keys() == known
    assert book.records.keys() == {"24"}


async def test_what_could_not_be_committed_is_told_and_handed_over_with_what_has_changed_since() -> None:
    kept = Kept()
    kept.ledger.before = disk_full
    book = await kept.book()
    book.put(record())
    book.put_listed(machine())
    book.note_listed()
    await kept.books.commit()
    book.put(record("25"))
    await kept.books.commit()
    assert [(type(event), event.vms) for event in kept.events] == [(CommitFailed, 1), (CommitFailed, 2)]
    kept.ledger.before = None
    kept.ledger.size_now = 4_096
    await kept.books.commit()
    assert {each.vm_id for each in kept.last().changed[KEY]} == {"24", "25"}
    assert kept.last().listed.keys() == kept.last().accounts.keys() == {KEY}
    assert kept.events[-1] == Committed(2, 0.0, 4_096)


async def test_what_changes_while_a_commit_is_under_way_is_handed_over_with_the_next() -> None:
    kept = Kept()
    book = await kept.book()
    for vm_id in ("24", "25", "26"):
        book.put(record(vm_id))
        book.put_listed(machine(vm_id=vm_id))
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def last() -> None:
        begun.set()
        await goes_on.wait()

    kept.ledger.before = last
    async with asyncio.TaskGroup() as group:
        group.create_task(kept.books.commit())
        await begun.wait()
        book.put(record("24", renames=1))
        book.put_listed(machine(vm_id="25", locked=True))
        book.drop(["26"])
        book.note_listed()
        goes_on.set()
    await kept.books.commit()
    assert kept.last().changed == {KEY: [record("24", renames=1)]}
    assert [listed["locked"] for listed in kept.last().listed.get(KEY, {}).values()] == [True]
    assert kept.last().gone == {KEY: ("26",)}
    assert kept.last().accounts == {KEY: AccountRecord(listed=True)}


async def test_a_ledger_that_may_have_lost_what_it_held_is_handed_everything_again() -> None:
    kept = Kept()
    book = await kept.book()
    for vm_id in ("24", "25"):
        book.put(record(vm_id))
        book.put_listed(machine(vm_id=vm_id))
    await kept.books.commit()
    kept.ledger.generation_now += 1
    kept.ledger.before = disk_full
    book.put(record("24", renames=1))
    for _ in range(2):
        await kept.books.commit()
        assert {each.vm_id for each in kept.last().changed[KEY]} == kept.last().listed[KEY].keys() == {"24", "25"}
        assert kept.last().accounts.keys() == {KEY}
        kept.ledger.before = None
    await kept.books.commit()
    assert kept.last() == Batch()


@pytest.mark.parametrize("what", ["account", "record", "listed", "gone"])
async def test_a_flush_commits_whatever_is_unwritten_and_nothing_twice(what: str) -> None:
    kept = Kept()
    book = await kept.book()
    book.put(record())
    book.put_listed(machine())
    await kept.books.flush()
    before = len(kept.ledger.batches)
    await kept.books.flush()
    assert len(kept.ledger.batches) == before
    if what == "account":
        book.note_late("traffic", 7_000, 0)
    elif what == "record":
        book.put(record(renames=1))
    elif what == "listed":
        book.put_listed(machine(locked=True))
    else:
        book.drop(["24"])
    await kept.books.flush()
    await kept.books.flush()
    assert len(kept.ledger.batches) == before + 1


@pytest.mark.parametrize(
    ("fails", "takes_s", "pause_s"), [(False, 0.0, 0.2), (False, 0.03, 0.27), (False, 30.0, 0.5), (True, 0.03, 0.27)]
)
async def test_the_slower_the_disk_the_longer_is_gathered_before_the_next_commit(
    *, fails: bool, takes_s: float, pause_s: float
) -> None:
    kept = Kept()

    async def slow() -> None:
        kept.clock.now_s += takes_s
        if fails:
            await disk_full()

    kept.ledger.before = slow
    await kept.books.commit()
    assert kept.books.pause_s == pytest.approx(pause_s)


async def test_a_longer_period_is_as_long_as_it_was_ever_seen() -> None:
    """A VM that is young, or was stopped, has fewer buckets than others; theirs reach as far back as ever."""
    book = await Kept().book()
    book.put_grid("cpu", "-30days", Grid(60_000, 0, 3))
    book.put_grid("cpu", "-30days", Grid(60_000, 60_000, 30))
    book.put_grid("cpu", "-30days", Grid(60_000, 120_000, 2))
    assert book.grids("cpu") == {"-30days": Grid(60_000, 60_000, 30)}
    book.put_grid("cpu", "-30days", Grid(60_000, 90_000, 2))
    assert book.grids("cpu") == {"-30days": Grid(60_000, 90_000, 30)}
    book.put_grid("cpu", "-30days", Grid(30_000, 120_000, 2))
    assert book.grids("cpu") == {"-30days": Grid(30_000, 120_000, 2)}


async def test_lateness_that_was_seen_is_reckoned_with_until_it_has_faded() -> None:
    book = await Kept().book()
    book.note_late("traffic", 100_000, 0)
    book.note_late("traffic", 50_000, 400_000)
    assert (book.late_ms("traffic", 400_000), book.late_ms("cpu", 0)) == (80_000, 0)
    book.note_late("traffic", 90_000, 400_000)
    assert book.late_ms("traffic", 400_000) == 90_000


async def test_a_grid_that_is_told_again_is_nothing_to_write() -> None:
    kept = Kept()
    book = await kept.book()
    book.put_grid("traffic", "-1day", Grid(60_000, 0, 10))
    await kept.books.commit()
    for end_ms in (0, 60_000, 600_000):
        book.put_grid("traffic", "-1day", Grid(60_000, end_ms, 10))
    await kept.books.flush()
    assert len(kept.ledger.batches) == 1
    book.put_grid("traffic", "-1day", Grid(60_000, 30_000, 10))
    await kept.books.flush()
    assert kept.last().accounts[KEY].grids == {"traffic": {"-1day": Grid(60_000, 30_000, 10)}}
