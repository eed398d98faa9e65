"""The order in which a VM's statistics are taken: its first CPU list waits for its traffic, until there is a second.

A CPU list carries no times, a traffic window shows on which grid buckets lie and whether the running one is shown. A
list that was placed without knowing that would stay beside the grid for good. But where traffic does not come, CPU
usage must.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from exporter.collectors import CpuReading, TrafficReading

__all__ = ["Order"]

_Key = tuple[str, str]


class Order:
    """Keyed by account and VM. A VM whose traffic was answered, or could not be, once has its lists taken at once."""

    def __init__(self) -> None:
        self._known: set[_Key] = set()
        self._waiting: dict[_Key, CpuReading] = {}
        self._released: list[CpuReading] = []

    def of(self, readings: deque[CpuReading | TrafficReading]) -> Iterator[CpuReading | TrafficReading]:
        """Take out the readings that may be taken now, those that have waited for one of them behind it."""
        yield from self._drained()
        while readings:
            reading = readings.popleft()
            key = reading.account, reading.vm_id
            if isinstance(reading, TrafficReading):
                yield reading
                self._release(key)
                yield from self._drained()
            elif key in self._known or key in self._waiting:
                self._waiting.pop(key, None)
                self._known.add(key)
                yield reading
            else:
                self._waiting[key] = reading

    def know(self, account: str, vm_ids: Iterable[str]) -> None:
        """Those VMs have had their lists placed before."""
        self._known.update((account, vm_id) for vm_id in vm_ids)

    def traffic_failed(self, account: str, vm_id: str) -> None:
        """What waits for it need not wait longer: it comes with the next readings."""
        self._release((account, vm_id))

    def forget(self, account: str, vm_ids: Iterable[str]) -> None:
        """Those VMs are gone."""
        for vm_id in vm_ids:
            self._known.discard((account, vm_id))
            self._waiting.pop((account, vm_id), None)

    def _release(self, key: _Key) -> None:
        self._known.add(key)
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._released.append(waiting)

    def _drained(self) -> Iterator[CpuReading]:
        released, self._released = self._released, []
        yield from released
