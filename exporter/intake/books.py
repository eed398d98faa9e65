"""The records that are worked on, and what of them the ledger does not hold yet."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from msgspec.structs import fields, replace

from exporter.clock import Clock, Stint
from exporter.counting import Grid
from exporter.fleet import Machine
from exporter.intake.events import CommitFailed, Committed
from exporter.intake.folding import Lateness
from exporter.ledger import AccountRecord, Batch, Ledger, LedgerFailed, ListedVm, VmRecord

__all__ = ["Book", "Books"]

_SHARE = 9
"""Between two commits others may work for so many times as long as the last one took."""
_SHORTEST_PAUSE_S = 0.2
"""However fast the disk: a commit costs a millisecond of CPU and more, before the first VM is in it."""
_LONGEST_PAUSE_S = 0.5
_MACHINE_FIELDS = tuple(each.name for each in fields(Machine))
_MACHINE_NEEDS = frozenset(each.name for each in fields(Machine) if each.required)


@dataclass(slots=True)
class Book:
    """What is known of an account. The sets say what of it is not remembered yet."""

    account: AccountRecord
    records: dict[str, VmRecord]
    listed: dict[str, Machine]
    account_changed: bool = False
    changed: set[str] = field(default_factory=set)
    listed_changed: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def put(self, record: VmRecord) -> None:
        self.records[record.vm_id] = record
        self.changed.add(record.vm_id)
        self.gone.discard(record.vm_id)

    def put_listed(self, machine: Machine) -> bool:
        """Return whether it is another than before."""
        if self.listed.get(machine.vm_id) == machine:
            return False
        self.listed[machine.vm_id] = machine
        self.listed_changed.add(machine.vm_id)
        return True

    def drop(self, vm_ids: Iterable[str]) -> None:
        """Those VMs are gone."""
        for vm_id in vm_ids:
            del self.records[vm_id]
            self.listed.pop(vm_id, None)
            self.changed.discard(vm_id)
            self.listed_changed.discard(vm_id)
            self.gone.add(vm_id)

    def note_listed(self) -> None:
        if not self.account.listed:
            self._put_account(replace(self.account, listed=True))

    def grids(self, collector: str) -> Mapping[str, Grid]:
        """Where the buckets of longer periods lie, as far as that is known."""
        return self.account.grids.get(collector, {})

    def put_grid(self, collector: str, period: str, grid: Grid) -> None:
        """Note where an answer's buckets lie. A VM that is young, or was stopped, may have fewer than there can be."""
        of_collector = self.grids(collector)
        known = of_collector.get(period)
        if known is not None and known.width_ms == grid.width_ms:
            if (grid.end_ms - known.end_ms) % grid.width_ms == 0 and grid.count <= known.count:
                return
            grid = replace(grid, count=max(grid.count, known.count))
        grids = {**self.account.grids, collector: {**of_collector, period: grid}}
        self._put_account(replace(self.account, grids=grids))

    def late_ms(self, collector: str, now_ms: int) -> int:
        """How late buckets are to be reckoned with."""
        return Lateness(*self.account.lateness.get(collector, ())).at_ms(now_ms)

    def note_late(self, collector: str, late_ms: int, now_ms: int) -> None:
        if late_ms > self.late_ms(collector, now_ms):
            lateness = {**self.account.lateness, collector: (late_ms, now_ms)}
            self._put_account(replace(self.account, lateness=lateness))

    def _put_account(self, account: AccountRecord) -> None:
        self.account = account
        self.account_changed = True


