"""A VM is looked at soon after its next bucket can have been published, and not before."""

import itertools

import pytest
from msgspec.structs import replace

from exporter.fleet import phase_of
from exporter.schedule.pace import Habit, Learned, Seen, after_failure, next_look, put_off

WIDTH = 300.0


def look(
    habit: Habit,
    asked_at: float,
    end_at: float,
    *,
    filled: tuple[bool, bool] = (True, True),
    phase: float = 0.0,
    running: bool = True,
    interval_s: float = 1.0,
    learned: Learned = Learned(WIDTH),  # noqa: B008 - frozen
    every: int = 1,
    buckets: int = 12,
) -> tuple[Habit, float]:
    seen = Seen(asked_at, end_at, WIDTH, filled, buckets)
    return next_look(
        learned, habit, seen, running=running, phase=phase, interval_s=interval_s, vms=1, every_buckets=every
    )[1:]


def late(learned: Learned, *, vms: int, times: int) -> Learned:
    """What is learned from so many buckets that came a little too late for a look."""
    for _ in range(times):
        habit = Habit(missed_at=1_300.0, missed_age=learned.lag + 0.01, misses=1, absent=True)
        seen = Seen(1_300.0 + WIDTH * (learned.lag + 0.1), 1_300.0, WIDTH, (True, True))
        learned = next_look(learned, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=vms)[0]
    return learned


def in_time(learned: Learned, *, vms: int, times: int) -> Learned:
    for _ in range(times):
        seen, habit = Seen(1_400.0, 1_300.0, WIDTH, (True, True)), Habit(placed=learned.lag)
        learned = next_look(learned, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=vms)[0]
    return learned


def no_data(habit: Habit, *, width_s: float | None = WIDTH, running: bool = True) -> tuple[Habit, float]:
    return next_look(Learned(width_s), habit, None, running=running, phase=0.3, interval_s=10.0, vms=1)[1:]


def test_the_next_look_is_due_when_the_next_bucket_ends_and_lag_and_phase_have_passed() -> None:
    _, delay_s = look(Habit(), asked_at=1_080.0, end_at=1_000.0, phase=0.25, learned=Learned(WIDTH, lag=0.2))
    assert delay_s == pytest.approx(1_300 + WIDTH * (0.2 + 0.435 * 0.25) - 1_080)


def test_a_bucket_that_is_not_there_in_its_time_is_looked_for_again_soon_and_then_ever_later() -> None:
    habit, delays, asked_at = Habit(), list[float](), 1_330.0
    for _ in range(7):
        habit, delay_s = look(habit, asked_at, 1_000.0)
        delays.append(delay_s)
        asked_at += delay_s
    assert delays[:4] == [48, 96, 192, 300]
    assert delays[-1] == WIDTH


def test_the_lag_stands_where_few_looks_in_a_hundred_are_too_early() -> None:
    lags = [0.5]
    for early in (1, 2, 4):
        learned = Learned(WIDTH, lag=0.5)
        for _ in range(25):
            learned = in_time(late(learned, vms=100, times=early), vms=100, times=48 - early)
        lags.append(learned.lag)
    assert lags[1] < 0.47
    assert lags[2] == pytest.approx(0.5, abs=0.01)
    assert lags[3] > 0.53


def test_a_width_in_which_all_is_late_raises_the_lag_by_no_more_in_a_large_fleet_than_in_a_small_one() -> None:
    for vms in (5, 100, 10_000):
        assert late(Learned(WIDTH, told=10 * vms), vms=vms, times=vms).lag == pytest.approx(0.3)
    assert late(Learned(WIDTH), vms=1, times=1).lag == pytest.approx(0.14)


