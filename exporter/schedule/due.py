"""Which VM is due next: a heap of instants of monotonic time, and one of those whose time has come."""

import heapq
from collections.abc import Callable

__all__ = ["Due"]

_STEP = 200
"""So many VMs at most are seen to be due at a time: some 2 µs each, and after a sleep all of 10 000 are."""


class Due:
    """Each VM is in it at most once. To change an instant is to push a new entry; the old one is skipped when it comes.

    Of the VMs whose time has come, the one of least `rank` is next; of those alike, the one that is due for longest.

    >>> due = Due()
    >>> due.put("web", 5.0); due.put("db", 3.0); due.put("web", 1.0)
    >>> due.pop(until_s=4.0), due.pop(until_s=4.0), due.pop(until_s=4.0)
    (('web', 1.0), ('db', 3.0), None)
    """

    def __init__(self, *, rank: Callable[[str], tuple[float, ...]] = lambda _: ()) -> None:
        self._rank = rank
        self._at_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._come: set[str] = set()
        self._ranked: list[tuple[tuple[float, ...], float, str]] = []

    def __contains__(self, vm_id: str) -> bool:
        return vm_id in self._at_s

    def put(self, vm_id: str, at_s: float) -> None:
        """Make a VM due at that instant, and at no other."""
        self._come.discard(vm_id)
        self._at_s[vm_id] = at_s
        heapq.heappush(self._heap, (at_s, vm_id))

    def drop(self, vm_id: str) -> None:
        """Make a VM not due at all."""
        self._at_s.pop(vm_id, None)
        self._come.discard(vm_id)

    @property
    def waiting(self) -> int:
        """How many VMs are known to be due."""
        return len(self._come)

    def next_s(self) -> float | None:
        """Return when the next one is due, or an instant before that; None while there is none.

        Entries that count no more are dropped a step at a time: after 10 000 looks in a row there are as many of them.
        """
        if self._come:
            self._skip_ranked()
            return self._ranked[0][1]
        for _ in range(_STEP):
            if not self._heap or self._holds(*self._heap[0], come=False):
                break
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def gather(self, *, until_s: float) -> bool:
        """Rank VMs that are due at `until_s`, as many as one step may take; return whether those are all."""
        for _ in range(_STEP):
            if not self._heap or self._heap[0][0] > until_s:
                return True
            at_s, vm_id = heapq.heappop(self._heap)
            if self._holds(at_s, vm_id, come=False):
                self._come.add(vm_id)
                heapq.heappush(self._ranked, (self._rank(vm_id), at_s, vm_id))
        return False

    def pop(self, *, until_s: float) -> tuple[str, float] | None:
        """Take out the VM that is next, with the instant at which it was due; None if none is due at `until_s`."""
        self.gather(until_s=until_s)
        if not self._come:
            return None
        self._skip_ranked()
        _, at_s, vm_id = heapq.heappop(self._ranked)
        self._come.discard(vm_id)
        del self._at_s[vm_id]
        return vm_id, at_s

    def _skip_ranked(self) -> None:
        while not self._holds(*self._ranked[0][1:], come=True):
            heapq.heappop(self._ranked)

    def _holds(self, at_s: float, vm_id: str, *, come: bool) -> bool:
        """Whether an entry counts: it does not if the VM was put anew since, or dropped, or its time has come."""
        return self._at_s.get(vm_id) == at_s and (vm_id in self._come) is come
