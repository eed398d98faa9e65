"""The simulation tells what was, and what of it is published."""

from typing import Any

import pytest

from exporter.simulator.operations import Operations
from exporter.simulator.publication import Publication
from exporter.simulator.truth import Truth
from tests.unit.simulator.made import START, machine_of, world


def vms(told: dict[str, Any]) -> dict[str, Any]:
    of_account: dict[str, Any] = told["accounts"]["17893"]["vms"]
    return of_account


def truth_of(**options: Any) -> Truth:
    made = world(**options)
    return Truth(made, Publication(made), Operations(made))


def test_what_is_published_becomes_the_truth() -> None:
    truth = truth_of()
    early = vms(truth.published(now_s=START + 4, since_at=START - 300, vm_id=None))
    late = vms(truth.published(now_s=START + 64, since_at=START - 300, vm_id=None))
    different = 0
    for vm_id, vm in vms(truth.final(now_s=START + 64, since_at=START - 300, vm_id=None)).items():
        for end in [end for end in vm["cpu"] if float(end) <= START]:
            assert late[vm_id]["cpu"][end] == pytest.approx(vm["cpu"][end], rel=1e-9)
            different += early[vm_id]["cpu"].get(end) != late[vm_id]["cpu"][end]
        for interface_id, interface in vm["interfaces"].items():
            shown = late[vm_id]["interfaces"][interface_id]["traffic"]
            assert [shown[end] for end in interface["traffic"] if float(end) <= START] == [
                value for end, value in interface["traffic"].items() if float(end) <= START
            ]
    assert different > 0


def test_every_ended_bucket_is_told_published_or_not() -> None:
    made = world(lag_s=25.0)
    truth, machine = Truth(made, Publication(made), Operations(made)), machine_of(made, "web")
    final = vms(truth.final(now_s=START + 1, since_at=None, vm_id=machine.id))[machine.id]["cpu"]
    published = vms(truth.published(now_s=START + 1, since_at=None, vm_id=machine.id))[machine.id]["cpu"]
    assert len(final) == 40
    assert max(map(float, final)) == START
    assert 36 <= len(published) < 40


@pytest.mark.parametrize(("since_at", "buckets"), [(None, 40), (START - 50, 5), (0.0, 100), (START + 9_999, 0)])
def test_the_truth_goes_back_as_far_as_is_asked_and_there_is_a_past(since_at: float | None, buckets: int) -> None:
    truth = truth_of(history_steps=100)
    told = vms(truth.final(now_s=START, since_at=since_at, vm_id="178931011500"))
    assert [len(vm["cpu"]) for vm in told.values()] == [buckets]


def test_truth_has_what_is_listed_and_times_as_numbers() -> None:
    vm = vms(truth_of().final(now_s=START, since_at=None, vm_id="178931011500"))["178931011500"]
    assert vm["status"] == "online"
    assert isinstance(vm["created_at"], float)
    assert {interface["public"] for interface in vm["interfaces"].values()} == {True, False}


@pytest.mark.parametrize("step_s", [0.5, 1.0, 300.0])
def test_ends_are_unix_seconds_whatever_the_width(step_s: float) -> None:
    ends = list(
        vms(truth_of(step_s=step_s).final(now_s=START, since_at=None, vm_id="178931011500"))["178931011500"]["cpu"]
    )
    assert all("e" not in end and float(end) % step_s == 0 for end in ends)
    assert step_s < 1 or all(end.isdigit() for end in ends)
