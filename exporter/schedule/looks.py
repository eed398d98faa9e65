"""One collector of one account that looks at VMs, each when it is due."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from exporter.clock import Clock, Stint
from exporter.collectors import SHORTEST, InventoryReading, Reading, VmCollector
from exporter.fleet import Fleet, Vm, phase_of
from exporter.gigas import AccountClient, GigasError
from exporter.intake import Intake, Taken
from exporter.schedule.back import LooksBack
from exporter.schedule.due import Due
from exporter.schedule.health import Health
from exporter.schedule.pace import Habit, Learned, Seen, after_failure, next_look, put_off, together_s
from exporter.schedule.rounds import AgesSeen, CollectorRan, LookFailed, LooksBegan, OnEvent, nudged_within
from exporter.schedule.supervise import outlived

__all__ = ["VmRound"]

_UNTAKEN_S = 15.0
"""A VM is due again so long after a look whose answer intake has not taken, or that met a fault of ours."""
_BEGUN_AT_ONCE = 8
"""So many looks are begun before others may run: to send a request takes 0.2 ms."""
_TOLD_AT_ONCE = 200
"""The ages of so many VMs are told at once: some 4 µs each."""
_TOLD_IN_TURN = 1_000
"""Of a large fleet so many are told each time: how ages are distributed is known from those as well."""


@dataclass(slots=True)
class _Watched:
    """A VM as one to look at. `asked_s`: when it was asked last, monotonic. `failures`: in a row. `placed_s`: the
    instant that its pace has given it; a look at any other has a reason that does not wait.
    """

    phase: float
    running: bool
    habit: Habit = field(default_factory=Habit)
    asked_s: float = 0.0
    failures: int = 0
    placed_s: float | None = None


class VmRound:
    """Looks at every VM of the account that is due, so many at a time, oldest first: where many are (after a start, or
    an outage), the one of which nothing is known or has been counted for longest. A look that lasts delays no other.
    Beside that, and while the collector works, it looks back at those that owe something (`back`).

    A run, as it is told, is everything from a first look until nothing is due; a long one is told at every interval.
    It has failed as a whole while no running VM can be looked at. Then one at a time is tried, ever more seldom: a
    provider that is down is not asked more than one that works. When one answers, all that are due follow.
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
        every_buckets: int,
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
        self._every_buckets = every_buckets
        self._workers = workers
        self._on_event = on_event
        self._nudged = asyncio.Event()
        self._stopping = False
        self._learned = Learned()
        self._watched: dict[str, _Watched] = {}
        self._due = Due(rank=self._rank)
        self._looking: set[str] = set()
        self._back = LooksBack(
            client=client,
            collector=collector,
            name=name,
            fleet=fleet,
            intake=intake,
            clock=clock,
            interval_s=interval_s,
            workers=workers,
            on_event=on_event,
        )
        self._health = Health()
        self._failed_tries = 0
        self._held_until_s = 0.0
        self._run_since_s: float | None = None
        self._told = 0
        """So many VMs, in their order, have had their turn."""
        self._ahead_s = 0.0
        """By how much the provider's clock is ahead of ours, as the last answer has it."""
        self._is_news = True
        """Whether a listing may have changed which VMs there are."""

    def nudge(self) -> None:
        self._nudged.set()

    def stop(self) -> None:
        self._stopping = True
        self.nudge()

    def listed(self, _: InventoryReading) -> None:
        """Look at VMs that are new, or run again, at once; forget those that are gone."""
        self._is_news = True
        self._held_until_s = 0.0  # The account answers: so may what it did not answer before.
        self.nudge()

    def taken(self, taken: Taken) -> None:
        """Learn from an answer when to look at that VM again."""
        known = self._watched.get(taken.vm_id)
        if known is None:
            return
        self._back.note(taken, width_s=self._learned.width_s)
        self.nudge()
        if taken.period != SHORTEST:
            return
        seen = None
        if taken.end_at is not None and taken.width_s is not None:
            seen = Seen(taken.asked_at, taken.end_at, taken.width_s, taken.filled, taken.buckets)
        self._learned, known.habit, delay_s = next_look(
            self._learned,
            known.habit,
            seen,
            running=known.running,
            phase=known.phase,
            interval_s=self._interval_s,
            vms=self._health.running,
            every_buckets=self._every_buckets,
        )
        if taken.again:
            delay_s = self._interval_s
        if taken.vm_id not in self._looking:
            at_s = known.asked_s + delay_s
            known.placed_s = None if taken.again else at_s
            self._due.put(taken.vm_id, at_s)

    async def tell_ages(self) -> None:
        """Tell how old the newest counted bucket of each running VM is; of a large fleet, of some, in turn."""
        stint = Stint(self._clock)
        known = tuple(self._watched)
        some = known[self._told : self._told + _TOLD_IN_TURN]
        self._told = self._told + len(some) if self._told + len(some) < len(known) else 0
        for vm_ids in _steps(some):
            now_at, vms = self._clock.wall_s() + self._ahead_s, self._fleet.vms(self._client.account)
            ends = (vm.counted_until_at(self._name) for vm_id in vm_ids if (vm := vms.get(vm_id)) and vm.is_running)
            ages_s = tuple(now_at - end_at for end_at in ends if end_at is not None)
            self._on_event(AgesSeen(self._client.account, self._name, ages_s, self._due.waiting))
            await stint.part_done()

    async def run(self) -> None:
        self._back.begin()
        self._is_news = True
        now_s = self._clock.monotonic_s()
        for lost in (vm_id for vm_id in self._watched if vm_id not in self._due):
            self._due.put(lost, now_s)  # It was being looked at when a fault of ours ended this task.
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await self._know_vms()
                stint = Stint(self._clock)
                while not self._due.gather(until_s=self._clock.monotonic_s()):
                    await stint.part_done()
                while (vm_id := self._startable_back()) is not None:
                    group.create_task(self._look_back_outliving(vm_id))
                for vm_id in (begun := self._startable()):
                    group.create_task(self._look_outliving(vm_id))
                self._tell_of_run()
                if len(begun) == _BEGUN_AT_ONCE:
                    await self._clock.sleep(0)
                    continue
                if not (self._is_full() or self._back.is_full):
                    await self._clock.sleep(together_s(self._learned.width_s))
                await nudged_within(self._nudged, self._wait_for_any_s())

    async def once(self) -> GigasError | None:
        """Look at every VM once; return a cause if no running one could be looked at.

        When the first ones all fail, the others are taken to: who waits for the end must not wait for 1 000 timeouts.
        """
        await self._know_vms()
        waiting = iter(sorted(self._watched, key=self._rank))
        self._health.take_for_all(self._workers)

        async def work() -> None:
            for vm_id in waiting:
                if self._health.whole_failure() is None:
                    await self._look_outliving(vm_id)
                else:
                    self._intake.failed(self._client.account, vm_id, self._name)

        self._note_run()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._workers, len(self._watched))):
                group.create_task(work())
        self._tell_of_run()
        return self._health.whole_failure()

    async def back_once(self) -> None:
        """Look back at every VM that owes something, as far as that can be paid by now."""

        async def work() -> None:
            while (vm_id := self._startable_back()) is not None:
                await self._look_back_outliving(vm_id)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(work())

    async def _know_vms(self) -> None:
        """Make the fleet's VMs the ones that are watched, if there is news of them."""
        while self._is_news:
            self._is_news = False
            vms = self._fleet.vms(self._client.account)
            stint = Stint(self._clock)
            for vm_id in (*(self._watched.keys() - vms.keys()), *vms):
                self._know(vm_id, self._fleet.vms(self._client.account).get(vm_id))
                await stint.part_done()

    def _know(self, vm_id: str, vm: Vm | None) -> None:
        known = self._watched.get(vm_id)
        if vm is None:
            if known is not None:
                self._forget(vm_id, known)
        elif known is None:
            known = self._watched[vm_id] = _Watched(phase_of(vm_id), vm.is_running)
            self._health.came(running=known.running)
            self._due.put(vm_id, self._clock.monotonic_s())
        elif vm.is_running != known.running:
            known.running = vm.is_running
            self._health.turned(vm_id, running=known.running)
            if known.running and vm_id not in self._looking:
                self._due.put(vm_id, self._clock.monotonic_s())

    def _forget(self, vm_id: str, known: _Watched) -> None:
        del self._watched[vm_id]
        self._health.went(vm_id, running=known.running)
        self._due.drop(vm_id)
        self._back.forget(vm_id)

    def _rank(self, vm_id: str) -> tuple[float, float]:
        """Of VMs that are due the least is next: by the end of what is counted of it; one without anything is first.

        Those that have failed come last: one that always does must not be the one that is tried while nothing answers.
        """
        known, vm = self._watched.get(vm_id), self._fleet.vms(self._client.account).get(vm_id)
        until_at = None if vm is None else vm.counted_until_at(self._name)
        return (0 if known is None else known.failures, -math.inf if until_at is None else until_at)

    def _startable_back(self) -> str | None:
        return self._back.startable() if self._health.whole_failure() is None else None

    def _startable(self) -> Sequence[str]:
        """Take out VMs that may be looked at now, as many as may be begun at once."""
        now_s = self._clock.monotonic_s()
        if self._health.whole_failure() and now_s < self._held_until_s:
            return ()
        taken, most = dict[str, float](), min(_BEGUN_AT_ONCE, self._most() - len(self._looking))
        while len(taken) < most and (popped := self._due.pop(until_s=now_s)) is not None:
            vm_id, at_s = popped
            at_s += self._put_off_s(vm_id, at_s)
            if at_s > now_s:
                self._due.put(vm_id, at_s)
            else:
                taken[vm_id] = now_s - at_s
        if taken:
            self._note_run()
            late_s = tuple(taken.values())
            self._on_event(LooksBegan(self._client.account, self._name, late_s, self._due.waiting))
            self._looking.update(taken)
        return tuple(taken)

    def _put_off_s(self, vm_id: str, at_s: float) -> float:
        """By how much a look that is due would come too early, by what has been learned since it was placed."""
        known = self._watched.get(vm_id)
        if known is None or known.placed_s != at_s:
            return 0.0
        known.habit, later_s = put_off(self._learned, known.habit)
        known.placed_s = at_s + later_s
        return later_s

    def _wait_s(self) -> float | None:
        """For how long no look can be begun, as far as is known; None: until a nudge."""
        next_s = self._due.next_s()
        if next_s is None or self._is_full():
            return None
        from_s = max(next_s, self._held_until_s) if self._health.whole_failure() else next_s
        return max(0.0, from_s - self._clock.monotonic_s())

    def _wait_for_any_s(self) -> float | None:
        """The same, of looks and looks back."""
        wait_back_s = self._back.wait_s() if self._health.whole_failure() is None else None
        return min((wait_s for wait_s in (self._wait_s(), wait_back_s) if wait_s is not None), default=None)

    def _is_full(self) -> bool:
        return len(self._looking) >= self._most()

    def _most(self) -> int:
        """So many at a time. A collector that hangs in all of its places must leave the others theirs, also while the
        account has fewer of them.
        """
        return max(1, int(self._workers * self._client.share)) if self._health.whole_failure() is None else 1

    async def _look_outliving(self, vm_id: str) -> None:
        """Look at a VM; whatever happens, it is due again some time."""
        self._looking.add(vm_id)
        try:
            task = f"{self._client.account}/{self._name}"
            if not await outlived(task, partial(self._look, vm_id), on_event=self._on_event):
                self._again(vm_id, _UNTAKEN_S)
        finally:
            self._looking.discard(vm_id)
            self.nudge()

    async def _look_back_outliving(self, vm_id: str) -> None:
        """Look back at a VM; whatever happens, its next look tells again what it owes."""
        task = f"{self._client.account}/{self._name}"
        await outlived(task, partial(self._back.look, vm_id), on_event=self._on_event)
        self.nudge()

    async def _look(self, vm_id: str) -> None:
        vm, known = self._fleet.vms(self._client.account).get(vm_id), self._watched.get(vm_id)
        if vm is None or known is None:
            return
        known.asked_s = self._clock.monotonic_s()
        try:
            reading = await self._collector.look(self._client, vm.machine, width_hint_s=self._learned.width_s)
        except GigasError as error:
            self._failed(vm_id, known, error)
        else:
            self._answered(vm_id, known, reading)
            await self._intake.submit(reading)

    def _failed(self, vm_id: str, known: _Watched, error: GigasError) -> None:
        if self._watched.get(vm_id) is not known:
            return  # It went meanwhile: that may be why.
        news = self._health.failed(vm_id, error, running=known.running)
        known.failures += 1
        self._again(vm_id, after_failure(known.failures, interval_s=self._interval_s, phase=known.phase))
        if self._health.whole_failure() is not None:
            self._failed_tries += 1
            pause_s = after_failure(self._failed_tries, interval_s=self._interval_s, phase=known.phase)
            self._held_until_s = self._clock.monotonic_s() + pause_s
        self._intake.failed(self._client.account, vm_id, self._name)
        if news:
            self._on_event(LookFailed(self._client.account, self._name, vm_id, error))

    def _answered(self, vm_id: str, known: _Watched, reading: Reading) -> None:
        if self._watched.get(vm_id) is not known:
            return
        self._ahead_s = reading.asked_at - reading.asked_seen_at
        # A request may have waited for its turn: what was seen is as old as the question, not as the wish to ask.
        now_s = self._clock.monotonic_s()
        since_s = self._clock.wall_s() - reading.asked_seen_at
        known.asked_s = now_s - min(max(0.0, since_s), now_s - known.asked_s)
        if self._health.answered(vm_id, running=known.running):
            self._on_event(LookFailed(self._client.account, self._name, vm_id, None))
        known.failures = self._failed_tries = 0
        self._again(vm_id, _UNTAKEN_S)  # Until intake has taken the answer and tells what it has shown.

    def _again(self, vm_id: str, delay_s: float) -> None:
        if vm_id in self._watched:
            self._due.put(vm_id, self._clock.monotonic_s() + delay_s)

    def _note_run(self) -> None:
        if self._run_since_s is None:
            self._run_since_s = self._clock.monotonic_s()

    def _tell_of_run(self) -> None:
        """Tell of the run if it has ended, or has lasted."""
        if self._run_since_s is None:
            return
        now_s = self._clock.monotonic_s()
        ended = not self._looking and self._wait_s() != 0
        if not ended and now_s - self._run_since_s < self._interval_s:
            return
        self._on_event(
            CollectorRan(
                account=self._client.account,
                collector=self._name,
                duration_s=now_s - self._run_since_s,
                vms=len(self._watched),
                failing=self._health.failing,
                causes=self._health.causes,
                error=self._health.whole_failure(),
                owing=self._back.owing,
            )
        )
        self._run_since_s = None if ended else now_s


def _steps(vm_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (vm_ids[first : first + _TOLD_AT_ONCE] for first in range(0, len(vm_ids), _TOLD_AT_ONCE))
