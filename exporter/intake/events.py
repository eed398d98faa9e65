"""What intake tells of: to whoever observes, and to whoever decides when to look again."""

from dataclasses import dataclass

from msgspec import Struct

__all__ = [
    "CommitFailed",
    "Committed",
    "FleetChanged",
    "FoldFailed",
    "IntakeEvent",
    "LockEnded",
    "ReadingTaken",
    "Restored",
    "Taken",
]


class ReadingTaken(Struct, frozen=True, gc=False, kw_only=True):
    """Event: a reading was counted. What it has shown is of this reading alone: so many `buckets` are complete now and
    counted; `lost_s` of the VM's time are missing for good; `caught_up_s` were missing and are counted now,
    `estimated_s` of that shared out by time.
    """

    account: str
    collector: str
    vm_id: str = ""
    buckets: int = 0
    lost_s: float = 0.0
    caught_up_s: float = 0.0
    estimated_s: float = 0.0
    refused: int = 0
    duplicates: int = 0


class FleetChanged(Struct, frozen=True, gc=False):
    """Event: VMs came, went or changed their names (old, new)."""

    account: str
    born: tuple[str, ...]
    gone: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


class LockEnded(Struct, frozen=True, gc=False):
    """Event: a lock ended that was seen to begin; it lasted so long, from listing to listing."""

    account: str
    vm_id: str
    lasted_s: float


class Restored(Struct, frozen=True, gc=False):
    """Event: what was remembered of an account is known again."""

    account: str
    vms: int


@dataclass(frozen=True, slots=True)
class FoldFailed:
    """Event: a fault of ours met an answer, which is dropped. What was known of the VM stays."""

    account: str
    collector: str
    vm_id: str
    error: Exception


class Committed(Struct, frozen=True, gc=False):
    """Event: what was counted is remembered. `size_bytes`: of the ledger's file."""

    vms: int
    duration_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """Event: what was counted is not remembered yet, `vms` in all; it is shown all the same."""

    cause: str
    vms: int


IntakeEvent = ReadingTaken | FleetChanged | LockEnded | Restored | FoldFailed | Committed | CommitFailed


class Taken(Struct, frozen=True, gc=False, kw_only=True):
    """What a look at a VM has shown, for whoever decides when to look again. `filled`: whether the last bucket, and the
    one before it, held anything; `buckets`: for how many the window has room, filled or not. `end_at` and `width_s` are
    None where the provider had no data. `period`: the one that was asked for. `owes`: a longer period that is to be
    asked, and from when on (provider's time); `is_owed`: because something is missing, not to learn how that period
    looks. `again`: another look would tell what this one did not.
    """

    account: str
    vm_id: str
    collector: str
    period: str
    asked_at: float
    end_at: float | None = None
    width_s: float | None = None
    filled: tuple[bool, bool] = (False, False)
    buckets: int = 0
    owes: tuple[str, float] | None = None
    is_owed: bool = False
    again: bool = False
