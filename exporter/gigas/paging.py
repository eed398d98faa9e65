"""A list in pages, under a server that may cap the page, say nothing of the total, or change between two pages.

Pure: `Pages` says what to ask next and whether what came adds up.
"""

from collections.abc import Mapping

from exporter.gigas.answers import BrokenMachine, MachineDocument, Machines

__all__ = ["Pages", "total_of"]

_MOST_PAGES = 10_000
"""No list has so many: a server that always has one more is not believed."""
_MOST_DIGITS = 9


def total_of(headers: Mapping[str, str]) -> int | None:
    """Return what `X-Total` says, if it says a number."""
    text = headers.get("X-Total", "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


class Pages:
    """The pages of one listing, in order."""

    def __init__(self, *, page_size: int) -> None:
        self._limit = page_size
        self._offset = 0
        self._count = 0
        self._machines: dict[str, MachineDocument] = {}
        self._broken: dict[str, BrokenMachine] = {}
        self._nameless: list[BrokenMachine] = []
        self._repeated_within = 0
        self._repeated_across = 0
        self._repeated_apart = 0
        self._total: int | None = None
        self._ended = False
        self._problem: str | None = None

    def next_page(self) -> tuple[int, int] | None:
        """Return (offset, limit) of the page to ask for, or None."""
        return None if self._ended else (self._offset, self._limit)

    def add(self, page: Machines, *, total: int | None) -> None:
        """Take the page that was asked for."""
        told_before, self._total = self._total, total if total is not None else self._total
        if self._count > 0 and self._total != told_before:
            self._end("the total changed while it was listed")
            return
        rows, ids = len(page.machines) + len(page.broken), _ids(page)
        different = rows - (len(ids) - len(set(ids)))
        self._count += 1
        repeats = self._total is None and self._count > 1 and not any(map(self._is_new, ids))
        if not repeats:  # Else the server does not page, and this is the same list again.
            self._keep(page)
        self._offset += min(rows, self._limit)  # What comes above the limit has no place of its own in the list.
        if self._total is None:
            # Fewer than asked for may be a cap of the server's: only a page without news is the end. More than asked
            # for is a server that does not page, unless it only says something twice.
            if repeats or rows == 0 or different > self._limit:
                self._end()
        elif rows == 0 or self._offset >= self._total or self._different >= self._total:
            self._end()
        if not self._ended and self._count >= _MOST_PAGES:
            self._end("there is no end of pages")
        self._limit = min(self._limit, rows) or self._limit  # A cap, once met, is kept to.

    @property
    def problem(self) -> str | None:
        """Why this is no complete listing; None if it is one."""
        if self._problem is not None or self._total is None:
            return self._problem
        # A total may count the rows, or the VMs that are in them.
        if self._total in {self._different, self._different + self._repeated_within}:
            return None
        return f"{self._different} of {self._total} came"

    @property
    def repeated(self) -> frozenset[str] | None:
        """The ids, where all that is missing from the total is explained by ids that came again, none of them where two
        pages meet: there it would be a list that moved. A list that comes so twice is like that.
        """
        rows = self._different + self._repeated_within + self._repeated_across
        if self._problem is not None or rows != self._total or self._repeated_apart != self._repeated_across:
            return None
        return frozenset((*self._machines, *self._broken))

    @property
    def machines(self) -> tuple[MachineDocument, ...]:
        return tuple(self._machines.values())

    @property
    def broken(self) -> tuple[BrokenMachine, ...]:
        return (*self._broken.values(), *self._nameless)

    @property
    def duplicates(self) -> int:
        """How many entries had an id that was there before."""
        return self._repeated_within + self._repeated_across

    @property
    def _different(self) -> int:
        return len(self._machines) + len(self._broken) + len(self._nameless)

    def _end(self, problem: str | None = None) -> None:
        self._ended = True
        self._problem = problem

    def _is_new(self, machine_id: str) -> bool:
        return machine_id not in self._machines and machine_id not in self._broken

    def _keep(self, page: Machines) -> None:
        """Keep the first of each id. Twice in one answer is the provider's list; in two answers it may have moved."""
        here: set[str] = set()
        at_seam = True
        for machine in page.machines:
            across = self._repeated_across
            if self._first(machine.id, here):
                self._machines[machine.id] = machine
                at_seam = False
            elif not at_seam:
                self._repeated_apart += self._repeated_across - across
        for broken in page.broken:
            if broken.machine_id is None:
                self._nameless.append(broken)
            elif self._first(broken.machine_id, here):
                self._broken[broken.machine_id] = broken

    def _first(self, machine_id: str, here: set[str]) -> bool:
        is_new = self._is_new(machine_id)
        if machine_id in here:
            self._repeated_within += 1
        elif not is_new:
            self._repeated_across += 1
        here.add(machine_id)
        return is_new


def _ids(page: Machines) -> list[str]:
    machines = [machine.id for machine in page.machines]
    return machines + [broken.machine_id for broken in page.broken if broken.machine_id is not None]
