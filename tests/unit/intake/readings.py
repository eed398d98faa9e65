"""Answers about one VM as a test writes them down: a text of buckets, where it begins, when it was asked for.

Instants are seconds. The shortest windows have buckets of 10, those of longer periods buckets of 60.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.collectors import SHORTEST, CpuReading, InterfaceReading, InventoryReading, TrafficReading
from exporter.fleet import Machine
from exporter.ledger import Batch, LedgerFailed, MemoryLedger
from tests.builders import strip

__all__ = [
    "ACCOUNT",
    "RecordingLedger",
    "chunks",
    "disk_full",
    "listing",
    "longer_chunks",
    "longer_traffic",
    "traffic",
]

ACCOUNT = "production"
WIDTH_S, LONGER_S = 10, 60


def listing(*machines: Machine, at: float = 0.0) -> InventoryReading:
    return InventoryReading(
        account=ACCOUNT,
        machines=machines,
        unreadable=(),
        duplicates=0,
        asked_at=at,
        asked_seen_at=at,
        credential_expires_at=None,
    )


def traffic(at: int, start: int, /, *, vm_id: str = "24", **interfaces: str) -> TrafficReading:
    """`traffic(61, 0, eth45="1 2 3")`: of the interface 45, received and sent alike."""
    return _traffic(at, start, interfaces, vm_id=vm_id, period=SHORTEST, width=WIDTH_S)


def longer_traffic(
    at: int, start: int, /, *, vm_id: str = "24", period: str = "-1day", **interfaces: str
) -> TrafficReading:
    return _traffic(at, start, interfaces, vm_id=vm_id, period=period, width=LONGER_S)


def _traffic(at: int, start: int, interfaces: dict[str, str], *, vm_id: str, period: str, width: int) -> TrafficReading:
    shown = {
        name.removeprefix("eth"): strip(text, start=start, of=width * len(text.split()), asked=at)
        for name, text in interfaces.items()
    }
    return TrafficReading(
        account=ACCOUNT,
        vm_id=vm_id,
        interfaces=tuple(
            InterfaceReading(interface_id, "1", public=True, receive=each, transmit=each)
            for interface_id, each in shown.items()
        ),
        width_hint_ms=None,
        refused=0,
        duplicates=0,
        asked_at=at,
        asked_seen_at=at,
        period=period,
    )


def chunks(at: float, text: str, **fields: Any) -> CpuReading:
    """A list of busy seconds; it ends on the multiple of its width before `at`."""
    usual: dict[str, Any] = {"vm_id": "24", "width_ms": 1000 * WIDTH_S, "cores": None, "refused": 0}
    return CpuReading(
        account=ACCOUNT,
        values=tuple(None if word == "_" else float(word) for word in text.split()),
        asked_at=at,
        asked_seen_at=at,
        **(usual | fields),
    )


def longer_chunks(at: float, text: str, **fields: Any) -> CpuReading:
    return chunks(at, text, **({"width_ms": 1000 * LONGER_S, "period": "-30days"} | fields))


@dataclass
class RecordingLedger(MemoryLedger):
    """Keeps what it was handed over. `before`: what happens first in a commit, which may raise LedgerFailed."""

    batches: list[Batch] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    size_now: int = 0
    generation_now: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def generation(self) -> int:
        return self.generation_now

    @property
    def size_bytes(self) -> int:
        return self.size_now

    async def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        if self.before is not None:
            await self.before()
        await super().commit(batch)


async def disk_full() -> None:
    raise LedgerFailed("/x/ledger.db: cannot be written: disk full")