class Books:
    """By account (`AccountView.key`)."""

    def __init__(self, *, ledger: Ledger, clock: Clock, on_event: Callable[[Committed | CommitFailed], None]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._on_event = on_event
        self._books: dict[str, Book] = {}
        self._generation = ledger.generation
        self.pause_s = 0.0
        """How long to gather before the next commit: a slow disk is written to more seldom, and more at a time."""

    async def open(self, key: str) -> Book:
        """The book of an account, with what is remembered of it."""
        book = self._books.get(key)
        if book is None:
            remembered = await self._ledger.load(key)
            book = self._books[key] = Book(
                remembered.account,
                {record.vm_id: record for record in remembered.vms},
                _machines(remembered.listed),
            )
        return book

    def get(self, key: str) -> Book | None:
        return self._books.get(key)

    async def commit(self) -> None:
        """Have everything remembered that is not yet. Where that fails it is told, and tried again with the next."""
        if self._generation != self._ledger.generation:
            self._generation = self._ledger.generation
            for book in self._books.values():
                book.account_changed = True
                book.changed |= book.records.keys()
                book.listed_changed |= book.listed.keys()
        # Machines are never changed, only replaced.
        listed = {
            key: _Listed({vm_id: book.listed[vm_id] for vm_id in book.listed_changed})
            for key, book in self._books.items()
            if book.listed_changed
        }
        batch = self._batch(listed)
        vms = sum(len(records) for records in batch.changed.values())
        started_s, failure = self._clock.monotonic_s(), None
        try:
            await self._ledger.commit(batch)
        except LedgerFailed as error:
            failure = str(error)
        duration_s = self._clock.monotonic_s() - started_s
        self.pause_s = min(max(_SHORTEST_PAUSE_S, _SHARE * duration_s), _LONGEST_PAUSE_S)
        if failure is not None:
            self._on_event(CommitFailed(failure, vms))
            return
        await self._written(batch, listed)
        self._on_event(Committed(vms, duration_s, self._ledger.size_bytes))

    async def flush(self) -> None:
        """Try once more to have remembered what could not be written."""
        unwritten = (
            book.account_changed or book.changed or book.listed_changed or book.gone for book in self._books.values()
        )
        if any(unwritten):
            await self.commit()

    def _batch(self, listed: Mapping[str, "_Listed"]) -> Batch:
        books = self._books.items()
        return Batch(
            accounts={key: book.account for key, book in books if book.account_changed},
            # In the order of their keys, which is that of the file's pages.
            changed={
                key: [book.records[vm_id] for vm_id in sorted(book.changed)] for key, book in books if book.changed
            },
            listed=listed,
            gone={key: tuple(book.gone) for key, book in books if book.gone},
        )

    async def _written(self, batch: Batch, listed: Mapping[str, "_Listed"]) -> None:
        """Forget what was to be written, apart from what has changed again meanwhile."""
        stint = Stint(self._clock)
        for key in batch.accounts:
            self._books[key].account_changed = self._books[key].account is not batch.accounts[key]
        for key, records in batch.changed.items():
            book = self._books[key]
            for each in records:
                if book.records.get(each.vm_id) is each:
                    book.changed.discard(each.vm_id)
                await stint.part_done()
        for key, shown in listed.items():
            book = self._books[key]
            for vm_id, machine in shown.machines.items():
                if book.listed.get(vm_id) is machine:
                    book.listed_changed.discard(vm_id)
                await stint.part_done()
        for key, gone in batch.gone.items():
            self._books[key].gone -= set(gone)


def _machines(listed: Mapping[str, ListedVm]) -> dict[str, Machine]:
    """Those that can be shown: a version before or after this one may know other fields, and lack some of these."""
    plain: dict[str, dict[str, Any]] = {
        vm_id: {name: each[name] for name in _MACHINE_FIELDS if name in each} for vm_id, each in listed.items()
    }
    return {vm_id: Machine(**each) for vm_id, each in plain.items() if each.keys() >= _MACHINE_NEEDS}


_values_of = attrgetter(*_MACHINE_FIELDS)


class _Listed(Mapping[str, ListedVm]):
    """Machines in the ledger's terms, made where they are read, in its thread: 10 000 of a first listing would hold the
    event loop for 15 ms.
    """

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self.machines = machines

    def __getitem__(self, vm_id: str) -> ListedVm:
        return dict(zip(_MACHINE_FIELDS, _values_of(self.machines[vm_id]), strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(self.machines)

    def __len__(self) -> int:
        return len(self.machines)
