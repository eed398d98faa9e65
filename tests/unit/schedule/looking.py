"""A round of looks over a fleet, with a provider that a test scripts by VM."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from exporter.clock import Clock, SystemClock
from exporter.collectors import SHORTEST, InterfaceReading, InventoryReading, TrafficReading
from exporter.fleet import AccountView, Fleet, Machine
from exporter.gigas import AccountClient, ApiKey, ClientOptions, GigasError, NotFound, ServerError, open_session
from exporter.intake import Intake, Taken
from exporter.ledger import MemoryLedger
from exporter.schedule import AgesSeen, CollectorRan, LookBackFailed, LookFailed, LooksBegan, TaskFailed, VmRound
from exporter.schedule.back import LooksBack
from exporter.settings import SecretText
from tests.builders import machine, strip, vm

__all__ = ["ACCOUNT", "Looking", "LookingBack", "looking", "looking_back", "not_found", "overloaded"]

ACCOUNT = "production"
WIDTH_S, LONGER_S = 100, 600
Longer = int | Exception


@dataclass
class Scripted:
    """Answers at once, so that a VM is due again in ten seconds or more, unless the script says otherwise for it."""

    failing: dict[str, Exception] = field(default_factory=dict)
    hanging: dict[str, asyncio.Event] = field(default_factory=dict)
    ahead_s: float = 0.0
    """By how much the provider's clock is ahead of ours."""
    longer: dict[str, Longer] = field(default_factory=dict)
    """What longer periods answer by VM: buckets of that value, or that failure; else there is no such period."""
    hanging_longer: asyncio.Event | None = None
    asked: Counter[str] = field(default_factory=Counter)
    asked_longer: list[tuple[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    longer_at_once: int = 0
    most_longer_at_once: int = 0

    async def look(
        self,
        client: AccountClient,  # noqa: ARG002
        machine: Machine,
        *,
        period: str = SHORTEST,
        width_hint_s: float | None,  # noqa: ARG002
    ) -> TrafficReading:
        if period != SHORTEST:
            return await self._look_back(machine.vm_id, period)
        self.asked[machine.vm_id] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await SystemClock().sleep(0)
            if machine.vm_id in self.hanging:
                await self.hanging[machine.vm_id].wait()
            if machine.vm_id in self.failing:
                raise self.failing[machine.vm_id]
        finally:
            self.at_once -= 1
        return self._reading(machine.vm_id, SHORTEST, "25 " * 12, width_s=WIDTH_S)

    async def _look_back(self, vm_id: str, period: str) -> TrafficReading:
        self.asked_longer.append((vm_id, period))
        self.longer_at_once += 1
        self.most_longer_at_once = max(self.most_longer_at_once, self.longer_at_once)
        try:
            await SystemClock().sleep(0)
            if self.hanging_longer is not None:
                await self.hanging_longer.wait()
        finally:
            self.longer_at_once -= 1
        match self.longer.get(vm_id):
            case None:
                raise not_found()
            case Exception() as error:
                raise error
            case int(value):
                return self._reading(vm_id, period, f"{value} " * 48, width_s=LONGER_S)

    def _reading(self, vm_id: str, period: str, text: str, *, width_s: int) -> TrafficReading:
        now = SystemClock().wall_s() + self.ahead_s
        spans_s = width_s * len(text.split())
        end = int(now // width_s) * width_s
        shown = strip(text, start=end - spans_s, of=spans_s, asked=int(now))
        return TrafficReading(
            account=ACCOUNT,
            vm_id=vm_id,
            interfaces=(InterfaceReading("45", "1", public=True, receive=shown, transmit=shown),),
            width_hint_ms=1000 * width_s,
            refused=0,
            duplicates=0,
            asked_at=now,
            asked_seen_at=now - self.ahead_s,
            period=period,
        )


@dataclass
class Looking:
    """A round at work, what it was told to look at, and what it told."""

    round: VmRound
    fleet: Fleet
    intake: Intake
    provider: Scripted
    events: list[CollectorRan | LookFailed | LooksBegan | AgesSeen | LookBackFailed | TaskFailed]
    build: Callable[[], VmRound]
    """Another round over the same fleet, which hears of what intake takes from then on."""

    async def listed(self, *vm_ids: str, **fields: object) -> None:
        """Make these the VMs of the account, as two listings would."""
        for _ in range(2):
            await self.intake.submit(
                InventoryReading(
                    account=ACCOUNT,
                    machines=tuple(machine(vm_id=vm_id, label=vm_id, **fields) for vm_id in vm_ids),
                    unreadable=(),
                    duplicates=0,
                    asked_at=SystemClock().wall_s(),
                    asked_seen_at=SystemClock().wall_s(),
                    credential_expires_at=None,
                )
            )
            await self.intake.settled()

    def failures_back(self) -> list[LookBackFailed]:
        return [event for event in self.events if isinstance(event, LookBackFailed)]

    def runs(self) -> list[CollectorRan]:
        return [event for event in self.events if isinstance(event, CollectorRan)]

    def failures(self) -> list[LookFailed]:
        return [event for event in self.events if isinstance(event, LookFailed)]

    async def asked(self, *vm_ids: str, times: int = 1) -> bool:
        return all(self.provider.asked[vm_id] >= times for vm_id in vm_ids)


def not_found(cause: str = "HTTP 404") -> GigasError:
    return NotFound(ACCOUNT, "bw_stats", 404, cause=cause)


def overloaded(cause: str = "HTTP 503") -> GigasError:
    return ServerError(ACCOUNT, "bw_stats", 503, cause=cause)


@asynccontextmanager
async def client_of(clock: Clock) -> AsyncIterator[AccountClient]:
    """A client, of which the scripted provider needs the account's name alone."""
    options = ClientOptions(url="http://127.0.0.1:9", user_agent="test", max_concurrency=8)
    async with open_session(options) as session:
        yield AccountClient(
            account=ACCOUNT,
            account_id="17893",
            credentials=ApiKey(SecretText("a-key")),
            options=options,
            session=session,
            clock=clock,
            random=random.Random(1),  # noqa: S311 - jitter
            on_event=lambda _: None,
        )


class ManualClock(SystemClock):
    """Stands still until a test moves it."""

    now_s = 1_000.0

    def monotonic_s(self) -> float:
        return self.now_s


@dataclass
class LookingBack:
    """Looks back of a round that is not at work: a test says what answers have shown, and begins what is due."""

    back: LooksBack
    fleet: Fleet
    provider: Scripted
    clock: ManualClock
    failures: list[LookBackFailed]

    def owes(self, vm_id: str, period: str = "-1day", *, in_s: float = 0.0, is_owed: bool = True) -> None:
        """An answer has shown that a VM owes something that can be paid so much later."""
        self._note(vm_id, (period, 500.0 + in_s), is_owed=is_owed)

    def owes_nothing(self, vm_id: str) -> None:
        self._note(vm_id, None, is_owed=False)

    def _note(self, vm_id: str, owes: tuple[str, float] | None, *, is_owed: bool) -> None:
        taken = Taken(
            account=ACCOUNT,
            vm_id=vm_id,
            collector="traffic",
            period=SHORTEST,
            asked_at=500.0,
            owes=owes,
            is_owed=is_owed,
        )
        self.back.note(taken, width_s=WIDTH_S)

    async def begin(self) -> list[str]:
        """Look back at what is due, one after the other; return those VMs."""
        begun = []
        while (vm_id := self.back.startable()) is not None:
            begun.append(vm_id)
            await self.back.look(vm_id)
        return begun


@asynccontextmanager
async def looking_back(*vm_ids: str, workers: int = 4) -> AsyncIterator[LookingBack]:
    """Over a fleet of these VMs, which answer for every longer period."""
    clock, fleet = ManualClock(), Fleet()
    provider = Scripted(longer=dict.fromkeys(vm_ids, 1))
    failures: list[LookBackFailed] = []
    fleet.keep_accounts([AccountView(name=ACCOUNT, account_id="17893")])
    fleet.replace(ACCOUNT, [vm(ACCOUNT, vm_id=vm_id) for vm_id in vm_ids])
    intake = Intake(
        ledger=MemoryLedger(),
        fleet=fleet,
        clock=clock,
        stale_after_s=900.0,
        on_event=lambda _: None,
        on_taken=lambda _: None,
    )
    async with client_of(clock) as client:
        back = LooksBack(
            client=client,
            collector=provider,
            name="traffic",
            fleet=fleet,
            intake=intake,
            clock=clock,
            interval_s=60.0,
            workers=workers,
            on_event=failures.append,
        )
        yield LookingBack(back, fleet, provider, clock, failures)


@asynccontextmanager
async def looking(*, interval_s: float = 0.1, workers: int = 4, runs: bool = True) -> AsyncIterator[Looking]:
    """With `runs` the round is at work; else a test calls `once`."""
    clock, fleet, provider = SystemClock(), Fleet(), Scripted()
    events: list[CollectorRan | LookFailed | LooksBegan | AgesSeen | LookBackFailed | TaskFailed] = []
    rounds: list[VmRound] = []

    def took(taken: Taken | InventoryReading) -> None:
        if isinstance(taken, InventoryReading):
            rounds[-1].listed(taken)
        else:
            rounds[-1].taken(taken)

    view = AccountView(name=ACCOUNT, account_id="17893")
    fleet.keep_accounts([view])
    intake = Intake(
        ledger=MemoryLedger(),
        fleet=fleet,
        clock=clock,
        stale_after_s=900.0,
        on_event=lambda _: None,
        on_taken=took,
    )
    await intake.open_account(view)
    async with client_of(clock) as client, asyncio.TaskGroup() as group:

        def build() -> VmRound:
            rounds.append(
                VmRound(
                    client=client,
                    collector=provider,
                    name="traffic",
                    fleet=fleet,
                    intake=intake,
                    clock=clock,
                    interval_s=interval_s,
                    every_buckets=1,
                    workers=workers,
                    on_event=events.append,
                )
            )
            return rounds[-1]

        round_ = build()
        tasks = [group.create_task(intake.run())]
        if runs:
            tasks.append(group.create_task(round_.run()))
        try:
            yield Looking(round_, fleet, intake, provider, events, build)
        finally:
            for task in tasks:
                task.cancel()
