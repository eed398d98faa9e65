"""How the VMs that a collector looks at fare, and the collector with them. Pure."""

from exporter.gigas import GigasError

__all__ = ["Health"]


class Health:
    """Which VMs cannot be looked at, and why; those that run apart from those that are off.

    A collector has failed as a whole while no running VM can be looked at. One that is off is looked at too seldom to
    say how the collector fares, unless there are only such.
    """

    def __init__(self) -> None:
        self._vms = {True: 0, False: 0}
        self._failing: dict[bool, dict[str, GigasError]] = {True: {}, False: {}}
        self._last: GigasError | None = None
        self._enough: int | None = None

    @property
    def running(self) -> int:
        """How many VMs run."""
        return self._vms[True]

    @property
    def failing(self) -> int:
        """How many VMs fail."""
        return sum(map(len, self._failing.values()))

    @property
    def causes(self) -> tuple[str, ...]:
        """Why they do, each cause once."""
        return tuple(sorted({error.cause for failing in self._failing.values() for error in failing.values()}))

    def came(self, *, running: bool) -> None:
        self._vms[running] += 1

    def went(self, vm_id: str, *, running: bool) -> None:
        self._vms[running] -= 1
        self._failing[running].pop(vm_id, None)

    def turned(self, vm_id: str, *, running: bool) -> None:
        """It runs now, or not any more. Whether it fails stays as it is."""
        error = self._failing[not running].get(vm_id)
        self.went(vm_id, running=not running)
        self.came(running=running)
        if error is not None:
            self._failing[running][vm_id] = error

    def failed(self, vm_id: str, error: GigasError, *, running: bool) -> bool:
        """Return whether that is news: it did not fail before, or for another cause."""
        before = self._failing[running].get(vm_id)
        self._failing[running][vm_id] = self._last = error
        return before is None or before.cause != error.cause

    def answered(self, vm_id: str, *, running: bool) -> bool:
        """Return whether it failed before."""
        self._enough = None
        return self._failing[running].pop(vm_id, None) is not None

    def take_for_all(self, vms: int) -> None:
        """So many VMs that fail speak for all, until one has answered."""
        self._enough = vms

    def whole_failure(self) -> GigasError | None:
        """A cause, if the collector has failed as a whole."""
        if not (self._failing[True] or self._failing[False]):
            return None
        some_run = self.running > 0
        speak_for_all = self._enough is not None and self.failing >= self._enough
        return self._last if speak_for_all or len(self._failing[some_run]) >= self._vms[some_run] else None
