"""A VM is looked at soon after its next bucket can have been published, and not before."""

import pytest

from exporter.schedule.pace import Habit, Learned, Seen, after_failure, next_look, phase_of

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
) -> tuple[Habit, float]:
    seen = Seen(asked_at, end_at, WIDTH, filled)
    return next_look(learned, habit, seen, running=running, phase=phase, interval_s=interval_s)[1:]


def no_data(habit: Habit, *, width_s: float | None = WIDTH, running: bool = True) -> tuple[Habit, float]:
    return next_look(Learned(width_s), habit, None, running=running, phase=0.3, interval_s=10.0)[1:]


def test_the_next_look_is_due_when_the_next_bucket_ends_and_lag_and_phase_have_passed() -> None:
    _, delay_s = look(Habit(lag=0.2), asked_at=1_080.0, end_at=1_000.0, phase=0.25)
    assert delay_s == pytest.approx(1_300 + 60 + 75 - 1_080, abs=2)


def test_phases_fill_half_a_width_evenly() -> None:
    phases = [phase_of(str(vm_id)) for vm_id in range(178_931_011_500, 178_931_012_500)]
    for tenth in range(10):
        low, high = 0.05 * tenth, 0.05 * (tenth + 1)
        assert 60 <= sum(low <= phase < high for phase in phases) <= 140


def test_a_phase_is_the_same_in_every_process() -> None:
    assert phase_of("178931011513") == pytest.approx(0.3978, abs=0.0001)


def test_a_bucket_that_is_not_there_in_its_time_is_looked_for_again_soon_and_then_ever_later() -> None:
    habit, delays, asked_at = Habit(), list[float](), 1_330.0
    for _ in range(7):
        habit, delay_s = look(habit, asked_at, 1_000.0)
        delays.append(delay_s)
        asked_at += delay_s
    assert delays[:4] == [37.5, 75, 150, 300]
    assert delays[-1] == WIDTH


def test_a_late_bucket_teaches_its_lag_when_it_comes() -> None:
    habit, _ = look(Habit(), 1_330.0, 1_000.0)
    assert habit.lag == 0.1  # it might never come
    habit, delay_s = look(habit, 1_367.5, 1_300.0)
    assert habit.lag == pytest.approx(0.2, abs=0.01)
    assert delay_s == pytest.approx(1_600 + 60 - 1_367.5, abs=2)


def test_the_usual_lag_follows_many_vms_that_are_late_and_one_hardly() -> None:
    learned, usual = Learned(WIDTH), list[float]()
    for _ in range(30):
        late = Habit(missed_at=1_300.0, missed_age=0.5, misses=1, absent=True)
        seen = Seen(1_460.0, 1_300.0, WIDTH, (True, True))
        learned, _, _ = next_look(learned, late, seen, running=True, phase=0.0, interval_s=1.0)
        usual.append(learned.lag)
    assert usual[0] == pytest.approx(0.15)
    assert usual[-1] == pytest.approx(0.6, abs=0.03)


def test_the_usual_lag_holds_for_vms_that_were_never_late() -> None:
    _, delay_s = look(Habit(), 1_500.0, 1_300.0, learned=Learned(WIDTH, lag=0.4))
    assert delay_s == pytest.approx(1_600 + 120 - 1_500)


def test_a_usual_lag_shrinks_by_time_however_many_vms_are_looked_at() -> None:
    few = many = Learned(WIDTH, lag=0.5, at=0.0)
    for vms, step_s in ((1, 3_000.0), (100, 30.0)):
        learned = Learned(WIDTH, lag=0.5, at=0.0)
        for number in range(1, vms + 1):
            seen = Seen(number * step_s, number * step_s - 200, WIDTH, (True, True))
            learned, _, _ = next_look(learned, Habit(), seen, running=True, phase=0.0, interval_s=1.0)
        few, many = many, learned
    assert few.lag == pytest.approx(many.lag) == pytest.approx(0.48)


def test_a_bucket_that_came_very_late_once_makes_the_next_look_a_little_later_only() -> None:
    habit, _ = look(Habit(), 1_330.0, 1_000.0)
    habit, _ = look(habit, 1_500.0, 1_000.0)
    habit, _ = look(habit, 1_590.0, 1_300.0)
    assert habit.lag == pytest.approx(0.3, abs=0.01)


def test_a_vm_whose_buckets_stop_coming_is_looked_at_once_a_width_and_teaches_nothing() -> None:
    habit, asked_at = Habit(), 1_330.0
    for _ in range(40):
        habit, delay_s = look(habit, asked_at, 1_000.0)
        asked_at += delay_s
    assert (habit.lag, delay_s) == (0.1, WIDTH)
    habit, _ = look(habit, asked_at, asked_at - 40.0)
    assert (habit.lag, habit.misses) == (0.1, 0)


def test_a_zero_after_something_is_looked_at_again_for_it_may_not_be_filled_yet() -> None:
    _, delay_s = look(Habit(), 1_035.0, 1_000.0, filled=(False, True))
    assert delay_s == WIDTH / 8


def test_a_zero_that_is_seen_before_its_time_is_looked_at_in_its_time() -> None:
    habit, delay_s = look(Habit(lag=0.4), 1_010.0, 1_000.0, filled=(False, True), phase=0.2)
    assert delay_s == pytest.approx(170)
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
    assert habit.lag == pytest.approx(35 / WIDTH + 0.1)
    assert not habit.zeros_hold


def test_a_vm_that_is_idle_is_looked_at_once_a_bucket() -> None:
    habit, delay_s = look(Habit(), 1_010.0, 1_000.0, filled=(False, False), phase=0.1)
    assert delay_s == pytest.approx(50)  # it comes to its own instant first
    habit, delay_s = look(habit, 1_060.0, 1_000.0, filled=(False, False), phase=0.1)
    assert delay_s == pytest.approx(WIDTH)


def test_a_bucket_that_is_still_running_is_not_waited_for_twice() -> None:
    _, delay_s = look(Habit(), 1_045.0, 1_300.0, phase=0.05)
    assert delay_s == pytest.approx(WIDTH, abs=1)


def test_the_interval_is_the_least_that_passes() -> None:
    for filled in ((True, True), (False, True), (False, False)):
        assert look(Habit(), 1_299.0, 1_000.0, filled=filled, interval_s=90.0)[1] >= 90
    assert look(Habit(), 1_030.0, 1_000.0, interval_s=900.0)[1] == 900


@pytest.mark.parametrize("seen", [None, Seen(1_010.0, 1_000.0, WIDTH, (False, False))])
def test_a_vm_that_is_off_is_looked_at_seldom(seen: Seen | None) -> None:
    _, _, delay_s = next_look(Learned(WIDTH), Habit(), seen, running=False, phase=0.2, interval_s=60.0)
    assert delay_s == 3 * WIDTH


def test_a_vm_without_data_is_looked_at_once_a_width() -> None:
    assert no_data(Habit())[1] == WIDTH


def test_while_no_width_is_known_a_vm_without_data_is_looked_at_soon_and_then_ever_later() -> None:
    habit, delays = Habit(), list[float]()
    for _ in range(8):
        habit, delay_s = no_data(habit, width_s=None)
        delays.append(delay_s)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize("interval_s", [1.0, 60.0, 900.0])
@pytest.mark.parametrize("phase", [0.0, 0.49])
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
