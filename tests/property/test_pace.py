"""Whatever a provider publishes, and when: about one look a bucket, soon after it is there, spread over the VMs."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.schedule.pace import Habit, Learned, Seen, next_look, phase_of

WARM_UP = 40
BUCKETS = 100


@dataclass(frozen=True)
class Published:
    """A VM whose bucket `n` ends at `n + 1` widths and is there `lag` later; what is not is absent, or empty (0)."""

    lag: float
    absent: bool
    busy: Callable[[int], bool]
    width_s: float = 300.0

    def seen(self, asked_at: float) -> Seen:
        ended = int(asked_at // self.width_s)
        there = int(asked_at / self.width_s - self.lag)
        shown = there if self.absent else ended
        last, before = (bucket < there and self.busy(bucket) for bucket in (shown - 1, shown - 2))
        return Seen(asked_at, shown * self.width_s, self.width_s, (last, before))


def looks(published: Published, *, phase: float, started: float, interval_s: float = 1.0) -> list[float]:
    """The instants of all looks at one VM, in widths."""
    return [at for at, _ in fleet_looks([(published, phase)], started=started, interval_s=interval_s)]


def fleet_looks(
    vms: Sequence[tuple[Published, float]], *, started: float, interval_s: float = 1.0
) -> list[tuple[float, int]]:
    """The instants of all looks, in widths, and at which of the VMs (with their phases) each was."""
    width_s = vms[0][0].width_s
    learned, habits, found = Learned(), [Habit()] * len(vms), list[tuple[float, int]]()
    due = [((10 + started) * width_s, vm) for vm in range(len(vms))]
    while due[0][0] < (10 + WARM_UP + BUCKETS) * width_s:
        asked_at, vm = due[0]
        found.append((asked_at / width_s, vm))
        published, phase = vms[vm]
        learned, habits[vm], delay_s = next_look(
            learned, habits[vm], published.seen(asked_at), running=True, phase=phase, interval_s=interval_s
        )
        assert delay_s >= interval_s
        heapq.heapreplace(due, (asked_at + delay_s, vm))
    return found


def steady(found: list[float]) -> list[float]:
    return [at for at in found if at >= 10 + WARM_UP]


LIVES: dict[str, Callable[[int], bool]] = {
    "busy": lambda _: True,
    "idle": lambda _: False,
    "by turns": lambda bucket: bucket % 2 == 0,
    "seldom busy": lambda bucket: bucket % 7 == 0,
    "seldom idle": lambda bucket: bucket % 7 != 0,
}
phases = st.floats(0, 0.499)
lags = st.floats(0, 0.95)
starts = st.floats(0, 0.999)


@pytest.mark.parametrize("life", LIVES)
@given(lag=lags, absent=st.booleans(), phase=phases, started=starts)
@example(lag=0.95, absent=True, phase=0.0, started=0.0)
def test_in_the_steady_state_there_is_about_one_look_a_bucket(
    life: str, lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(lag, absent, LIVES[life])
    assert len(steady(looks(published, phase=phase, started=started))) <= 1.1 * BUCKETS + 2


@given(lag=st.floats(1, 1.9), phase=phases, started=starts)
def test_a_provider_that_is_more_than_a_width_late_is_not_asked_more_for_that(
    lag: float, phase: float, started: float
) -> None:
    published = Published(lag, absent=True, busy=LIVES["busy"])
    assert len(steady(looks(published, phase=phase, started=started))) <= 1.1 * BUCKETS + 2


@given(lag=lags, absent=st.booleans(), phase=phases, started=starts)
def test_every_bucket_is_found_within_a_width_of_being_published(
    lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(lag, absent, LIVES["busy"])
    found = looks(published, phase=phase, started=started)
    for bucket in range(10 + WARM_UP, 10 + WARM_UP + BUCKETS - 3):
        there = bucket + 1 + lag
        assert next(at for at in found if at >= there) - there <= 0.9


@given(lag=st.floats(0, 0.3), absent=st.booleans(), phase=phases, started=starts)
def test_a_bucket_that_is_published_early_is_found_within_about_a_width_of_its_end(
    lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(lag, absent, LIVES["busy"], width_s=10.0)
    found = looks(published, phase=phase, started=started, interval_s=0.5)
    for bucket in range(10 + WARM_UP, 10 + WARM_UP + BUCKETS - 3):
        assert next(at for at in found if at >= bucket + 1 + lag) - (bucket + 1) <= 1.05


@pytest.mark.parametrize("lag", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("absent", [True, False])
def test_looks_of_a_fleet_are_spread_over_a_width(lag: float, absent: bool) -> None:
    vms = [(Published(lag, absent, LIVES["busy"]), phase_of(str(vm_id))) for vm_id in range(100)]
    found = fleet_looks(vms, started=0.5)
    last = [at % 1 for at, _ in found if at >= found[-1][0] - 10]
    assert len(last) <= 1.1 * 10 * len(vms)
    crowded = max(sum(tenth <= at * 10 < tenth + 1 for at in last) for tenth in range(10))
    assert crowded <= 0.3 * len(last)


def test_one_vm_that_is_always_late_makes_neither_itself_expensive_nor_the_others_old() -> None:
    usual = [(Published(0.2, absent=True, busy=LIVES["busy"]), phase_of(str(vm_id))) for vm_id in range(20)]
    late = (Published(0.9, absent=True, busy=LIVES["busy"]), 0.1)
    found = [(at, vm) for at, vm in fleet_looks([*usual, late], started=0.5) if at >= 10 + WARM_UP]
    assert sum(vm == len(usual) for _, vm in found) <= 1.1 * BUCKETS
    for at, vm in found:
        if vm < len(usual):
            assert (at - usual[vm][1]) % 1 <= 0.5


@given(interval=st.floats(0.01, 5), phase=phases, started=starts)
def test_the_interval_bounds_the_looks_from_above(interval: float, phase: float, started: float) -> None:
    published = Published(0.2, absent=False, busy=LIVES["busy"])
    found = steady(looks(published, phase=phase, started=started, interval_s=interval * published.width_s))
    assert len(found) <= BUCKETS / interval + 1
    assert len(found) <= 1.1 * BUCKETS + 2
