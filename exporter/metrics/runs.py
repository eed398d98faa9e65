"""Runs: the VMs of an account that are polled together, rendered together.

Which run a VM is in follows from its phase: what is polled one after the other makes few runs stale, and a VM that
comes or goes disturbs no other run.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.clock import Stint
from exporter.fleet import Vm, phase_of
from exporter.metrics.blocks import Block
from exporter.metrics.catalogue import FAMILIES, VM_PARTS, Sample, Tally, TallyFamily, VmFamily
from exporter.metrics.render import Renderer, identity_of

__all__ = ["TALLY_FAMILIES", "VM_FAMILIES", "Run", "renewed", "run_of", "runs_for", "summed"]

VM_FAMILIES = tuple(family for family in FAMILIES if isinstance(family, VmFamily))
TALLY_FAMILIES = tuple(family for family in FAMILIES if isinstance(family, TallyFamily))

_LARGEST_RUN = 256
_SMALLEST_RUN = 96
"""On average. Less than half the largest, lest a VM that comes and goes splits and joins runs each time."""


@dataclass(frozen=True, slots=True)
class Run:
    """Snapshots in the order of their ids (numbers by value); what was made from them: blocks and sums by family."""

    vms: Mapping[str, Vm] = field(default_factory=lambda: MappingProxyType({}))
    identities: tuple[str, ...] = ()
    blocks: Mapping[str, Block] = field(default_factory=lambda: MappingProxyType({}))
    sums: Mapping[str, Tally] = field(default_factory=lambda: MappingProxyType({}))


def runs_for(vms: int, *, now: int) -> int:
    """How many runs so many VMs need where there are `now`: a power of two.

    >>> [runs_for(vms, now=1) for vms in (0, 256, 257, 10_000)]
    [1, 1, 2, 64]
    >>> [runs_for(vms, now=2) for vms in (513, 300, 192, 191)]
    [4, 2, 2, 1]
    """
    runs = max(now, 1)
    while vms > runs * _LARGEST_RUN:
        runs *= 2
    while runs > 1 and vms < runs * _SMALLEST_RUN:
        runs //= 2
    return runs


def run_of(vm_id: str, *, runs: int) -> int:
    """The number of the run that a VM is in."""
    return int(phase_of(vm_id) * runs)


async def renewed(before: Run, *, changed: Iterable[Vm], gone: Iterable[str], stint: Stint) -> Run:
    """The run with these snapshots in it, and without those VMs. What has not changed is not rendered."""
    vms = _with(before.vms, changed, gone)
    identities = _identities(before, vms)
    stale = _stale_collectors(before, vms, identities)
    renderer, blocks = Renderer(), dict[str, Block]()
    await stint.part_done()
    for family in VM_FAMILIES:
        if family.collector not in stale:
            if family.name in before.blocks:
                blocks[family.name] = before.blocks[family.name]
        elif lines := renderer.lines(family, vms.values(), identities):
            blocks[family.name] = Block.of(lines)
            await stint.part_done()
    sums = {family.name: summed(map(family.tally, vms.values())) for family in TALLY_FAMILIES}
    return Run(vms, identities, blocks, sums)


def summed(parts: Iterable[Iterable[Sample]]) -> Tally:
    """The sum of the samples of each label set."""
    sums: dict[tuple[str, ...], float] = {}
    for part in parts:
        for values, number in part:
            sums[values] = sums.get(values, 0.0) + number
    return sums


def _with(vms: Mapping[str, Vm], changed: Iterable[Vm], gone: Iterable[str]) -> Mapping[str, Vm]:
    present = {**vms, **{vm.machine.vm_id: vm for vm in changed}}
    for vm_id in gone:
        del present[vm_id]
    if present.keys() == vms.keys():
        return present
    return {vm_id: present[vm_id] for vm_id in sorted(present, key=lambda vm_id: (len(vm_id), vm_id))}


def _identities(before: Run, vms: Mapping[str, Vm]) -> tuple[str, ...]:
    """Those of the VMs; what was written for the same snapshot is not written again."""
    known = dict(zip(before.vms, before.identities, strict=True))
    return tuple(known[vm_id] if before.vms.get(vm_id) is vm else identity_of(vm) for vm_id, vm in vms.items())


def _stale_collectors(before: Run, vms: Mapping[str, Vm], identities: tuple[str, ...]) -> Collection[str]:
    """The collectors whose blocks are not true any more."""
    collectors = {family.collector for family in VM_FAMILIES}
    if identities != before.identities:
        return collectors
    news = [(before.vms[vm_id], vm) for vm_id, vm in vms.items() if vm is not before.vms[vm_id]]
    return {
        collector
        for collector in collectors
        if any(_part(collector, old) != _part(collector, new) for old, new in news)
    }


def _part(collector: str, vm: Vm) -> object:
    part = VM_PARTS.get(collector)
    return vm if part is None else part(vm)
