"""Looking back: VMs that owe something are asked for a longer period, when that can pay, a few at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.collectors import SHORTEST, VmCollector
from exporter.fleet import Fleet, phase_of
from exporter.gigas import AccountClient, GigasError, NotFound, UnexpectedStatus
from exporter.intake import Intake, Taken
from exporter.schedule.due import Due
from exporter.schedule.pace import after_failure

__all__ = ["LookBackFailed", "LooksBack"]

_SHARE = 4
"""At most a quarter of the looks at one time are looks back: what is missing must not delay what is new for long."""
_AGAIN_S = 1.0
"""The least between two looks back at a VM; else it is the width of its shortest buckets."""
_MOST_DOUBLINGS = 5
_HOPELESS_AFTER_S = 86_400.0
"""A period that has failed for a day is taken to have nothing: what nobody tells must be told to be lost in the end."""
_ROUNDED_S = 0.001
"""Counting knows whole milliseconds: what it says to be due so little after an answer was due with it. Who looks once
does not come back for it."""


@dataclass(frozen=True, slots=True)
class LookBackFailed:
    """Event: a VM could not be asked for a longer period. It is tried again. `is_owed`: that is to pay for something;
    else it is only to show how that period looks.
    """

    account: str
    collector: str
    vm_id: str
    period: str
    is_owed: bool
    error: GigasError


@dataclass(slots=True)
class _Owing:
    """`period`: the one that is to be asked; `is_owed`: since something is missing, not to learn how that period looks.
    `asked_s`: when one was asked last, monotonic; `failures`: in a row, since `failing_since_s`; `in_vain`: answers in
    a row after which it is still the same.
    """

    period: str
    is_owed: bool
    asked_s: float = -math.inf
    failures: int = 0
    in_vain: int = 0
    failing_since_s: float | None = None


class LooksBack:
    """Those of one round. It owns no task: the round starts what is due, and is nudged by what it notes.

    When so many in a row have failed as are begun at a time, one at a time is tried, ever more seldom, until one is
    answered: a provider that shows no longer periods is not asked for them by every VM that owes something.
    """

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
        self._owed = 0
        self._due = Due()
        self._looking: set[str] = set()
        self._failed_in_a_row = 0
        self._held_until_s = -math.inf

    @property
    def is_full(self) -> bool:
        """Whether another look must wait until one has ended."""
        most = max(1, int(self._most * self._client.share))
        return len(self._looking) >= (most if self._failed_in_a_row < self._most else 1)

    @property
    def owing(self) -> int:
        """How many VMs something is missing of."""
        return self._owed

    def note(self, taken: Taken, *, width_s: float | None) -> None:
        """Make a VM due for the longer period that an answer says it owes something to, or for none."""
        if taken.owes is None:
            self.forget(taken.vm_id)
            return
        period, at = taken.owes
        owing = self._owing.setdefault(taken.vm_id, _Owing(period, is_owed=False))
        if owing.period != period:
            owing.failing_since_s = None
        self._owed += taken.is_owed - owing.is_owed
        owing.period, owing.is_owed = period, taken.is_owed
        if taken.vm_id in self._looking or (owing.failures and taken.vm_id in self._due):
            return  # Its answer tells again; and what has failed is due when it has waited for long enough.
        delay_s = at - taken.asked_at if at - taken.asked_at > _ROUNDED_S else 0.0
        if taken.period != SHORTEST:
            owing.in_vain = owing.in_vain + 1 if taken.period == period and not delay_s else 0
        pause_s = max(_AGAIN_S, width_s or 0.0) * 2.0 ** min(max(0, owing.in_vain - 1), _MOST_DOUBLINGS)
        again_s = owing.asked_s + pause_s
        self._due.put(taken.vm_id, max(self._clock.monotonic_s() + delay_s, again_s))

    def forget(self, vm_id: str) -> None:
        """It owes nothing, or is gone."""
        owing = self._owing.pop(vm_id, None)
        self._owed -= owing is not None and owing.is_owed
        self._due.drop(vm_id)

    def begin(self) -> None:
        """Know that nothing is being asked: what was, has ended with the task that did it."""
        self._looking.clear()

    def startable(self) -> str | None:
        """Take out a VM that may be looked back at now; `look` is to follow."""
        if self.wait_s() != 0:
            return None
        popped = self._due.pop(until_s=self._clock.monotonic_s())
        if popped is None:
            return None
        vm_id, _ = popped
        self._looking.add(vm_id)
        return vm_id

    def wait_s(self) -> float | None:
        """For how long none can be begun, as far as is known; None: until a nudge."""
        next_s = self._due.next_s()
        if next_s is None or self.is_full:
            return None
        return max(0.0, max(next_s, self._held_until_s) - self._clock.monotonic_s())

    async def look(self, vm_id: str) -> None:
        """Ask for what a VM owes that was taken out."""
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
            since_s = owing.asked_s if owing.failing_since_s is None else owing.failing_since_s
            is_hopeless = isinstance(error, NotFound | UnexpectedStatus) or owing.asked_s - since_s > _HOPELESS_AFTER_S
            if is_hopeless and owing.is_owed:  # Others may know that period, or something of the VM in it.
                owing.failures = 0
                self._tell(vm_id, owing, error)
                await self._intake.submit_nothing(self._client.account, vm_id, self._name, owing.period)
            else:
                owing.failing_since_s = since_s
                self._failed(vm_id, owing, error)
        else:
            owing.failures = self._failed_in_a_row = 0
            owing.failing_since_s = None
            self._held_until_s = -math.inf
            await self._intake.submit(reading)

    def _failed(self, vm_id: str, owing: _Owing, error: GigasError) -> None:
        owing.failures += 1
        self._failed_in_a_row += 1
        if self._owing.get(vm_id) is owing:
            self._due.put(vm_id, self._after(owing.failures, vm_id))
        if (beyond := self._failed_in_a_row - self._most) >= 0:
            self._held_until_s = self._after(beyond + 1, vm_id)
        self._tell(vm_id, owing, error)

    def _tell(self, vm_id: str, owing: _Owing, error: GigasError) -> None:
        self._on_event(LookBackFailed(self._client.account, self._name, vm_id, owing.period, owing.is_owed, error))

    def _after(self, failures: int, vm_id: str) -> float:
        delay_s = after_failure(failures, interval_s=self._interval_s, phase=phase_of(vm_id))
        return self._clock.monotonic_s() + delay_s
