"""A round of looks over a fleet, with a provider that a test scripts by VM."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from exporter.clock import SystemClock
from exporter.collectors import SHORTEST, InterfaceReading, InventoryReading, TrafficReading
from exporter.fleet import AccountView, Fleet, Machine
from exporter.gigas import AccountClient, ApiKey, ClientOptions, GigasError, NotFound, open_session
from exporter.intake import Intake, Taken
from exporter.ledger import MemoryLedger
from exporter.schedule import CollectorRan, LookBackFailed, LookFailed, TaskFailed, VmRound
from exporter.settings import SecretText
from tests.builders import machine, strip

__all__ = ["ACCOUNT", "Looking", "looking", "not_found"]

ACCOUNT = "production"
WIDTH_S = 100


@dataclass
class Scripted:
    """Answers at once, so that a VM is due again in ten seconds or more, unless the script says otherwise for it."""

    failing: dict[str, Exception] = field(default_factory=dict)
    hanging: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0

    async def look(
        self,
        client: AccountClient,  # noqa: ARG002
        machine: Machine,
        *,
        period: str = SHORTEST,
        width_hint_s: float | None,  # noqa: ARG002
    ) -> TrafficReading:
        if period != SHORTEST:
            raise not_found()
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
        now = SystemClock().wall_s()
        end = int(now // WIDTH_S) * WIDTH_S
        shown = strip("25 " * 12, start=end - 12 * WIDTH_S, of=12 * WIDTH_S, asked=int(now))
        return TrafficReading(
            account=ACCOUNT,
            vm_id=machine.vm_id,
            interfaces=(InterfaceReading("45", "1", public=True, receive=shown, transmit=shown),),
            width_hint_ms=1000 * WIDTH_S,
            refused=0,
            duplicates=0,
            asked_at=now,
            asked_seen_at=now,
        )


@dataclass
class Looking:
    """A round at work, what it was told to look at, and what it told."""

    round: VmRound
    fleet: Fleet
    intake: Intake
    provider: Scripted
    events: list[CollectorRan | LookFailed | LookBackFailed | TaskFailed]
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

    def runs(self) -> list[CollectorRan]:
        return [event for event in self.events if isinstance(event, CollectorRan)]

    def failures(self) -> list[LookFailed]:
        return [event for event in self.events if isinstance(event, LookFailed)]

    async def asked(self, *vm_ids: str, times: int = 1) -> bool:
        return all(self.provider.asked[vm_id] >= times for vm_id in vm_ids)


def not_found(cause: str = "HTTP 404") -> GigasError:
    return NotFound(ACCOUNT, "bw_stats", 404, cause=cause)


@asynccontextmanager
async def looking(*, interval_s: float = 0.1, workers: int = 4, runs: bool = True) -> AsyncIterator[Looking]:
    """With `runs` the round is at work; else a test calls `once`."""
    clock, fleet, provider = SystemClock(), Fleet(), Scripted()
    events: list[CollectorRan | LookFailed | LookBackFailed | TaskFailed] = []
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
    options = ClientOptions(url="http://127.0.0.1:9", user_agent="test")
    async with open_session(options) as session, asyncio.TaskGroup() as group:
        client = AccountClient(
            account=ACCOUNT,
            account_id="17893",
            credentials=ApiKey(SecretText("a-key")),
            options=options,
            session=session,
            clock=clock,
            random=random.Random(1),  # noqa: S311 - jitter
            on_event=lambda _: None,
        )

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
