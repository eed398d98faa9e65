"""What an answer makes anew of a snapshot, and what it leaves."""

import pytest
from msgspec.structs import replace

from exporter.counting import Series
from exporter.fleet import Outcome, Vm
from exporter.intake.snapshots import answered, shown
from exporter.ledger import VmRecord
from tests.builders import machine
from tests.unit.ledger.filled import filled

BEFORE = filled(VmRecord)


def more(series: Series) -> Series:
    return replace(series, exposed=series.exposed + 2**40, newest_ms=series.newest_ms + 300_000)


def after() -> VmRecord:
    """The record when each series has grown."""
    assert BEFORE.cpu is not None
    interfaces = {
        name: replace(each, receive=more(each.receive), transmit=more(each.transmit))
        for name, each in BEFORE.interfaces.items()
    }
    return replace(BEFORE, cpu=replace(BEFORE.cpu, series=more(BEFORE.cpu.series)), interfaces=interfaces)


def snapshot(record: VmRecord, cpu: Outcome = Outcome.WAITING, traffic: Outcome = Outcome.WAITING) -> Vm:
    return shown(
        record,
        machine(vm_id="24"),
        account="production",
        stale_after_s=900.0,
        ahead_s=3.0,
        cpu_outcome=cpu,
        traffic_outcome=traffic,
    )


@pytest.mark.parametrize("order", [("cpu", "traffic"), ("traffic", "cpu")])
def test_one_answer_from_each_collector_makes_the_whole_snapshot(order: tuple[str, str]) -> None:
    vm = snapshot(BEFORE)
    for collector in order:
        vm = answered(vm, after(), collector, outcome=Outcome.OK, stale_after_s=900.0, ahead_s=3.0)
    assert vm == snapshot(after(), Outcome.OK, Outcome.OK)


@pytest.mark.parametrize(("collector", "other"), [("cpu", "interfaces"), ("traffic", "cpu")])
def test_what_the_other_collector_shows_stands_even_if_the_clock_says_something_else(
    collector: str, other: str
) -> None:
    vm = answered(snapshot(BEFORE), after(), collector, outcome=None, stale_after_s=900.0, ahead_s=3.000_001)
    assert getattr(vm, other) == getattr(snapshot(BEFORE), other)
    assert (vm.cpu_outcome, vm.traffic_outcome) == (Outcome.WAITING, Outcome.WAITING)
