"""The VMs of the simulation and what their buckets truly hold."""

import math

import pytest

from exporter.simulator.lives import LIVES, chance
from exporter.simulator.world import Interface, World
from tests.unit.simulator.made import START, machine_of, machines_of, world

BUCKETS = range(int(START // 10) - 100, int(START // 10))


def test_the_same_seed_makes_the_same_lives() -> None:
    one, two, other = world(seed=3), world(seed=3), world(seed=4)

    def lives(made: World) -> list[object]:
        return [
            (machine.id, machine.memory, [made.cpu_ratio(machine, bucket) for bucket in BUCKETS])
            for machine in machines_of(made)
        ]

    assert lives(one) == lives(two)
    assert lives(one) != lives(other)


def test_what_a_bucket_holds_does_not_depend_on_when_the_simulation_began() -> None:
    early, late = world(), world(now_s=START + 77.7)
    for before, after in zip(machines_of(early), machines_of(late), strict=True):
        if before.hostname.startswith("young"):
            continue
        assert [early.cpu_ratio(before, each) for each in BUCKETS] == [late.cpu_ratio(after, each) for each in BUCKETS]


def test_chances_are_within_zero_and_one_and_spread() -> None:
    drawn = [number for bucket in range(500) for number in chance(1, bucket)]
    assert all(0 <= number < 1 for number in drawn)
    assert 0.45 < math.fsum(drawn) / len(drawn) < 0.55


@pytest.mark.parametrize("life", LIVES)
def test_a_life_is_possible_at_any_time_and_any_luck(life: str) -> None:
    for hour in range(48):
        for luck in ((0.0,) * 4, (0.999999,) * 4, chance(hour)):
            ratio, received, sent = LIVES[life](hour * 3_600.0, luck)
            assert 0 <= ratio <= 1
            assert received >= 0
            assert sent >= 0


def test_the_web_tier_follows_the_day_and_batches_come_in_bursts() -> None:
    made = world(step_s=300.0)
    day = range(int(START // 300) - 288, int(START // 300))
    web = [ratio for each in day if (ratio := made.cpu_ratio(machine_of(made, "web"), each)) is not None]
    batch = [ratio for each in day if (ratio := made.cpu_ratio(machine_of(made, "batch"), each)) is not None]
    assert max(web) > 2 * min(web)
    assert 0.1 < sum(ratio > 0.8 for ratio in batch) / len(batch) < 0.3
    assert sum(ratio < 0.05 for ratio in batch) / len(batch) > 0.7


def test_every_kind_of_trouble_is_among_the_first() -> None:
    made = world(vms=11)
    flags = {machine.hostname.rpartition("-")[0]: machine for machine in machines_of(made)}
    assert set(flags) >= {"web", "database", "batch", "idle"}
    assert flags["stuck"].locked
    assert flags["stuck"].locked_until_at is None
    assert flags["suspended"].suspended
    assert flags["offline"].status == "offline"
    assert flags["unbuilt"].status == "unbuilt"
    assert flags["unbuilt"].locked
    assert flags["error"].error
    assert flags["recovery"].status == "recovery"
    assert flags["recovery"].cdrom
    assert START - 12 * 10 < flags["young"].created_at < START


def test_ids_are_unique_over_all_accounts() -> None:
    made = world(vms=300, accounts=("1", "2", "3"))
    vm_ids = [machine.id for machine in machines_of(made)]
    interface_ids = [interface.id for machine in machines_of(made) for interface in machine.interfaces]
    assert len(set(vm_ids)) == len(vm_ids) == 900
    assert len(set(interface_ids)) == len(interface_ids)
    assert {len(machine.interfaces) for machine in machines_of(made)} == {1, 2}


def test_labels_are_as_awkward_as_people_make_them() -> None:
    text = "".join(machine.label or "" for machine in machines_of(world()))
    assert all(each in text for each in ('"', "\\", "\n", "🚀"))
    assert any(machine.label == "" for machine in machines_of(world()))


@pytest.mark.parametrize("kind", ["offline", "unbuilt"])
def test_a_vm_that_does_not_run_has_no_statistics(kind: str) -> None:
    made = world()
    machine = machine_of(made, kind)
    assert all(made.cpu_ratio(machine, each) is None for each in BUCKETS)
    assert all(made.traffic(machine, machine.interfaces[0], each) is None for each in BUCKETS)


def test_there_is_a_past_before_the_start_and_none_before_that() -> None:
    made = world(history_steps=50)
    machine = machine_of(made, "web")
    told = [made.cpu_ratio(machine, each) is not None for each in BUCKETS]
    assert told == [False] * 50 + [True] * 50


def test_what_has_ended_stays_as_it_was_whatever_is_done_to_the_vm() -> None:
    made = world()
    machine = machine_of(made, "web")

    def ended() -> list[object]:
        return [(made.cpu_ratio(machine, each), made.traffic(machine, machine.interfaces[0], each)) for each in BUCKETS]

    before = ended()
    machine.forced_cpu.append((START, 0.97))
    machine.forced_traffic.append((START, (5.0, 7.0)))
    machine.set_status("offline", START + 1)
    assert ended() == before


def test_a_forced_life_is_that_from_the_next_bucket_until_it_is_its_own_again() -> None:
    made = world()
    machine, now = machine_of(made, "web"), int(START // 10)
    machine.forced_cpu += [(START + 1, 0.97), (START + 25, None)]
    machine.forced_traffic.append((START + 1, (5.0, 7.0)))
    ratios = [made.cpu_ratio(machine, now + each) for each in range(5)]
    assert ratios[1:3] == [0.97, 0.97]
    assert 0.97 not in (ratios[0], *ratios[3:])
    assert made.traffic(machine, machine.interfaces[0], now + 1) == (50.0, 70.0)


def test_an_interface_has_no_traffic_of_before_it_was_attached() -> None:
    made = world()
    machine, now = machine_of(made, "web"), int(START // 10)
    attached = Interface(7, 709, public=False, since_at=START + 3)
    told = [made.traffic(machine, attached, each) is not None for each in range(now - 2, now + 2)]
    assert told == [False, False, True, True]
