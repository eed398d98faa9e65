"""What a family is: name, type, unit, help, labels, collector, and where its values come from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from exporter.fleet import AccountView, Vm

__all__ = [
    "VM_LABELS",
    "VM_PARTS",
    "AccountFamily",
    "Family",
    "OwnFamily",
    "Sample",
    "Tally",
    "TallyFamily",
    "VmFamily",
    "always",
]

VM_LABELS = ("account", "vm_id", "vm")

_OF_STATISTICS = frozenset({"cpu", "interfaces", "cpu_outcome", "traffic_outcome", "ages_at"})
VM_PARTS: Mapping[str, Callable[[Vm], object]] = {
    "inventory": attrgetter(*(name for name in Vm.__struct_fields__ if name not in _OF_STATISTICS)),
    "cpu": attrgetter("cpu"),
    "traffic": attrgetter("interfaces"),
}
"""All that the VM families of a collector read, beside what `VM_LABELS` say: they are rendered anew when it changes.
Those of a collector that is not here, when anything does.
"""

Sample = tuple[tuple[str, ...], float]
Tally = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`name` is as the text format shows it (a counter's ends in `_total`); `collector` is what `collect[]` selects."""

    name: str
    type: Literal["gauge", "counter", "histogram"]
    help: str
    collector: str
    labels: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFamily(Family):
    """One VM's part of a family."""

    samples: Callable[[Vm], Iterable[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFamily(Family):
    """One account's part of a family, of which VMs have none. Labels of the operator's own (`own_labels`) follow the
    family's.
    """

    samples: Callable[[AccountView], Iterable[Sample]]
    own_labels: Callable[[AccountView], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyFamily(Family):
    """Sums over the VMs of an account, absent until it was listed. Its first label is `account`; what follows speaks of
    the others only.

    `tally` gives what one VM adds, `zeros` which sums are there though no VM adds to them, and `shown` how an account's
    sums are shown in the light of the account itself.
    """

    tally: Callable[[Vm], Iterable[Sample]]
    zeros: tuple[tuple[str, ...], ...] = ()
    shown: Callable[[AccountView, Tally], Tally] = lambda _, sums: sums


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFamily(Family):
    """Kept by prometheus_client (`metrics.own`)."""

    buckets: tuple[float, ...] = ()


def always(value: float | None) -> Iterable[Sample]:
    return () if value is None else (((), value),)
