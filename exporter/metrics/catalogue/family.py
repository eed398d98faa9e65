"""What a family is: name, type, unit, help, labels, collector, and where its values come from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from exporter.fleet import AccountView, Vm

__all__ = ["VM_LABELS", "AccountFamily", "Family", "OwnFamily", "Sample", "VmFamily", "always"]

VM_LABELS = ("account", "vm_id", "vm")

Sample = tuple[tuple[str, ...], float]


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
    """One account's part of a family. Labels of the operator's own (`own_labels`) follow the family's."""

    samples: Callable[[AccountView, Iterable[Vm]], Iterable[Sample]]
    own_labels: Callable[[AccountView], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFamily(Family):
    """Kept by prometheus_client (`metrics.own`)."""

    buckets: tuple[float, ...] = ()


def always(value: float | None) -> Iterable[Sample]:
    return () if value is None else (((), float(value)),)
