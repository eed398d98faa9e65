"""Each complete bucket counts once."""

import pytest
from msgspec.structs import replace

from exporter.counting import (
    Manner,
    Series,
    Window,
    begin,
    complete_until_ms,
    fold,
    horizon_of,
    lateness_ms,
    leave,
    owed,
)
from exporter.counting.series import going_on
from tests.builders import window

IDLE = 20_000
"""Zeros at the end of a window are idleness when they are two widths old."""
MANNER = Manner(final_after_ms=0, settled_after_ms=0)
"""With windows of three buckets, what was told once is not asked for again."""


def complete(shown: Window, now: int | None = None) -> int | None:
    return complete_until_ms(shown, now_ms=shown.asked_ms if now is None else now * 1000, idle_after_ms=IDLE)


def started(text: str = "1 2 3", *, counts_from: int = 10**6, **where: int) -> Series:
    shown = window(text, **where)
    done = complete(shown)
    assert done is not None
    first = begin(shown, counts_from_ms=counts_from * 1000, from_birth=False, complete_ms=done, now_ms=shown.asked_ms)
    return after(first, shown)


def after(series: Series, shown: Window, *, off: tuple[int, int] | None = None, manner: Manner = MANNER) -> Series:
    return fold(series, shown, manner=manner, complete_ms=complete(shown), now_ms=shown.asked_ms, off=off)


def owed_s(series: Series, manner: Manner = MANNER) -> list[tuple[float, float]]:
    return [(span.start_ms / 1000, span.end_ms / 1000) for span in owed(series, manner=manner)]


def test_a_series_begins_at_zero_and_what_was_there_before_is_never_counted() -> None:
    series = started("1 2 3")
    assert (series.exposed, series.newest_ms) == (0, 30_000)
    assert leave(after(series, window("2 3 4", start=10)).exposed) == 4


def test_the_newest_bucket_of_the_baseline_is_known_though_it_is_not_counted() -> None:
    newest = started("1 2 3").newest
    assert newest is not None
    assert leave(newest.value) == 3


def test_overlapping_answers_count_each_bucket_once() -> None:
    series = started("1 2 3")
    for start, text in ((0, "1 2 3"), (10, "2 3 4"), (10, "2 3 4"), (20, "3 4 5"), (50, "6 7 8")):
        series = after(series, window(text, start=start))
    assert leave(series.exposed) == 4 + 5 + 6 + 7 + 8


def test_an_answer_that_goes_on_is_told_from_others() -> None:
    """That it counts as it would bucket by bucket is shown in `tests/property`; here, that it does happen."""

    def goes_on(series: Series, shown: Window) -> bool:
        gone_on = going_on(series, shown, manner=MANNER, complete_ms=complete(shown), now_ms=shown.asked_ms)
        return gone_on is not None and gone_on == after(series, shown)

    assert goes_on(started("1 2 3"), window("2 3 4", start=10))
    assert not goes_on(started("1 2 3"), window("1 2 3"))
    series = after(started("1 2 3"), window("2 3 4", start=10))
    assert goes_on(series, window("3 4 5", start=20))
    assert goes_on(series, window("2 3 9", start=10, asked=47))
    assert not goes_on(series, window("6 7 8", start=50))
    assert not goes_on(series, window("3 4 5", start=25))


def test_buckets_are_counted_since_an_instant_if_they_were_told() -> None:
    runs = ((0, 10, 31, (1, 2, 3)), (30, 5, 30, (0,)), (35, 5, 52, (4, 5, 6)))
    series = replace(started("1 2 3"), horizon=horizon_of(runs), newest_ms=45)
    told = [bucket.end_ms for bucket in series.buckets() if bucket.asked_ms >= bucket.end_ms <= series.newest_ms]
    assert told == [10, 20, 30, 40, 45]
    for since_ms in range(-5, 60):
        assert series.counted_since(since_ms) == sum(end_ms > since_ms for end_ms in told)


def test_folding_the_same_answer_twice_changes_nothing() -> None:
    shown = window("2 3 4", start=10)
    once = after(started("1 2 3"), shown)
    assert after(once, shown) == once


def test_an_unfilled_newest_bucket_is_neither_idleness_nor_given_up() -> None:
    series = after(started("1 2 3"), window("2 3 0", start=10))
    assert series.newest_ms == 30_000
    assert series.exposed == 0
    series = after(series, window("3 9 4", start=20))
    assert (series.newest_ms, leave(series.exposed)) == (50_000, 13)


def test_a_zero_that_something_later_follows_is_complete() -> None:
    series = after(started("1 2 3"), window("3 0 5", start=20))
    assert (series.newest_ms, leave(series.exposed)) == (50_000, 5)


