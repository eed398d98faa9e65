"""Which VM is due next: a heap of instants of monotonic time."""

import heapq

__all__ = ["Due"]


class Due:
    """Each VM is in it at most once. To change an instant is to push a new entry; the old one is skipped when it comes.

    >>> due = Due()
    >>> due.put("web", 5.0); due.put("db", 3.0); due.put("web", 1.0)
    >>> due.pop(until_s=4.0), due.pop(until_s=4.0), due.pop(until_s=4.0)
    ('web', 'db', None)
    """

    def __init__(self) -> None:
        self._at_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __contains__(self, vm_id: str) -> bool:
        return vm_id in self._at_s

    def put(self, vm_id: str, at_s: float) -> None:
        """Make a VM due at that instant, and at no other."""
        self._at_s[vm_id] = at_s
        heapq.heappush(self._heap, (at_s, vm_id))

    def drop(self, vm_id: str) -> None:
        """Make a VM not due at all."""
        self._at_s.pop(vm_id, None)

    def next_s(self) -> float | None:
        """Return when the next one is due; None while there is none."""
        while self._heap and self._at_s.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, *, until_s: float) -> str | None:
        """Take out the VM that has been due for longest; None if none is due at `until_s`."""
        at_s = self.next_s()
        if at_s is None or at_s > until_s:
            return None
        vm_id = heapq.heappop(self._heap)[1]
        del self._at_s[vm_id]
        return vm_id
