"""What a collector brings home: an answer of the provider in our terms, nothing counted yet."""

from typing import ClassVar

from msgspec import Struct

from exporter.counting import Strip
from exporter.fleet import Machine
from exporter.gigas import BrokenMachine

__all__ = [
    "SHORTEST",
    "CpuReading",
    "InterfaceReading",
    "InventoryReading",
    "Reading",
    "TrafficReading",
    "nothing_told",
]

SHORTEST = "-1H"
"""The period that is looked at all the time; the others are for what it does not show any more."""


class InventoryReading(Struct, frozen=True, gc=False, kw_only=True):
    """One complete listing of an account. `unreadable`: entries that could not be understood (some not even
    the id); those VMs are there, whatever they are.
    """

    account: str
    machines: tuple[Machine, ...]
    unreadable: tuple[BrokenMachine, ...]
    duplicates: int
    asked_at: float
    asked_seen_at: float
    credential_expires_at: float | None
    collector: ClassVar[str] = "inventory"


class CpuReading(Struct, frozen=True, gc=False, kw_only=True):
    """A list of chunks without times: busy seconds, None where the answer has nothing usable. They are of the
    whole VM, or of one core, of which the VM has `cores` now (None: of the VM). `took_ms`: how long after it was asked
    for the answer began; it was made at some instant between.
    """

    account: str
    vm_id: str
    values: tuple[float | None, ...]
    width_ms: int
    cores: int | None
    refused: int
    asked_at: float
    asked_seen_at: float
    took_ms: int = 0
    period: str = SHORTEST
    duplicates: int = 0
    collector: ClassVar[str] = "cpu"


class InterfaceReading(Struct, frozen=True, gc=False):
    """Bytes of one interface, both directions over the same buckets."""

    interface_id: str
    network_id: str
    public: bool
    receive: Strip
    transmit: Strip


class TrafficReading(Struct, frozen=True, gc=False, kw_only=True):
    """The interfaces of one VM; none where the provider has no data. `width_hint_ms`: what others' buckets measure.
    `took_ms`: as for CPU.
    """

    account: str
    vm_id: str
    interfaces: tuple[InterfaceReading, ...]
    width_hint_ms: int | None
    refused: int
    duplicates: int
    asked_at: float
    asked_seen_at: float
    took_ms: int = 0
    period: str = SHORTEST
    collector: ClassVar[str] = "traffic"


Reading = InventoryReading | CpuReading | TrafficReading


def nothing_told(
    account: str, vm_id: str, collector: str, period: str, *, asked_at: float, asked_seen_at: float
) -> CpuReading | TrafficReading:
    """What an answer without anything would be: the provider does not know that period."""
    if collector == CpuReading.collector:
        return CpuReading(
            account=account,
            vm_id=vm_id,
            values=(),
            width_ms=1,
            cores=None,
            refused=0,
            asked_at=asked_at,
            asked_seen_at=asked_seen_at,
            period=period,
        )
    return TrafficReading(
        account=account,
        vm_id=vm_id,
        interfaces=(),
        width_hint_ms=None,
        refused=0,
        duplicates=0,
        asked_at=asked_at,
        asked_seen_at=asked_seen_at,
        period=period,
    )