def test_zeros_that_stay_are_idleness() -> None:
    series = after(started("1 2 3"), window("3 0 0", start=20, asked=61))
    assert (series.newest_ms, series.exposed) == (40_000, 0)


def test_a_bucket_that_has_not_ended_does_not_count() -> None:
    series = after(started("1 2 3"), window("2 3 4", start=10, asked=35))
    assert (series.newest_ms, series.exposed) == (30_000, 0)


def test_a_bucket_filled_late_is_counted_once_and_its_lateness_is_told() -> None:
    series = after(started("1 2 3"), window("3 0 5", start=20))
    shown = window("3 4 5", start=20, asked=52)
    assert lateness_ms(series, shown) == 12_000
    series = after(series, shown)
    assert leave(series.exposed) == 9


def test_a_gap_filled_late_is_counted_once() -> None:
    series = after(started("1 2 3"), window("3 _ 5", start=20))
    assert leave(series.exposed) == 5
    assert leave(after(series, window("3 4 5", start=20, asked=52)).exposed) == 9


def test_a_correction_upwards_is_added() -> None:
    series = after(started("1 2 3"), window("2 3 4", start=10))
    assert leave(after(series, window("3 7 5", start=20)).exposed) == 12


def test_a_correction_downwards_is_worked_off_and_the_counter_stands_still() -> None:
    series = after(started("1 2 3"), window("2 3 40", start=10))
    series = after(series, window("3 10 5", start=20))
    assert leave(series.exposed) == 40
    assert leave(after(series, window("10 5 50", start=30)).exposed) == 65


def test_an_answer_asked_for_earlier_does_not_replace_a_later_one() -> None:
    series = after(started("1 2 3"), window("2 3 9", start=10, asked=45))
    assert leave(after(series, window("2 3 4", start=10, asked=41)).exposed) == 9


def test_time_that_left_the_window_unseen_is_owed() -> None:
    assert owed_s(after(started("1 2 3"), window("7 8 9", start=100))) == [(30, 100)]


@pytest.mark.parametrize(
    ("off", "owed"),
    [
        ((0, 200_000), []),
        ((60_000, 200_000), [(30, 60)]),
        ((60_000, 90_000), [(30, 60), (90, 100)]),
        ((0, 30_000), [(30, 100)]),
    ],
)
def test_what_a_machine_that_is_off_does_not_have_is_not_owed(
    off: tuple[int, int], owed: list[tuple[float, float]]
) -> None:
    assert owed_s(after(started("1 2 3"), window("7 8 9", start=100), off=off)) == owed


def test_what_was_told_too_early_and_has_left_is_owed_too() -> None:
    manner = Manner(final_after_ms=20_000, settled_after_ms=20_000)
    series = after(started("1 2 3"), window("3 4 5", start=20), manner=manner)
    series = after(series, window("5 6 7", start=40), manner=manner)
    assert owed_s(series, manner) == [(30, 40)]
    assert (leave(series.exposed), series.settled_ms) == (22, 30_000)


def test_a_counter_waits_for_a_gap_but_not_for_ever() -> None:
    manner = Manner(final_after_ms=0, settled_after_ms=0, hold_ms=60_000)
    series = after(started("1 2 3"), window("7 8 9", start=100), manner=manner)
    assert (series.exposed, series.newest_ms) == (0, 30_000)
    series = after(series, window("9 1 1", start=120), manner=manner)
    assert series.exposed == 0
    series = after(series, window("1 1 3", start=160), manner=manner)
    assert (leave(series.exposed), series.newest_ms) == (7 + 8 + 9 + 1 + 1 + 1 + 1 + 3, 190_000)


def test_a_zero_that_was_not_complete_when_it_left_is_owed() -> None:
    series = after(started("1 2 3"), window("2 3 0", start=10))
    assert owed_s(after(series, window("7 8 9", start=40))) == [(30, 40)]


def test_a_series_younger_than_its_window_counts_all_after_a_zero_was_shown_for_a_width() -> None:
    series = started("_ 2 3", counts_from=12)
    assert (series.exposed, series.newest_ms, series.newest) == (0, 10_000, None)
    assert after(series, window("_ 2 3", asked=41)).exposed == 0
    series = after(series, window("2 3 4", start=10, asked=43))
    assert (leave(series.exposed), series.newest_ms) == (9, 40_000)


def test_a_width_that_changes_counts_no_time_twice() -> None:
    series = after(started("1 2 3"), window("4 6", start=20, width=20))
    assert leave(series.exposed) == 4 / 2 + 6


@pytest.mark.parametrize("text", ["_ _ _", "0 0 0"])
def test_an_answer_with_nothing_complete_begins_nothing(text: str) -> None:
    assert complete(window(text, asked=29)) is None
