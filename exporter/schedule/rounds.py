"""What a collector's task is to the scheduler, and the one that lists an account."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from exporter.clock import Clock
from exporter.collectors import AccountCollector
from exporter.gigas import AccountClient, CredentialRefused, GigasError
from exporter.intake import Intake
from exporter.schedule.back import LookBackFailed
from exporter.schedule.supervise import TaskFailed

__all__ = [
    "AgesSeen",
    "CollectorRan",
    "InventoryRound",
    "LookFailed",
    "LooksBegan",
    "OnEvent",
    "Round",
    "nudged_within",
]

_RETRY_S = 30.0
"""A listing that failed is tried again after this, or after its interval if that is shorter."""
_RETRY_CREDENTIAL_S = 2.0
"""While a credential is refused, the client asks nothing by itself; so often it may look for a changed secret."""


@dataclass(frozen=True, slots=True)
class CollectorRan:
    """Event: a run ended. `failing` of the account's `vms` cannot be looked at, for these `causes`, each named once, in
    order. `error` is one of them if the run failed as a whole. `owing` of them wait for a longer period. A listing
    concerns no single VM: it has none of these.
    """

    account: str
    collector: str
    duration_s: float
    error: GigasError | None
    vms: int = 0
    failing: int = 0
    causes: tuple[str, ...] = ()
    owing: int = 0


@dataclass(frozen=True, slots=True)
class LookFailed:
    """Event: one VM cannot be looked at (or now for another cause), or can again (None)."""

    account: str
    collector: str
    vm_id: str
    error: GigasError | None


class LooksBegan(Struct, frozen=True, gc=False):
    """Event: VMs are looked at, each so much after its time. `due`: how many others' time has come, which wait."""

    account: str
    collector: str
    late_s: tuple[float, ...]
    due: int


class AgesSeen(Struct, frozen=True, gc=False):
    """Event: how old the newest counted bucket of each of some VMs is now. `due`: how many VMs wait for a look."""

    account: str
    collector: str
    ages_s: tuple[float, ...]
    due: int


OnEvent = Callable[[CollectorRan | LookFailed | LooksBegan | AgesSeen | LookBackFailed | TaskFailed], None]


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
            await nudged_within(self._nudged, retry_s)
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
            self._failed()
        except Exception:
            self._failed()  # A fault of ours is no listing either: `gigas_up 1` must not outlive it.
            raise
        self._on_event(
            CollectorRan(self._client.account, self._name, self._clock.monotonic_s() - started_s, error),
        )
        return error

    def _failed(self) -> None:
        self._intake.listing_failed(self._client.account, credential_expires_at=self._client.credential_expires_at)


async def nudged_within(nudged: asyncio.Event, longest_s: float | None) -> None:
    """Wait for a nudge, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await nudged.wait()
    nudged.clear()