def test_of_which_little_is_known_a_large_fleet_learns_by_larger_steps() -> None:
    for vms in (5, 100, 200):
        assert late(Learned(WIDTH), vms=vms, times=vms).lag == pytest.approx(0.3)
    for vms in (2_000, 10_000):
        first = late(Learned(WIDTH), vms=vms, times=vms // 20)
        assert 0.13 < first.lag < 0.15
        later = late(replace(first, told=4 * vms), vms=vms, times=vms // 20)
        assert later.lag - first.lag == pytest.approx(0.01)


def test_a_fleet_that_is_far_late_at_first_does_not_make_the_lag_run_ahead() -> None:
    learned = Learned(WIDTH)
    for _ in range(10_000):
        habit = Habit(missed_at=1_300.0, missed_age=0.9, misses=3, absent=True)
        seen = Seen(1_300.0 + WIDTH * 1.5, 1_300.0, WIDTH, (True, True))
        learned = next_look(learned, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=10_000)[0]
    assert learned.lag == pytest.approx(0.3)


def test_a_look_that_comes_by_no_lag_tells_nothing_of_it_unless_it_is_too_early() -> None:
    """After a start all looks come long after buckets were there."""
    learned = Learned(WIDTH, lag=0.3)
    seen = Seen(1_400.0, 1_300.0, WIDTH, (True, True))
    told, habit, _ = next_look(learned, Habit(), seen, running=True, phase=0.0, interval_s=1.0, vms=10)
    assert (told, habit.placed) == (learned, 0.3)
    told, _, _ = next_look(told, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=10)
    assert told.lag < 0.3


def test_a_look_that_is_placed_is_put_off_once_the_lag_has_risen_by_much() -> None:
    habit, _ = look(Habit(), 1_480.0, 1_300.0, learned=Learned(WIDTH, lag=0.2))
    assert put_off(Learned(WIDTH, lag=0.205), habit) == (habit, 0.0)
    assert put_off(Learned(WIDTH, lag=0.1), habit) == (habit, 0.0)
    habit, later_s = put_off(Learned(WIDTH, lag=0.3), habit)
    assert later_s == pytest.approx(0.1 * WIDTH)
    assert put_off(Learned(WIDTH, lag=0.3), habit) == (habit, 0.0)


@pytest.mark.parametrize(
    ("habit", "end_at", "interval_s"),
    [(Habit(), 1_000.0, 1.0), (Habit(), 1_300.0, WIDTH), (Habit(lag=0.7, kept_looks=9), 1_300.0, 1.0)],
    ids=["looks again for what is missing", "as often as may be", "has a lag of its own"],
)
def test_a_look_that_the_lag_has_not_placed_is_not_put_off(habit: Habit, end_at: float, interval_s: float) -> None:
    habit, _ = look(habit, 1_480.0, end_at, interval_s=interval_s)
    assert put_off(Learned(WIDTH, lag=0.9), habit) == (habit, 0.0)


def test_a_lag_that_is_too_long_shrinks_ever_faster() -> None:
    lags = [0.8]
    learned = Learned(WIDTH, lag=0.8, told=10_000)
    for _ in range(12):
        learned = in_time(learned, vms=300, times=300)
        lags.append(learned.lag)
    fallen = [before - after for before, after in itertools.pairwise(lags)]
    assert fallen[0] < 0.01
    assert fallen[-1] > 5 * fallen[0]
    assert late(learned, vms=300, times=1).quiet == 0


def test_a_vm_that_is_far_later_than_the_others_as_a_habit_has_a_lag_of_its_own() -> None:
    learned, habit, asked_at = Learned(WIDTH), Habit(), 1_330.0
    for bucket in range(3):
        assert habit.lag is None
        end = 1_300.0 + WIDTH * bucket
        for age, there in ((0.1, False), (0.6, False), (0.85, True)):
            asked_at = end + WIDTH * age
            seen = Seen(asked_at, end if there else end - WIDTH, WIDTH, (True, True))
            learned, habit, _ = next_look(learned, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=100)
    assert habit.lag == pytest.approx(0.6625, abs=0.001)
    assert learned.lag < 0.11


def test_a_vm_that_is_hardly_later_but_always_takes_its_turn_after_the_last_for_some_looks() -> None:
    learned, habit, told = Learned(WIDTH), Habit(), list[bool]()
    for bucket in range(4):
        told.append(habit.there_age > 0)
        end = 1_300.0 + WIDTH * bucket
        for age, there in ((0.15, False), (0.28, True)):
            seen = Seen(end + WIDTH * age, end if there else end - WIDTH, WIDTH, (True, True))
            learned, habit, delay_s = next_look(
                learned, habit, seen, running=True, phase=0.1, interval_s=1.0, vms=1_000
            )
    assert told == [False] * 4
    assert habit.there_age == pytest.approx(0.1825, abs=0.001)
    assert delay_s == pytest.approx(WIDTH * (1 + learned.lag + 0.435 * 1.1 - 0.28))
    looks, lag = 0, learned.lag
    while habit.there_age:
        seen = Seen(1_480.0, 1_300.0, WIDTH, (True, True))
        learned, habit, _ = next_look(learned, habit, seen, running=True, phase=0.1, interval_s=1.0, vms=1_000)
        looks += 1
    assert (looks, habit.late) == (30, 0)
    assert learned.lag > lag  # in its place it would have been too early all the while


def test_a_vm_with_a_lag_of_its_own_tells_nothing_of_the_usual_one_and_goes_back_to_it_some_time() -> None:
    learned, habit, looks = Learned(WIDTH), Habit(lag=0.7, kept_looks=200), 0
    while habit.lag is not None:
        seen = Seen(1_530.0, 1_300.0, WIDTH, (True, True))
        learned, habit, _ = next_look(learned, habit, seen, running=True, phase=0.0, interval_s=1.0, vms=10)
        looks += 1
    assert looks == 200
    assert learned.lag == pytest.approx(0.1, abs=0.002)


def test_a_vm_goes_back_to_the_usual_lag_when_that_comes_near_its_own() -> None:
    own = Habit(lag=0.5, kept_looks=150, placed=0.4)
    habit, _ = look(own, 1_480.0, 1_300.0, learned=Learned(WIDTH, lag=0.4))
    assert habit == Habit(placed=0.4)


def test_the_usual_lag_holds_for_vms_that_were_never_late() -> None:
    _, delay_s = look(Habit(), 1_500.0, 1_300.0, learned=Learned(WIDTH, lag=0.4))
    assert delay_s == pytest.approx(1_600 + 120 - 1_500)


def test_a_vm_whose_buckets_stop_coming_is_looked_at_once_a_width_and_teaches_nothing() -> None:
    habit, asked_at = Habit(), 1_330.0
    for _ in range(40):
        habit, delay_s = look(habit, asked_at, 1_000.0)
        asked_at += delay_s
    assert (habit.lag, delay_s) == (None, WIDTH)
    habit, _ = look(habit, asked_at, asked_at - 40.0)
    assert (habit.lag, habit.late, habit.misses) == (None, 0, 0)


def test_a_zero_after_something_is_looked_at_again_for_it_may_not_be_filled_yet() -> None:
    _, delay_s = look(Habit(), 1_035.0, 1_000.0, filled=(False, True))
    assert delay_s == 0.16 * WIDTH


def test_a_zero_that_is_seen_before_its_time_is_looked_at_in_its_time() -> None:
    learned = Learned(WIDTH, lag=0.4)
    habit, delay_s = look(Habit(), 1_010.0, 1_000.0, filled=(False, True), phase=0.25, learned=learned)
    assert delay_s == pytest.approx(WIDTH * (0.4 + 0.10875) - 10)
    assert habit.misses == 0


def test_a_zero_that_turned_out_to_be_idleness_is_believed_the_next_time() -> None:
    habit, delay_s = look(Habit(), 1_035.0, 1_000.0, filled=(False, True))
    habit, delay_s = look(habit, 1_335.0, 1_300.0, filled=(True, False))
    assert habit.zeros_hold
    habit, delay_s = look(habit, 1_635.0, 1_600.0, filled=(False, True))
    assert delay_s == pytest.approx(WIDTH, abs=10)


def test_a_believed_zero_that_was_filled_after_all_teaches_the_lag() -> None:
    habit, _ = look(Habit(zeros_hold=True), 1_035.0, 1_000.0, filled=(False, True))
    habit, _ = look(habit, 1_335.0, 1_300.0, filled=(False, True))
    assert habit.late == 1
    assert not habit.zeros_hold


def test_a_vm_that_is_idle_is_looked_at_once_a_bucket() -> None:
    habit, delay_s = look(Habit(), 1_010.0, 1_000.0, filled=(False, False), phase=0.1)
    assert delay_s == pytest.approx(WIDTH * (0.1 + 0.0435) - 10)  # it comes to its own instant first
    habit, delay_s = look(habit, 1_043.05, 1_000.0, filled=(False, False), phase=0.1)
    assert delay_s == pytest.approx(WIDTH)


def test_a_bucket_that_is_still_running_is_not_waited_for_twice() -> None:
    _, delay_s = look(Habit(), 1_043.0, 1_300.0, phase=0.1)
    assert delay_s == pytest.approx(WIDTH, abs=2)


def test_the_interval_is_the_least_that_passes() -> None:
    for filled in ((True, True), (False, True), (False, False)):
        assert look(Habit(), 1_299.0, 1_000.0, filled=filled, interval_s=90.0)[1] >= 90
    assert look(Habit(), 1_030.0, 1_000.0, interval_s=900.0)[1] == 900


@pytest.mark.parametrize("seen", [None, Seen(1_010.0, 1_000.0, WIDTH, (False, False))])
def test_a_vm_that_is_off_is_looked_at_seldom(seen: Seen | None) -> None:
    _, _, delay_s = next_look(Learned(WIDTH), Habit(), seen, running=False, phase=0.2, interval_s=60.0, vms=1)
    assert delay_s == 3 * WIDTH


@pytest.mark.parametrize(("buckets", "widths"), [(12, 3), (13, 3), (11, 2), (8, 2), (7, 1), (4, 1), (1, 1), (0, 1)])
@pytest.mark.parametrize("filled", [(True, True), (True, False), (False, False)])
def test_a_vm_is_looked_at_once_in_so_many_buckets_as_far_as_its_window_allows(
    filled: tuple[bool, bool], buckets: int, widths: int
) -> None:
    _, delay_s = look(Habit(), 1_030.0, 1_000.0, filled=filled, every=3, buckets=buckets)
    assert delay_s == pytest.approx(widths * WIDTH)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_vm_that_was_looked_at_beside_its_time_comes_to_it_without_passing_more_buckets(every: int) -> None:
    for age_s in range(20, 300, 20):
        for phase in (0.0, 0.5, 0.99):
            _, delay_s = look(Habit(), 1_000.0 + age_s, 1_000.0, every=every, phase=phase)
            offset = 0.1 + 0.435 * phase
            assert delay_s <= max(every + 0.05, 1 + offset) * WIDTH
            assert (age_s + delay_s) / WIDTH % 1 == pytest.approx(offset) or delay_s == 0.16 * WIDTH


def test_a_bucket_that_is_missing_is_looked_for_soon_however_seldom_its_vm_is_looked_at() -> None:
    _, delay_s = look(Habit(), 1_330.0, 1_000.0, every=3)
    assert delay_s == 0.16 * WIDTH
    _, delay_s = look(Habit(zeros_hold=True), 1_030.0, 1_000.0, filled=(False, True), every=3)
    assert delay_s == 0.16 * WIDTH


def test_a_vm_without_data_is_looked_at_once_a_width() -> None:
    assert no_data(Habit())[1] == WIDTH


def test_while_no_width_is_known_a_vm_without_data_is_looked_at_soon_and_then_ever_later() -> None:
    habit, delays = Habit(), list[float]()
    for _ in range(8):
        habit, delay_s = no_data(habit, width_s=None)
        delays.append(delay_s)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize("interval_s", [1.0, 60.0, 900.0])
@pytest.mark.parametrize("phase", [0.0, 0.99])
def test_after_failures_a_vm_is_asked_again_within_a_minute_whatever_the_interval(
    interval_s: float, phase: float
) -> None:
    delays = [after_failure(failures, interval_s=interval_s, phase=phase) for failures in range(1, 50)]
    assert delays == sorted(delays)
    assert max(delays) <= 45
    assert delays[0] <= interval_s
    assert delays[0] >= 0.75


def test_vms_that_failed_together_do_not_come_back_together() -> None:
    delays = {after_failure(3, interval_s=60.0, phase=phase_of(str(vm_id))) for vm_id in range(50)}
    assert len(delays) == 50
    assert max(delays) - min(delays) > 8
