"""One collector of one account at work: asks what is due, hands the readings to intake, tells how it went."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from exporter.clock import Clock
from exporter.collectors import AccountCollector, InventoryReading, VmCollector
from exporter.fleet import Fleet, Machine, Vm, is_running
from exporter.gigas import AccountClient, CredentialRefused, GigasError
from exporter.intake import Intake, Taken
from exporter.schedule.pace import Learned, Seen, after_failure, next_look

__all__ = ["CollectorRan", "InventoryRound", "LookFailed", "Round", "VmRound"]

_RETRY_S = 30.0
"""A listing that failed is tried again after this, or after its interval if that is shorter."""
_TOGETHER_S = 0.25
"""How close VMs must be due for one round to look at them."""
_RETRY_CREDENTIAL_S = 2.0
"""While a credential is refused, the client asks nothing by itself; so often it may look for a changed secret."""


@dataclass(frozen=True, slots=True)
class CollectorRan:
    """Event: a round ended. `error` is the cause if it failed as a whole."""

    account: str
    collector: str
    duration_s: float
    asked: int
    failed: int
    error: GigasError | None


@dataclass(frozen=True, slots=True)
class LookFailed:
    """Event: one VM could not be looked at (error), or could again (None)."""

    account: str
    collector: str
    vm_id: str
    error: GigasError | None


OnEvent = Callable[[CollectorRan | LookFailed], None]


class Round(Protocol):
    """What the scheduler may do with a round: nudge it, and own the task that works."""

    def nudge(self) -> None: ...

    def stop(self) -> None:
        """Ask for no more; `run` returns when what is in flight has ended."""
        ...

    async def run(self) -> None:
        """Work at every nudge until stopped."""
        ...


class InventoryRound:
    """Lists the account."""

    def __init__(
        self,
        *,
        client: AccountClient,
        collector: AccountCollector,
        name: str,
        intake: Intake,
        clock: Clock,
        interval_s: float,
        on_event: OnEvent,
    ) -> None:
        self._client = client
        self._collector = collector
        self._name = name
        self._intake = intake
        self._clock = clock
        self._interval_s = interval_s
        self._on_event = on_event
        self._nudged = asyncio.Event()
        self._stopping = False

    def nudge(self) -> None:
        self._nudged.set()

    def stop(self) -> None:
        self._stopping = True
        self.nudge()

    async def run(self) -> None:
        retry_s: float | None = 0.0
        while True:
            await _nudged_within(self._nudged, retry_s)
            if self._stopping:
                return
            error = await self.once()
            if error is None:
                retry_s = None
            else:
                longest_s = _RETRY_CREDENTIAL_S if isinstance(error, CredentialRefused) else _RETRY_S
                retry_s = min(self._interval_s, longest_s)

    async def once(self) -> GigasError | None:
        """List once; return what went wrong."""
        started_s = self._clock.monotonic_s()
        error = None
        try:
            await self._intake.submit(await self._collector.collect(self._client))
        except GigasError as caught:
            error = caught
            self._intake.listing_failed(self._client.account, credential_expires_at=self._client.credential_expires_at)
        duration_s = self._clock.monotonic_s() - started_s
        self._on_event(CollectorRan(self._client.account, self._name, duration_s, 1, int(error is not None), error))
        return error


class VmRound:
    """Looks at every VM of the account that is due."""

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
        on_event: OnEvent,
    ) -> None:
        self._client = client
        self._collector = collector
        self._name = name
        self._fleet = fleet
        self._intake = intake
        self._clock = clock
        self._interval_s = interval_s
        self._workers = workers
        self._on_event = on_event
        self._nudged = asyncio.Event()
        self._stopping = False
        self._learned = Learned()
        self._due_s: dict[str, float] = {}
        self._misses: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    def nudge(self) -> None:
        self._nudged.set()

    def stop(self) -> None:
        self._stopping = True
        self.nudge()

    def listed(self, reading: InventoryReading) -> None:
        """Look at VMs that are new, or run again, at once; forget those that are gone."""
        vms = self._fleet.vms(self._client.account)
        for known in (self._due_s, self._misses, self._failures):
            for vm_id in known.keys() - vms.keys():
                del known[vm_id]
        if any(vm.vm_id not in self._due_s for vm in reading.machines):
            self.nudge()

    def taken(self, taken: Taken) -> None:
        """Learn from an answer when to look at that VM again."""
        vm = self._fleet.vms(taken.account).get(taken.vm_id)
        seen = None
        if taken.end_at is not None and taken.width_s is not None:
            seen = Seen(taken.asked_at, taken.end_at, taken.width_s, taken.filled)
        self._learned, delay_s, self._misses[taken.vm_id] = next_look(
            self._learned,
            seen,
            running=vm is not None and is_running(vm.machine.status),
            misses=self._misses.get(taken.vm_id, 0),
            interval_s=self._interval_s,
        )
        self._due_s[taken.vm_id] = self._clock.monotonic_s() + delay_s

    async def run(self) -> None:
        while True:
            await _nudged_within(self._nudged, self._next_due_s())
            if self._stopping:
                return
            await self.once()

    def _next_due_s(self) -> float | None:
        """Seconds until a VM is due; None while there is none. Looks that are nearly due together are made together."""
        if not self._due_s:
            return None
        return max(min(self._interval_s, _TOGETHER_S), min(self._due_s.values()) - self._clock.monotonic_s())

    async def once(self) -> GigasError | None:
        """Look at what is due; return a cause if nothing that was due could be looked at."""
        started_s = self._clock.monotonic_s()
        due = _oldest_first(self._fleet.vms(self._client.account), self._due_s, started_s)
        if not due:
            return None
        errors = await self._look_at(due)
        duration_s = self._clock.monotonic_s() - started_s
        error = errors[-1] if len(errors) == len(due) else None
        self._on_event(CollectorRan(self._client.account, self._name, duration_s, len(due), len(errors), error))
        return error

    async def _look_at(self, due: list[Machine]) -> list[GigasError]:
        errors: list[GigasError] = []
        waiting = iter(due)

        async def work() -> None:
            for machine in waiting:
                if self._stopping:
                    return
                error = await self._look(machine)
                if error is not None:
                    errors.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._workers, len(due))):
                group.create_task(work())
        return errors

    async def _look(self, machine: Machine) -> GigasError | None:
        account, vm_id = self._client.account, machine.vm_id
        # Until the answer is taken the VM is not due: intake says when it is again.
        self._due_s[vm_id] = self._clock.monotonic_s() + self._interval_s
        try:
            reading = await self._collector.look(self._client, machine, width_hint_s=self._learned.width_s)
        except GigasError as error:
            failures = self._failures.get(vm_id, 0)
            self._failures[vm_id] = failures + 1
            self._due_s[vm_id] = self._clock.monotonic_s() + after_failure(failures, interval_s=self._interval_s)
            self._intake.failed(account, vm_id, self._name)
            self._on_event(LookFailed(account, self._name, vm_id, error))
            return error
        if self._failures.pop(vm_id, 0):
            self._on_event(LookFailed(account, self._name, vm_id, None))
        await self._intake.submit(reading)
        return None


async def _nudged_within(nudged: asyncio.Event, longest_s: float | None) -> None:
    """Wait for a nudge, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await nudged.wait()
    nudged.clear()


def _oldest_first(vms: Mapping[str, Vm], due_s: Mapping[str, float], until_s: float) -> list[Machine]:
    """The machines that are due, those first that have waited longest; never looked at is longest of all."""
    due = [(due_s.get(vm_id, 0.0), vm.machine) for vm_id, vm in vms.items() if due_s.get(vm_id, 0.0) <= until_s]
    due.sort(key=lambda each: each[0])
    return [machine for _, machine in due]
