"""Whatever a provider publishes, and when: about one look a bucket, soon after it is there, spread over the VMs."""

import bisect
import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.fleet import phase_of
from exporter.schedule.pace import Habit, Learned, Seen, next_look, put_off

FIRST = 10
"""The first bucket that matters: the windows before are as full."""
WARM_UP = 40
BUCKETS = 100
WIDTH_S = 300.0


@dataclass(frozen=True)
class Published:
    """A VM whose bucket `n` ends at `n + 1` widths and is there `lag(n)` later, but not before the one in front of it;
    what is not there is absent, or empty (0).
    """

    lag: Callable[[int], float]
    absent: bool
    busy: Callable[[int], bool]
    width_s: float = WIDTH_S
    at: list[float] = field(init=False)
    """The instants at which buckets are there, in widths."""

    def __post_init__(self) -> None:
        buckets = range(FIRST + WARM_UP + BUCKETS + 5)
        object.__setattr__(self, "at", list(itertools.accumulate((n + 1 + self.lag(n) for n in buckets), max)))

    def seen(self, asked_at: float) -> Seen:
        ended, there = int(asked_at / self.width_s), bisect.bisect_right(self.at, asked_at / self.width_s)
        shown = min(there, ended) if self.absent else ended
        last, before = (bucket < there and self.busy(bucket) for bucket in (shown - 1, shown - 2))
        return Seen(asked_at, shown * self.width_s, self.width_s, (last, before), buckets=12)


Look = tuple[float, int]
"""When, in widths, and at which of the VMs."""


def looks(published: Published, *, phase: float, started: float, interval_s: float = 1.0) -> list[float]:
    """The instants of all looks at one VM, in widths."""
    return [at for at, _ in fleet_looks([(published, phase)], started=started, interval_s=interval_s)]


def fleet_looks(
    vms: Sequence[tuple[Published, float]],
    *,
    started: float,
    interval_s: float = 1.0,
    every: int = 1,
    buckets: int = BUCKETS,
) -> list[Look]:
    """All looks at VMs, each with its phase."""
    width_s = vms[0][0].width_s
    learned, habits, found = Learned(), [Habit()] * len(vms), list[Look]()
    due = [((FIRST + started) * width_s, vm) for vm in range(len(vms))]
    while due[0][0] < (FIRST + WARM_UP + buckets) * width_s:
        asked_at, vm = due[0]
        habits[vm], later_s = put_off(learned, habits[vm])
        if later_s:
            heapq.heapreplace(due, (asked_at + later_s, vm))
            continue
        found.append((asked_at / width_s, vm))
        published, phase = vms[vm]
        learned, habits[vm], delay_s = next_look(
            learned,
            habits[vm],
            published.seen(asked_at),
            running=True,
            phase=phase,
            interval_s=interval_s,
            vms=len(vms),
            every_buckets=every,
        )
        assert delay_s >= interval_s
        heapq.heapreplace(due, (asked_at + delay_s, vm))
    return found


def steady(found: list[float]) -> list[float]:
    return [at for at in found if at >= FIRST + WARM_UP]


def always(lag: float) -> Callable[[int], float]:
    return lambda _: lag


LIVES: dict[str, Callable[[int], bool]] = {
    "busy": lambda _: True,
    "idle": lambda _: False,
    "by turns": lambda bucket: bucket % 2 == 0,
    "seldom busy": lambda bucket: bucket % 7 == 0,
    "seldom idle": lambda bucket: bucket % 7 != 0,
}
phases = st.floats(0, 1, exclude_max=True)
lags = st.floats(0, 0.95)
starts = st.floats(0, 0.999)


