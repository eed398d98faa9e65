"""A record that this program cannot have written so is told apart, whoever has sealed it."""

from typing import Any

import pytest
from msgspec.structs import replace

from exporter.counting import Series, Spell, Window, horizon_of
from exporter.ledger import AccountRecord, CpuAccount, VmRecord
from exporter.ledger.soundness import faults
from tests.unit.ledger.filled import filled

HORIZON = ((10, 10, 31, (5, 0)), (40, 10, 51, (7,)))


def vm(**fields: Any) -> VmRecord:
    """A record with one series, of CPU."""
    usual: dict[str, Any] = {
        "settled_ms": 10, "left_ms": 20, "newest_ms": 50, "complete_ms": 50, "held_until_ms": 0, "began_ms": 0,
        "base": 2**70, "exposed": 2**70 + 12, "horizon": HORIZON,
    }  # fmt: skip
    told = usual | fields
    series = Series(**told | {"horizon": horizon_of(told["horizon"])})
    cpu = CpuAccount(series, Window(0, 10, (1, None, 0), 31).rested(), since_ms=0, on_grid=True)
    spell = Spell(1.0, 2.0)
    return VmRecord(
        vm_id="24", name="web-1", known_since_at=0.0, appeared=True, running_since_ms=None, lock=spell,
        suspension=spell, cpu=cpu,
    )  # fmt: skip


def test_nothing_is_wrong_with_a_sound_record() -> None:
    assert faults(vm()) == []
    assert faults(filled(VmRecord)) == []
    assert faults(filled(AccountRecord)) == []
    assert faults({"label": "web", "cpus": None, "created_at": 1.5, "locked": True}) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"base": -1}, "cpu.series: counts less than nothing"),
        ({"exposed": -1}, "cpu.series: counts less than nothing"),
        ({"settled_ms": 21, "horizon": ()}, "cpu.series: has settled what is still in the window"),
        ({"horizon": ((10, 10, 21, (-5,)),)}, "cpu.series: has a bucket below nothing at 10"),
        ({"horizon": ((20, 10, 31, (5,)), (10, 10, 21, (5,)))}, "cpu.series: has a bucket out of order at 10"),
        ({"horizon": ((10, 10, 21, (5,)), (19, 11, 31, (5,)))}, "cpu.series: has a bucket out of order at 19"),
        ({"horizon": ((9, 11, 21, (5,)),)}, "cpu.series: has a bucket out of order at 9"),
        ({"horizon": ((10, 0, 21, (5,)),)}, "cpu.series: has buckets without width, or none"),
        ({"horizon": ((10, 10, 21, ()),)}, "cpu.series: has buckets without width, or none"),
        ({"horizon": ((10, 10, 5),)}, "cpu.series: horizon.0: is not what it should be, but (10, 10, 5)"),
        ({"base": "1"}, "cpu.series.base: is not what it should be, but '1'"),
        ({"base": True}, "cpu.series.base: is not what it should be, but True"),
        ({"marks": ((1, 2),)}, "cpu.series.marks.0: is not what it should be, but (1, 2)"),
        ({"newest": (1, 2, 3, 4)}, "cpu.series.newest: is not what it should be, but (1, 2, 3, 4)"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(fields: dict[str, Any], said: str) -> None:
    assert faults(vm(**fields)) == [said]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"renames": -1}, "it: counts less than nothing"),
        ({"lock": Spell(1.0, 2.0, lasted_s=-1.0)}, "lock: counts less than nothing"),
        ({"lock": Spell(1.0, 2.0, lasted_s=float("nan"))}, "lock.lasted_s: is not what it should be, but nan"),
        ({"grid": Window(0, 0, (), 0)}, "grid: has buckets without width"),
        ({"grid": Window(0, 10, (-1,), 0)}, "grid: has a bucket below nothing"),
        ({"interfaces": {"45": 7}}, "interfaces.45: is not what it should be, but 7"),
        ({"interfaces": []}, "interfaces: is not what it should be, but []"),
        ({"vm_id": None}, "vm_id: is not what it should be, but None"),
        ({"running_since_ms": 1.5}, "running_since_ms: is not what it should be, but 1.5"),
    ],
)
def test_that_holds_outside_of_series_too(changes: dict[str, Any], said: str) -> None:
    assert faults(replace(vm(), **changes)) == [said]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Window(0, 10, (1, -1), 31), "cpu: its list has a bucket below nothing"),
        (Window(0, 0, (), 31), "cpu: its list has buckets without width"),
        (Window(0, 10, ("1",), 31), "cpu: list.values.0: is not what it should be, but '1'"),  # type: ignore[arg-type]
    ],
)
def test_that_holds_of_the_last_list_too(told: Window, said: str) -> None:
    record = vm()
    assert record.cpu is not None
    assert faults(replace(record, cpu=replace(record.cpu, list=told.rested()))) == [said]


def test_the_grids_of_an_account_have_width() -> None:
    account = filled(AccountRecord)
    collector, grids = next(iter(account.grids.items()))
    period, grid = next(iter(grids.items()))
    broken = replace(account, grids={collector: {period: replace(grid, count=0)}})
    assert faults(broken) == [f"grids.{collector}.{period}: has buckets without width, or none"]
