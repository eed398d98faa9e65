"""Looking back: VMs that owe something are asked for a longer period, when that can pay, a few at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.collectors import VmCollector
from exporter.fleet import Fleet
from exporter.gigas import AccountClient, GigasError
from exporter.intake import Intake, Taken
from exporter.schedule.due import Due
from exporter.schedule.pace import after_failure, phase_of

__all__ = ["LookBackFailed", "LooksBack"]

_SHARE = 4
"""At most a quarter of the looks at one time are looks back: what is missing must not delay what is new for long."""
_AGAIN_S = 1.0
"""The least between two looks back at a VM; else it is the width of its shortest buckets."""


@dataclass(frozen=True, slots=True)
class LookBackFailed:
    """Event: a VM could not be asked for a longer period that is to pay for what it owes. It is tried again."""

    account: str
    collector: str
    vm_id: str
    period: str
    error: GigasError


@dataclass(slots=True)
class _Owing:
    """`period`: the one that is to be asked; `is_owed`: since something is missing, not to learn how that period looks.
    `asked_s`: when one was asked last, monotonic; `failures`: in a row.
    """

    period: str
    is_owed: bool
    asked_s: float = -math.inf
    failures: int = 0


class LooksBack:
    """Those of one round. It owns no task: the round starts what is due, and is nudged by what it notes."""

    def __init__(
        self,
        *,
        client: AccountClient,
        collector: VmCollector,
        name: str,
        fleet: Fleet,
        intake: Intake,
        clock: Clock,
        interval_s: float,
        workers: int,
        on_event: Callable[[LookBackFailed], None],
    ) -> None:
        self._client = client
        self._collector = collector
        self._name = name
        self._fleet = fleet
        self._intake = intake
        self._clock = clock
        self._interval_s = interval_s
        self._most = max(1, workers // _SHARE)
        self._on_event = on_event
        self._owing: dict[str, _Owing] = {}
        self._due = Due()
        self._looking: set[str] = set()

    @property
    def owing(self) -> int:
        """How many VMs something is missing of."""
        return sum(each.is_owed for each in self._owing.values())

    def note(self, taken: Taken, *, width_s: float | None) -> None:
        """Make a VM due for the longer period that an answer says it owes something to, or for none."""
        if taken.owes is None:
            self.forget(taken.vm_id)
            return
        period, at = taken.owes
        owing = self._owing.setdefault(taken.vm_id, _Owing(period, taken.is_owed))
        owing.period, owing.is_owed = period, taken.is_owed
        if taken.vm_id in self._looking or owing.failures:
            return  # Its answer tells again; and what has failed is due when it has waited for long enough.
        again_s = owing.asked_s + max(_AGAIN_S, width_s or 0.0)
        self._due.put(taken.vm_id, max(self._clock.monotonic_s() + at - taken.asked_at, again_s))

    def forget(self, vm_id: str) -> None:
        """It owes nothing, or is gone."""
        self._owing.pop(vm_id, None)
        self._due.drop(vm_id)

    def startable(self) -> str | None:
        """Take out a VM that may be looked back at now."""
        if len(self._looking) >= self._most:
            return None
        vm_id = self._due.pop(until_s=self._clock.monotonic_s())
        if vm_id is not None:
            self._looking.add(vm_id)
        return vm_id

    def wait_s(self) -> float | None:
        """For how long none can be begun, as far as is known; None: until a nudge."""
        next_s = self._due.next_s()
        if next_s is None or len(self._looking) >= self._most:
            return None
        return max(0.0, next_s - self._clock.monotonic_s())

    async def look(self, vm_id: str) -> None:
        """Ask for what a VM owes."""
        self._looking.add(vm_id)
        try:
            await self._look(vm_id)
        finally:
            self._looking.discard(vm_id)

    async def _look(self, vm_id: str) -> None:
        vm, owing = self._fleet.vms(self._client.account).get(vm_id), self._owing.get(vm_id)
        if vm is None or owing is None:
            return
        owing.asked_s = self._clock.monotonic_s()
        try:
            reading = await self._collector.look(self._client, vm.machine, period=owing.period, width_hint_s=None)
        except GigasError as error:
            owing.failures += 1
            if self._owing.get(vm_id) is owing:
                delay_s = after_failure(owing.failures, interval_s=self._interval_s, phase=phase_of(vm_id))
                self._due.put(vm_id, self._clock.monotonic_s() + delay_s)
            self._on_event(LookBackFailed(self._client.account, self._name, vm_id, owing.period, error))
        else:
            owing.failures = 0
            await self._intake.submit(reading)
