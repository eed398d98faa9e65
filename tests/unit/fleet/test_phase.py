"""Each VM has an instant of its own within a width, the same in every process."""

import pytest

from exporter.fleet import phase_of

FIRST_ID = 178_931_011_500


def most_in_a_tenth(phases: list[float]) -> int:
    return max(sum(low <= phase * 100 < low + 10 for phase in phases) for low in range(91))


@pytest.mark.parametrize("vms", [50, 300, 10_000])
@pytest.mark.parametrize("every", [1, 2, 3, 10, 1_000])
def test_vms_of_neighbouring_ids_are_spread_more_evenly_than_by_chance(vms: int, every: int) -> None:
    phases = [phase_of(str(FIRST_ID + every * number)) for number in range(vms)]
    assert most_in_a_tenth(phases) <= 0.11 * vms + 2


def test_ids_that_are_no_numbers_are_spread_too() -> None:
    phases = [phase_of(f"vm-{number}") for number in range(1_000)]
    assert most_in_a_tenth(phases) <= 150


@pytest.mark.parametrize("vm_id", ["0", "1", "178931011513", str(2**64 - 1), str(10**40), "", "web-1", "²"])
def test_a_phase_is_below_1(vm_id: str) -> None:
    assert 0 <= phase_of(vm_id) < 1


def test_a_phase_is_the_same_in_every_process() -> None:
    assert phase_of("178931011513") == pytest.approx(0.4327, abs=0.0001)
    assert phase_of("web-1") == pytest.approx(0.0043, abs=0.0001)
