"""Pages read back, quickly, and held against what the provider has shown."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench import truth

__all__ = ["Page", "rightly_grown"]

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OF_VM = (
    "gigas_vm_info",
    "gigas_vm_cpus",
    "gigas_vm_memory_bytes",
    "gigas_vm_locked",
    "gigas_vm_cpu_usage_ratio",
    "gigas_vm_cpu_usage_timestamp_seconds",
    "gigas_vm_cpu_busy_seconds_total",
)
_OF_INTERFACE = (
    "gigas_vm_network_receive_bytes_total",
    "gigas_vm_network_transmit_bytes_total",
    "gigas_vm_network_receive_bytes_per_second",
    "gigas_vm_network_transmit_bytes_per_second",
    "gigas_vm_network_timestamp_seconds",
)
_TOLERANCE = 1e-9
"""Relative: sums of doubles on either side."""


@dataclass(frozen=True)
class Page:
    """Text 0.0.4, of labels without quotation marks."""

    text: str

    def family(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """The samples of a name: labels and value."""
        start = self.text.find(f"# TYPE {name} ")
        end = self.text.find("\n# HELP ", max(start, 0))
        for told, labels, value in _SAMPLE.findall(self.text, max(start, 0), len(self.text) if end < 0 else end):
            if told == name:
                yield dict(_LABEL.findall(labels)), float(value)

    def of_vms(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of a family by VM, and interface where there are any."""
        return {
            tuple(labels[key] for key in ("vm_id", "interface_id") if key in labels): value
            for labels, value in self.family(name)
        }

    def samples(self) -> int:
        return sum(not line.startswith("#") for line in self.text.splitlines())

    def lacks(self, vms: int) -> list[str]:
        """The families of which not each VM, or interface, has a sample."""
        wanted = dict.fromkeys(_OF_VM, vms) | dict.fromkeys(_OF_INTERFACE, vms * len(truth.INTERFACES))
        return [name for name, count in wanted.items() if len(self.of_vms(name)) != count]


def rightly_grown(before: Page, after: Page, step_s: int) -> int:
    """Hold every counter's growth between two pages against the buckets that ended between its timestamps; return how
    many there were. Raises AssertionError.
    """
    compared = 0
    busy = "gigas_vm_cpu_busy_seconds_total"
    for (vm,), first, count, grown in _grown(before, after, busy, "gigas_vm_cpu_usage_timestamp_seconds", step_s):
        right = step_s * truth.busy_ratio(truth.number_of(vm), first, count)
        assert _equal(grown, right), f"{busy} of {vm} grew by {grown}, not {right}"
        compared += 1
    for name, way in (("receive", "in"), ("transmit", "out")):
        counter = f"gigas_vm_network_{name}_bytes_total"
        grown_ones = _grown(before, after, counter, "gigas_vm_network_timestamp_seconds", step_s)
        for (vm, interface), first, count, grown in grown_ones:
            right = sum(truth.traffic(truth.number_of(vm), interface, way, first, count))
            assert _equal(grown, right), f"{counter} of {vm}, {interface} grew by {grown}, not {right}"
            compared += 1
    return compared


def _grown(
    before: Page, after: Page, counter: str, timestamp: str, step_s: int
) -> Iterator[tuple[tuple[str, ...], int, int, float]]:
    """Of each series: the first bucket that ended since, how many there were, and by how much the counter grew."""
    from_at, until_at = before.of_vms(timestamp), after.of_vms(timestamp)
    counted, then = before.of_vms(counter), after.of_vms(counter)
    assert counted.keys() == then.keys(), f"series of {counter} have come or gone"
    for series, value in then.items():
        first, last = round(from_at[series] / step_s), round(until_at[series] / step_s)
        yield series, first, last - first, value - counted[series]


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(1.0, abs(one), abs(other))
