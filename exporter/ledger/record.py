"""What is remembered of an account and its VMs, and the interface of whoever remembers it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct, field

from exporter.counting import Grid, KeptWindow, Series, Spell, Window

__all__ = [
    "AccountRecord",
    "Batch",
    "CpuAccount",
    "InterfaceAccount",
    "Ledger",
    "LedgerFailed",
    "ListedVm",
    "Remembered",
    "VmRecord",
]

ListedVm = Mapping[str, str | int | float | bool | None]
"""A VM as the last complete listing showed it: the fields of `fleet.Machine`, which is not known here."""


class CpuAccount(Struct, frozen=True, gc=False):
    """CPU counted since the provider's `since_ms` (quanta of busy seconds). `list`: the last one as placed, which
    places the next one. `on_grid`: whether traffic has ever confirmed that place. `off_looks`: in how many looks in a
    row the clock has said that it lies `off_ms` beside. `denied`: longer periods, each with the instant up to which it
    has told all that it will tell of what is owed (one that has told nothing, once, is there under another name).
    """

    series: Series
    list: KeptWindow
    since_ms: int
    on_grid: bool
    off_ms: int = 0
    off_looks: int = 0
    denied: tuple[tuple[str, int], ...] = ()

    @property
    def told(self) -> Window:
        """The list."""
        return Window.woken(self.list)


class InterfaceAccount(Struct, frozen=True, gc=False):
    """Bytes counted of one interface since `since_ms`. `seen_ms`: when an answer last had it (provider's time).
    `denied`: as for CPU.
    """

    network_id: str
    public: bool
    receive: Series
    transmit: Series
    since_ms: int
    seen_ms: int
    denied: tuple[tuple[str, int], ...] = ()


class VmRecord(Struct, frozen=True, gc=False, kw_only=True):
    """Everything about a VM that the provider's answers of today cannot tell.

    `known_since_at` is the provider's time of the first listing that had it (`appeared`: an earlier one lacked it),
    `running_since_ms` that since which it is seen running (None: it is not), `was_off_ms` those between which it was
    last seen not to (None: never). `status`: as last listed ("" by a version that did not note it). `absences`:
    complete listings in a row that lack it. `grid`: where and when the last answer with traffic ended, and the width of
    its buckets (a window without values).
    """

    vm_id: str
    name: str
    known_since_at: float
    appeared: bool
    running_since_ms: int | None
    lock: Spell
    suspension: Spell
    was_off_ms: tuple[int, int] | None = None
    renames: int = 0
    status: str = ""
    status_changes: int = 0
    absences: int = 0
    cpu: CpuAccount | None = None
    interfaces: Mapping[str, InterfaceAccount] = field(default_factory=lambda: MappingProxyType({}))
    grid: Window | None = None


class AccountRecord(Struct, frozen=True, gc=False, kw_only=True):
    """What is remembered of an account as a whole. `listed`: whether a listing was ever complete. `grids`: by collector
    and longer period, where its buckets lie. `lateness`: by collector, (how late buckets are filled, when that was
    seen) in milliseconds of the provider's time.
    """

    listed: bool = False
    grids: Mapping[str, Mapping[str, Grid]] = field(default_factory=lambda: MappingProxyType({}))
    lateness: Mapping[str, tuple[int, int]] = field(default_factory=lambda: MappingProxyType({}))


class Remembered(Struct, frozen=True, gc=False, kw_only=True):
    """Everything that is remembered under one key. `listed`: by VM, what the last complete listing showed."""

    account: AccountRecord = AccountRecord()
    vms: tuple[VmRecord, ...] = ()
    listed: Mapping[str, ListedVm] = field(default_factory=lambda: MappingProxyType({}))


class Batch(Struct, frozen=True, gc=False, kw_only=True):
    """What is committed at once, each by account: new records, new listed VMs, ids of VMs that are gone."""

    accounts: Mapping[str, AccountRecord] = field(default_factory=dict)
    changed: Mapping[str, Sequence[VmRecord]] = field(default_factory=dict)
    listed: Mapping[str, Mapping[str, ListedVm]] = field(default_factory=dict)
    gone: Mapping[str, Sequence[str]] = field(default_factory=dict)


class LedgerFailed(Exception):
    """What was to be remembered could not be; the message is one line for the operator. It may work later."""


class Ledger(Protocol):
    """Keyed by account (`AccountView.key`) and VM."""

    @property
    def generation(self) -> int:
        """Grows when what was committed may be gone: then everything must be handed over again."""
        ...

    @property
    def size_bytes(self) -> int:
        """How much room it takes; 0 where that is not on a disk."""
        ...

    async def load(self, account: str) -> Remembered:
        """Everything remembered of an account."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Remember all of the batch, or none of it. Raises LedgerFailed."""
        ...
