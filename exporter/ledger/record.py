"""What is remembered of a VM, and the interface of whoever remembers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from exporter.counting import Series, Spell, Window

__all__ = ["Batch", "CpuAccount", "InterfaceAccount", "Ledger", "VmRecord"]


@dataclass(frozen=True, slots=True)
class CpuAccount:
    """CPU counted since the provider's `since_ms` (quanta of busy seconds). `list`: the last one as placed, which
    places the next one. `on_grid`: whether traffic has ever confirmed that place. `off_looks`: in how many looks in a
    row the clock has said that it lies `off_ms` beside.
    """

    series: Series
    list: Window
    since_ms: int
    on_grid: bool
    off_ms: int = 0
    off_looks: int = 0


@dataclass(frozen=True, slots=True)
class InterfaceAccount:
    """Bytes counted of one interface since `since_ms`. `seen_ms`: when an answer last had it (provider's time)."""

    network_id: str
    public: bool
    receive: Series
    transmit: Series
    since_ms: int
    seen_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRecord:
    """Everything about a VM that the provider's answers of today cannot tell.

    `known_since_at` is the provider's time of the first listing that had it (`appeared`: an earlier one lacked it),
    `running_since_ms` that since which it is seen running (None: it is not). `absences`: complete listings in a row
    that lack it. `grid`: where and when the last answer with traffic ended, and the width of its buckets (a window
    without values).
    """

    vm_id: str
    name: str
    known_since_at: float
    appeared: bool
    running_since_ms: int | None
    lock: Spell
    suspension: Spell
    renames: int = 0
    absences: int = 0
    cpu: CpuAccount | None = None
    interfaces: Mapping[str, InterfaceAccount] = field(default_factory=lambda: MappingProxyType({}))
    grid: Window | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What is committed at once: new records by account, and the ids of VMs that are gone."""

    changed: Mapping[str, Sequence[VmRecord]]
    gone: Mapping[str, Sequence[str]]


class Ledger(Protocol):
    """Keyed by account (`AccountView.key`) and VM."""

    async def load(self, account: str) -> tuple[VmRecord, ...]:
        """Everything remembered of an account."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Remember all of the batch, or none of it."""
        ...
