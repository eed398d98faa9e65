"""A VM is looked at soon after its next bucket can have been published, and not before."""

import pytest

from exporter.schedule.pace import Learned, Seen, after_failure, next_look

WIDTH = 300.0


def look(
    learned: Learned, asked_at: float, end_at: float, *, filled: tuple[bool, bool] = (True, True), misses: int = 0
) -> tuple[Learned, float, int]:
    seen = Seen(asked_at, end_at, WIDTH, filled)
    return next_look(learned, seen, running=True, misses=misses, interval_s=1.0)


def test_the_next_look_is_due_when_the_next_bucket_ends_and_its_lag_has_passed() -> None:
    _, delay_s, _ = look(Learned(WIDTH, lag_s=20.0), asked_at=1_030.0, end_at=1_000.0)
    assert delay_s == pytest.approx(1_300 + 20 - 1_030, abs=1)


def test_a_look_that_came_too_early_teaches_the_lag_and_is_repeated_soon() -> None:
    learned, delay_s, misses = look(Learned(WIDTH), asked_at=1_310.0, end_at=1_000.0)
    assert learned.lag_s >= 10
    assert (delay_s, misses) == (WIDTH / 8, 1)


def test_repeated_looks_back_off() -> None:
    delays = []
    misses = 0
    for asked_at in (1_310.0, 1_350.0, 1_430.0, 1_590.0, 1_900.0):
        _, delay_s, misses = look(Learned(WIDTH), asked_at, 1_000.0, misses=misses)
        delays.append(delay_s)
    assert delays == sorted(delays)
    assert delays[-1] == WIDTH


def test_an_unfilled_last_bucket_is_a_look_that_came_too_early() -> None:
    _, delay_s, misses = look(Learned(WIDTH), 1_010.0, 1_000.0, filled=(False, True))
    assert (delay_s, misses) == (WIDTH / 8, 1)


def test_a_vm_that_is_idle_is_not_looked_at_more_often_for_that() -> None:
    _, delay_s, misses = look(Learned(WIDTH), 1_010.0, 1_000.0, filled=(False, False))
    assert delay_s == pytest.approx(290, abs=1)
    assert misses == 0


def test_the_interval_is_the_least_that_passes() -> None:
    seen = Seen(1_010.0, 1_000.0, 2.0, (True, True))
    assert next_look(Learned(), seen, running=True, misses=0, interval_s=60.0)[1] == 60


@pytest.mark.parametrize("seen", [None, Seen(1_010.0, 1_000.0, WIDTH, (False, False))])
def test_a_vm_that_is_off_is_looked_at_seldom(seen: Seen | None) -> None:
    _, delay_s, _ = next_look(Learned(WIDTH), seen, running=False, misses=0, interval_s=60.0)
    assert delay_s == 3 * WIDTH


def test_in_the_steady_state_there_is_about_one_look_a_bucket_and_the_lag_is_respected() -> None:
    learned, misses, now, looks = Learned(), 0, 10.0, 0
    lag = 42.0
    while now < 100 * WIDTH:
        end_at = (now - lag) // WIDTH * WIDTH
        learned, delay_s, misses = look(learned, now, end_at, misses=misses)
        looks += 1
        now += delay_s
    assert looks <= 125  # learning the lag costs some, forgetting it a few more


def test_after_failures_a_vm_is_asked_again_within_a_minute() -> None:
    delays = [after_failure(failures, interval_s=5.0) for failures in range(8)]
    assert delays[0] == 5
    assert max(delays) == 60
    assert after_failure(50, interval_s=300.0) == 300
