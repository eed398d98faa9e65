"""Which requests to make, and an answer as a `Reading`. A collector holds no state and touches none.

To add one: a file here with a class of either protocol, its line in `ACCOUNT_COLLECTORS` or `VM_COLLECTORS`, its
section in the settings and its entries in the metrics catalogue.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from exporter.collectors.cpu import Cpu
from exporter.collectors.inventory import Inventory
from exporter.collectors.options import Options
from exporter.collectors.reading import (
    SHORTEST,
    CpuReading,
    InterfaceReading,
    InventoryReading,
    Reading,
    TrafficReading,
    nothing_told,
)
from exporter.collectors.traffic import Traffic
from exporter.fleet import Machine
from exporter.gigas import AccountClient

__all__ = [
    "ACCOUNT_COLLECTORS",
    "LONGER",
    "SHORTEST",
    "VM_COLLECTORS",
    "AccountCollector",
    "Cpu",
    "CpuReading",
    "InterfaceReading",
    "Inventory",
    "InventoryReading",
    "Options",
    "Reading",
    "Traffic",
    "TrafficReading",
    "VmCollector",
    "nothing_told",
]


class AccountCollector(Protocol):
    """Asks about a whole account."""

    async def collect(self, client: AccountClient) -> Reading:
        """Raises GigasError."""
        ...


class VmCollector(Protocol):
    """Asks about one VM."""

    async def look(
        self, client: AccountClient, machine: Machine, *, period: str = SHORTEST, width_hint_s: float | None
    ) -> Reading:
        """`width_hint_s`: the width that the account's windows of that period had so far. Raises GigasError."""
        ...


ACCOUNT_COLLECTORS: Mapping[str, Callable[[Options], AccountCollector]] = MappingProxyType({"inventory": Inventory})
VM_COLLECTORS: Mapping[str, Callable[[Options], VmCollector]] = MappingProxyType({"traffic": Traffic, "cpu": Cpu})
"""In the order in which they are best asked: a VM's traffic shows the grid on which its CPU lists lie."""

LONGER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"traffic": ("-1day", "-1M", "-1Y"), "cpu": ("-30days",)},
)
"""The longer periods that the provider's page documents, by collector, finest first."""
