"""What the page's operations and steering do to a VM."""

from typing import Any

import pytest

from exporter.simulator.operations import Operations, WrongParameterError
from exporter.simulator.steering import WrongSteeringError, steer
from exporter.simulator.world import Account, World
from tests.unit.simulator.made import START, machine_of, world

NEW = {"memory": "128", "cpus": "1", "label": "pruebaApi", "hostname": "pruebaApi", "primary_disk_size": "5"}
"""The page's own example."""


def made(**options: Any) -> tuple[World, Account, Operations]:
    simulated = world(lock_s=30.0, **options)
    return simulated, simulated.accounts["17893"], Operations(simulated)


def test_an_operation_locks_the_vm_until_it_is_done() -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, "web")
    token = operations.queue(account, machine, START)
    seen = []
    for after_s in (0, 29, 30):
        operations.settle(account, START + after_s)
        seen.append(machine.locked)
    assert seen == [True, True, False]
    assert machine.updated_at == START
    assert token != operations.queue(account, machine, START + 31)


def test_a_stuck_lock_outlasts_every_operation() -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, "stuck")
    operations.queue(account, machine, START)
    operations.settle(account, START + 10_000)
    assert machine.locked


def test_an_edit_shows_at_once() -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, "web")
    asked = {"memory": "1024", "cpus": 4, "label": "NewLabel", "note": None, "cpu_type": "amd", "boot_type": "cdrom"}
    operations.edit(account, machine, {**asked, "primary_disk_size": "50", "max_memory": "ignored"}, START)
    assert (machine.memory, machine.cpus, machine.label, machine.cpu_type) == (1024, 4, "NewLabel", "amd")
    assert (machine.boot_type, machine.disk_gb) == ("cdrom", 50)


def test_a_vm_that_is_stopped_has_no_statistics_until_it_is_started() -> None:
    simulated, account, operations = made()
    machine, now = machine_of(simulated, "web"), int(START // 10)
    operations.edit(account, machine, {"status": "offline"}, START + 1)
    operations.edit(account, machine, {"status": "online"}, START + 21)
    told = [simulated.cpu_ratio(machine, each) is not None for each in range(now - 1, now + 4)]
    assert told == [True, False, False, True, True]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"memory": "much"}, "memory"),
        ({"cpus": 0}, "cpus"),
        ({"status": "recovery"}, "status"),
        ({"status": ["online"]}, "status"),
        ({"hostname": "1st"}, "hostname"),
        ({"hostname": "a" * 26}, "hostname"),
        ({"cpu_type": "arm"}, "cpu_type"),
        ({"label": 5}, "label"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name_and_changes_nothing(asked: dict[str, object], name: str) -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, "web")
    with pytest.raises(WrongParameterError, match=name):
        operations.edit(account, machine, {"note": "changed", **asked}, START)
    assert machine.note is None
    assert not machine.locked


def test_a_new_vm_is_unbuilt_and_locked_and_then_online_with_a_life_of_its_own() -> None:
    simulated, account, operations = made()
    machine, _ = operations.create(account, NEW, START + 1)
    assert (machine.status, machine.locked, machine.memory) == ("unbuilt", True, 128)
    operations.settle(account, START + 31)
    assert (machine.status, machine.locked) == ("online", False)
    now = int(START // 10)
    told = [simulated.cpu_ratio(machine, each) is not None for each in range(now, now + 5)]
    assert told == [False, False, False, True, True]


def test_a_new_vm_without_what_the_page_demands_is_not_made() -> None:
    _, account, operations = made()
    with pytest.raises(WrongParameterError, match="hostname"):
        operations.create(account, {"memory": 1, "cpus": 1, "label": "x"}, START)
    with pytest.raises(WrongParameterError, match="cpus"):
        operations.create(account, {**NEW, "cpus": "many"}, START)
    assert len(account.machines) == 25


@pytest.mark.parametrize(("asked", "status"), [({}, "offline"), ({"required_startup": True}, "online")])
def test_a_clone_is_like_its_source_and_starts_only_if_asked(asked: dict[str, object], status: str) -> None:
    simulated, account, operations = made()
    source = machine_of(simulated, "database")
    clone, _ = operations.clone(account, source, {"hostname": "copy", "label": "copy", **asked}, START)
    assert (clone.memory, clone.cpus, clone.label) == (source.memory, source.cpus, "copy")
    operations.settle(account, START + 30)
    assert clone.status == status


@pytest.mark.parametrize("kind", ["web", "stuck", "unbuilt"])
def test_a_destroyed_vm_is_locked_and_then_gone(kind: str) -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, kind)
    operations.destroy(account, machine, START)
    operations.settle(account, START + 29)
    assert account.machines[machine.id].locked
    operations.settle(account, START + 30)
    assert machine.id not in account.machines


def test_ids_are_not_used_again() -> None:
    _, account, operations = made()
    first = operations.add(account, START)
    del account.machines[first.id]
    assert operations.add(account, START).id != first.id
    ids = {interface.id for machine in account.machines.values() for interface in machine.interfaces}
    machine = next(iter(account.machines.values()))
    added = [operations.add_interface(account, machine, {"network_id": 800 + n}, START)[0].id for n in range(5)]
    assert len(set(added) - ids) == 5


def test_a_second_public_interface_is_refused() -> None:
    simulated, account, operations = made()
    with pytest.raises(WrongParameterError, match="public"):
        operations.add_interface(account, machine_of(simulated, "web"), {"network_id": 1}, START)


def test_a_lock_set_by_hand_is_not_ended_by_an_operation() -> None:
    simulated, account, operations = made()
    machine = machine_of(simulated, "web")
    operations.queue(account, machine, START)
    steer(machine, {"locked": True}, START + 1)
    operations.settle(account, START + 1_000)
    assert machine.locked


def test_steering_changes_what_it_names() -> None:
    machine = machine_of(world(), "web")
    steer(machine, {"suspended": True, "error": 1, "label": None, "memory": 4096, "status": "frozen"}, START)
    assert (machine.suspended, machine.error, machine.label) == (True, True, None)
    assert (machine.memory, machine.status) == (4096, "frozen")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("locked", "yes"),
        ("cpu", -0.1),
        ("cpu", float("nan")),
        ("cpu", "full"),
        ("traffic_bytes_per_second", [1]),
        ("traffic_bytes_per_second", [1, None]),
        ("memory", 1.5),
        ("status", None),
        ("colour", "red"),
    ],
)
def test_wrong_steering_is_refused_by_name_and_changes_nothing(name: str, value: object) -> None:
    machine = machine_of(world(), "web")
    with pytest.raises(WrongSteeringError, match=name):
        steer(machine, {"error": True, name: value}, START)
    assert not machine.error