@pytest.mark.parametrize("life", LIVES)
@given(lag=lags, absent=st.booleans(), phase=phases, started=starts)
@example(lag=0.95, absent=True, phase=0.0, started=0.0)
def test_in_the_steady_state_there_is_about_one_look_a_bucket(
    life: str, lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(always(lag), absent, LIVES[life])
    assert len(steady(looks(published, phase=phase, started=started))) <= 1.1 * BUCKETS + 2


@given(lag=st.floats(1, 1.9), phase=phases, started=starts)
def test_a_provider_that_is_more_than_a_width_late_is_not_asked_more_for_that(
    lag: float, phase: float, started: float
) -> None:
    published = Published(always(lag), absent=True, busy=LIVES["busy"])
    assert len(steady(looks(published, phase=phase, started=started))) <= 1.1 * BUCKETS + 2


@given(lag=lags, absent=st.booleans(), phase=phases, started=starts)
def test_every_bucket_is_found_within_a_width_of_being_published(
    lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(always(lag), absent, LIVES["busy"])
    found = looks(published, phase=phase, started=started)
    for bucket in range(FIRST + WARM_UP, FIRST + WARM_UP + BUCKETS - 3):
        there = bucket + 1 + lag
        assert next(at for at in found if at >= there) - there <= 0.9


@given(lag=st.floats(0, 0.3), absent=st.booleans(), phase=phases, started=starts)
def test_a_bucket_that_is_published_early_is_found_within_about_a_width_of_its_end(
    lag: float, absent: bool, phase: float, started: float
) -> None:
    published = Published(always(lag), absent, LIVES["busy"], width_s=10.0)
    found = looks(published, phase=phase, started=started, interval_s=0.5)
    for bucket in range(FIRST + WARM_UP, FIRST + WARM_UP + BUCKETS - 3):
        assert next(at for at in found if at >= bucket + 1 + lag) - (bucket + 1) <= 1.05


@given(interval=st.floats(0.01, 5), phase=phases, started=starts)
def test_the_interval_bounds_the_looks_from_above(interval: float, phase: float, started: float) -> None:
    published = Published(always(0.2), absent=False, busy=LIVES["busy"])
    found = steady(looks(published, phase=phase, started=started, interval_s=interval * published.width_s))
    assert len(found) <= BUCKETS / interval + 1
    assert len(found) <= 1.1 * BUCKETS + 2


@dataclass(frozen=True)
class Figures:
    """Of a fleet and both of its collectors, once it is known: looks for each bucket and VM; how long after a bucket
    was there it was seen, in widths; the most looks in a tenth of a width over the mean of one.
    """

    requests: float
    median_age: float
    p90_age: float
    peak: float


LagOf = Callable[[random.Random, int], Callable[[int], float]]
"""The lag of each bucket of a VM (by its number)."""

SETTLED = FIRST + WARM_UP
MEASURED = 40
"""Buckets for which a fleet is measured."""
PAUSED = SETTLED - 10

PROVIDERS: dict[str, LagOf] = {
    "at once": lambda _, __: always(0.0),
    "always alike": lambda _, __: always(0.2),
    "between bounds": lambda chance, _: lambda _: chance.uniform(0.05, 0.25),
    "with a tail": lambda chance, _: lambda _: 0.1 * math.exp(chance.gauss(0, 0.5)),
    "late, with a tail": lambda chance, _: lambda _: 0.2 * math.exp(chance.gauss(0, 0.25)),
    "each VM its own": lambda chance, _: always(chance.uniform(0.1, 0.3)),
    "each VM its own, and by chance": lambda chance, _: _about(chance, chance.uniform(0.05, 0.15)),
    "some always late": lambda _, vm: always(0.8 if vm % 20 == 0 else 0.1),
    "half of them late": lambda _, vm: always(0.7 if vm % 2 else 0.1),
    "later since a while": lambda _, __: lambda bucket: 0.5 if bucket >= SETTLED - 30 else 0.1,
    "earlier since a while": lambda _, __: lambda bucket: 0.1 if bucket >= SETTLED - 30 else 0.5,
    "has paused": lambda chance, _: lambda bucket: 3.0 if bucket == PAUSED else chance.uniform(0.1, 0.2),
}


def _about(chance: random.Random, lag: float) -> Callable[[int], float]:
    return lambda _: lag + chance.uniform(0, 0.1)


def busy_of(vm: int, *, all_busy: bool) -> Callable[[int], bool]:
    lives = [life for name, life in LIVES.items() if name != "busy"]
    return LIVES["busy"] if all_busy or vm % 2 else lives[vm // 2 % len(lives)]


def fleet(lag_of: LagOf, *, vms: int, all_busy: bool = True, seed: int = 1) -> list[tuple[Published, float]]:
    """Of a third of the VMs a bucket is absent until it is there."""
    chance = random.Random(seed)  # noqa: S311
    return [
        (
            Published(lag_of(chance, vm), absent=vm % 3 == 1, busy=busy_of(vm, all_busy=all_busy)),
            phase_of(str(178_931_011_500 + vm)),
        )
        for vm in range(vms)
    ]


def figures(
    lag_of: LagOf, *, vms: int = 300, all_busy: bool = True, buckets: int = MEASURED, every: int = 1
) -> Figures:
    """Measured in virtual time over the `buckets` after the fleet has settled."""
    instants, ages = list[float](), list[float]()
    for seed in (1, 2):  # Each collector learns for itself.
        published = fleet(lag_of, vms=vms, all_busy=all_busy, seed=seed)
        shown = [SETTLED] * vms
        for at, vm in fleet_looks(published, started=0.5, every=every, buckets=buckets):
            of_vm = published[vm][0]
            if at >= SETTLED:
                instants.append(at % 1)
            there = min(bisect.bisect_right(of_vm.at, at), SETTLED + buckets)
            ages += [at - of_vm.at[bucket] for bucket in range(shown[vm], there) if of_vm.busy(bucket)]
            shown[vm] = max(shown[vm], there)
    ages.sort()
    return Figures(
        requests=len(instants) / (2 * vms * buckets),
        median_age=ages[len(ages) // 2],
        p90_age=ages[len(ages) * 9 // 10],
        peak=10 * most_in_a_tenth(instants) / len(instants),
    )


def most_in_a_tenth(instants: list[float]) -> int:
    """The most that lie in any tenth of a width, wherever it begins."""
    around = sorted(instants)
    around += [at + 1 for at in around]
    return max(bisect.bisect_left(around, around[first] + 0.1) - first for first in range(len(instants)))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_fleet_costs_about_a_request_a_bucket_is_fresh_and_spread_evenly(provider: str) -> None:
    found = figures(PROVIDERS[provider])
    assert found.requests <= 1.05, found
    assert found.median_age <= 0.25, found
    assert found.p90_age <= 0.5, found
    assert found.peak <= 2.5, found


@pytest.mark.parametrize("vms", [10, 100])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_vm_pays_for_what_is_too_early_of_all(provider: str, vms: int) -> None:
    found = fleet_looks(fleet(PROVIDERS[provider], vms=vms), started=0.5, buckets=MEASURED)
    of_each = Counter(vm for at, vm in found if at >= SETTLED)
    assert max(of_each.values()) <= 1.6 * MEASURED, of_each.most_common(3)


@pytest.mark.parametrize("provider", ["between bounds", "with a tail", "each VM its own"])
def test_so_does_a_fleet_half_of_which_is_idle_now_and_then(provider: str) -> None:
    found = figures(PROVIDERS[provider], all_busy=False)
    assert found.requests <= 1.05, found
    assert found.median_age <= 0.26, found
    assert found.peak <= 2.5, found


@pytest.mark.parametrize("vms", [1, 5, 25])
def test_a_few_vms_cost_about_a_request_a_bucket_too(vms: int) -> None:
    for provider in ("between bounds", "with a tail", "each VM its own"):
        found = figures(PROVIDERS[provider], vms=vms, buckets=BUCKETS)
        assert found.requests <= 1.06, found
        assert found.median_age <= 0.5, found


def test_a_pause_of_three_widths_costs_some_looks_once_and_makes_none_late_for_long() -> None:
    vms = fleet(PROVIDERS["has paused"], vms=100)
    found = fleet_looks(vms, started=0.5, buckets=30)
    during = [at for at, _ in found if PAUSED <= at < PAUSED + 10]
    assert len(during) <= 1.4 * 10 * len(vms)
    lates = sorted(at % 1 for at, _ in found if at >= PAUSED + 15)
    assert lates[len(lates) // 2] <= 0.2 + 0.25


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("provider", ["between bounds", "with a tail", "each VM its own"])
def test_who_looks_once_in_so_many_buckets_asks_so_much_less(provider: str, every: int) -> None:
    found = figures(PROVIDERS[provider], vms=100, every=every)
    assert found.requests <= 1.08 / every, found
    assert found.median_age <= (every - 1) / 2 + 0.5, found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_two_looks_in_a_row_at_a_vm_miss_the_last_third_of_a_window(provider: str) -> None:
    vms = fleet(PROVIDERS[provider], vms=30)
    last: dict[int, float] = {}
    for at, vm in fleet_looks(vms, started=0.5, every=3, buckets=MEASURED):
        assert at - last.get(vm, at) <= 4
        last[vm] = at


def test_one_vm_that_is_always_late_makes_neither_itself_expensive_nor_the_others_old() -> None:
    usual = [(Published(always(0.2), absent=True, busy=LIVES["busy"]), phase_of(str(vm))) for vm in range(20)]
    late = (Published(always(0.9), absent=True, busy=LIVES["busy"]), 0.1)
    found = [(at, vm) for at, vm in fleet_looks([*usual, late], started=0.5) if at >= SETTLED]
    assert sum(vm == len(usual) for _, vm in found) <= 1.1 * BUCKETS
    ages = sorted((at - usual[vm][0].at[int(at - 0.2) - 1]) for at, vm in found if vm < len(usual))
    assert ages[len(ages) // 2] <= 0.25
    assert ages[len(ages) * 9 // 10] <= 0.5
