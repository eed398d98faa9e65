"""VMs that are polled together are rendered together, and only what has changed of them is."""

from typing import Any

import pytest
from msgspec.structs import fields, replace

from exporter.clock import Stint, SystemClock
from exporter.fleet import CpuUsage, InterfaceTraffic, Machine, Outcome, SpellView, Vm, phase_of
from exporter.metrics.catalogue import VM_PARTS
from exporter.metrics.runs import VM_FAMILIES, Run, renewed, run_of, runs_for
from tests.builders import cpu, interface, vm
from tests.clocks import LaboriousClock

OTHERS: dict[type, Any] = {str: "other", bool: True, int: 7, float: 7.5}


def whole(**more: Any) -> Vm:
    """A VM of which everything is known."""
    known: dict[str, Any] = dict.fromkeys(("cpus", "cpu_shares", "memory_bytes", "created_at", "updated_at"), 1)
    spell = SpellView(1.0, 1, 1.0)
    return vm(cpu=cpu(), interfaces=(interface(),), lock=spell, suspension=spell, **known, **more)


async def renew(before: Run, *changed: Vm, gone: tuple[str, ...] = ()) -> Run:
    return await renewed(before, changed=changed, gone=gone, stint=Stint(SystemClock()))


def other_values(snapshot: Any) -> list[Any]:
    """Snapshots that differ from this one in a field each, however deep."""
    found = []
    for each in fields(snapshot):
        value = getattr(snapshot, each.name)
        if isinstance(value, (Machine, SpellView, CpuUsage, InterfaceTraffic)):
            changed = other_values(value)
        elif isinstance(value, tuple):
            changed = [(other,) for other in other_values(value[0])]
        elif isinstance(value, Outcome):
            changed = [Outcome.IDLE]
        else:
            changed = [OTHERS[type(value)]]
        assert changed
        found += [replace(snapshot, **{each.name: other}) for other in changed]
    return found


def test_a_family_reads_nothing_of_a_vm_but_the_part_of_its_collector() -> None:
    """Else its lines would stay as they were when what they are made of changes."""
    before = whole()
    read = set()
    for after in other_values(before):
        for family in VM_FAMILIES:
            if list(family.samples(after)) != list(family.samples(before)):
                part = VM_PARTS[family.collector]
                assert part(after) != part(before), family.name
                read.add(family.name)
    assert read == {family.name for family in VM_FAMILIES}


@pytest.mark.parametrize(
    ("changes", "collectors"),
    [
        ({"cpu": cpu(busy_s=121.0)}, {"cpu"}),
        ({"interfaces": (interface(receive_bytes=2e9),)}, {"traffic"}),
        ({"cpu": None, "interfaces": ()}, {"cpu", "traffic"}),
        ({"renames": 1}, {"inventory"}),
        ({"lock": SpellView(2.0, 2, 1.0)}, {"inventory"}),
        ({"cpu_outcome": Outcome.FAILING, "ages_at": 5.0}, set()),
        ({"machine": replace(whole().machine, label="new")}, {"inventory", "cpu", "traffic"}),
    ],
)
async def test_only_blocks_of_what_has_changed_are_rendered(changes: dict[str, Any], collectors: set[str]) -> None:
    before = await renew(Run(), whole(), whole(vm_id="25"))
    after = await renew(before, replace(whole(), **changes))
    fresh = await renew(Run(), replace(whole(), **changes), whole(vm_id="25"))
    assert after == fresh
    kept = {
        family.collector for family in VM_FAMILIES if before.blocks.get(family.name) is after.blocks.get(family.name)
    }
    assert kept == {family.collector for family in VM_FAMILIES} - collectors


async def test_vms_come_and_go_and_stand_in_the_order_of_their_ids() -> None:
    run = await renew(Run(), *(vm(vm_id=vm_id) for vm_id in ("9", "100", "24", "a")))
    assert list(run.vms) == ["9", "a", "24", "100"]
    run = await renew(run, vm(vm_id="25"), gone=("24", "a"))
    assert run == await renew(Run(), *(vm(vm_id=vm_id) for vm_id in ("100", "25", "9")))
    empty = await renew(run, gone=("9", "25", "100"))
    assert (empty.vms, empty.blocks) == ({}, {})


def test_vms_that_are_polled_one_after_the_other_are_in_one_run_or_in_its_neighbour() -> None:
    runs = runs_for(10_000, now=0)
    by_phase = sorted((str(178_931_000_000 + number) for number in range(10_000)), key=phase_of)
    touched = [run_of(vm_id, runs=runs) for vm_id in by_phase]
    assert touched == sorted(touched)
    sizes = [touched.count(run) for run in range(runs)]
    assert min(sizes) >= 128
    assert max(sizes) <= 256


def test_a_vm_that_comes_and_goes_does_not_change_the_number_of_runs_each_time() -> None:
    runs, counts = 1, []
    for vms in (256, 257, 256, 257, 192, 191, 192, 257):
        runs = runs_for(vms, now=runs)
        counts.append(runs)
    assert counts == [1, 2, 2, 2, 2, 1, 1, 2]


async def test_a_run_gives_way_while_it_is_rendered() -> None:
    clock = LaboriousClock()
    vms = [whole(vm_id=str(number)) for number in range(256)]
    run = await renewed(Run(), changed=vms, gone=(), stint=Stint(clock))
    assert clock.gave_way >= len(run.blocks)
