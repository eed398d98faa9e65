"""A list in pages, under a server that may cap the page, say nothing of the total, or change between two pages.

`Pages` is pure: it says what to ask next and whether what came adds up. `take_pages` asks.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from exporter.gigas.answers import BrokenMachine, Machines

__all__ = ["Page", "Pages", "take_pages", "total_of"]

T = TypeVar("T")

_MOST_PAGES = 10_000
"""No list has so many: a server that always has one more is not believed."""
_MOST_DIGITS = 9


def total_of(headers: Mapping[str, str]) -> int | None:
    """Return what `X-Total` says, if it says a number."""
    text = headers.get("X-Total", "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What came for an offset and a limit. `total`: of the whole list, where the server says it."""

    machines: Machines[T]
    total: int | None


class Pages(Generic[T]):
    """The pages of one listing, in order."""

    def __init__(self, *, page_size: int) -> None:
        self._limit = page_size
        self._offset = 0
        self._count = 0
        self._ids: set[str] = set()
        self._nameless = 0
        self._kept: list[T] = []
        self._broken: list[BrokenMachine] = []
        self._repeated_within = 0
        self._repeated_across = 0
        self._repeated_apart = 0
        self._total: int | None = None
        self._ended = False
        self._problem: str | None = None

    def next_pages(self, most: int = 1) -> list[tuple[int, int]]:
        """Return (offset, limit) of the page to ask for, if there is one more, and of those that follow it if the list
        goes on as the server has told.
        """
        if self._ended:
            return []
        end = self._offset + 1 if self._total is None else self._total
        return [(offset, self._limit) for offset in range(self._offset, end, self._limit)[:most]]

    def add(self, page: Page[T]) -> None:
        """Take the first of the pages to ask for."""
        told_before, self._total = self._total, page.total if page.total is not None else self._total
        if self._count > 0 and self._total != told_before:
            self._end("the total changed while it was listed")
            return
        rows, ids = len(page.machines.machines) + len(page.machines.broken), _ids(page.machines)
        different = rows - (len(ids) - len(set(ids)))
        self._count += 1
        repeats = self._total is None and self._count > 1 and self._ids.issuperset(ids)
        if not repeats:  # Else the server does not page, and this is the same list again.
            self._keep(page.machines)
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
        return frozenset(self._ids)

    @property
    def kept(self) -> tuple[T, ...]:
        return tuple(self._kept)

    @property
    def broken(self) -> tuple[BrokenMachine, ...]:
        return tuple(self._broken)

    @property
    def duplicates(self) -> int:
        """How many entries had an id that was there before."""
        return self._repeated_within + self._repeated_across

    @property
    def _different(self) -> int:
        return len(self._ids) + self._nameless

    def _end(self, problem: str | None = None) -> None:
        self._ended = True
        self._problem = problem

    def _keep(self, page: Machines[T]) -> None:
        """Keep the first of each id. Twice in one answer is the provider's list; in two answers it may have moved."""
        here: set[str] = set()
        at_seam = True
        for machine_id, kept in page.machines:
            across = self._repeated_across
            if self._first(machine_id, here):
                at_seam = False
                if kept is not None:
                    self._kept.append(kept)
            elif not at_seam:
                self._repeated_apart += self._repeated_across - across
        for broken in page.broken:
            if broken.machine_id is None:
                self._nameless += 1
                self._broken.append(broken)
            elif self._first(broken.machine_id, here):
                self._broken.append(broken)

    def _first(self, machine_id: str, here: set[str]) -> bool:
        is_new = machine_id not in self._ids
        if machine_id in here:
            self._repeated_within += 1
        elif not is_new:
            self._repeated_across += 1
        here.add(machine_id)
        self._ids.add(machine_id)
        return is_new


def _ids(page: Machines[T]) -> list[str]:
    machines = [machine_id for machine_id, _ in page.machines]
    return machines + [broken.machine_id for broken in page.broken if broken.machine_id is not None]


async def take_pages(pages: Pages[T], ask: Callable[[int, int], Coroutine[Any, Any, Page[T]]], *, at_once: int) -> None:
    """Ask for all of them, several at a time as soon as a total says which there are: with the same result as one after
    the other. Raises what `ask` raises.
    """
    while wanted := pages.next_pages(at_once):
        # Those beside one that fails are waited for: a request that is cut off has arrived, and nobody would count it.
        answers = await asyncio.gather(*(ask(*each) for each in wanted), return_exceptions=True)
        for each, answer in zip(wanted, answers, strict=True):
            if pages.next_pages() != [each]:
                break  # The list is at its end, or a page was shorter than those before and the seams lie elsewhere.
            if isinstance(answer, BaseException):
                raise answer
            pages.add(answer)
