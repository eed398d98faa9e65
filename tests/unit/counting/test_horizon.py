"""The buckets that may still change: answers are merged in, gaps found, what is settled is put together."""

import pytest
from msgspec.structs import replace

from exporter.counting import Bucket, Grid, Window
from exporter.counting.horizon import compacted, gaps, merged, parts, within

Plain = tuple[int, int, int, int]
"""Start, end, value, when it was asked for."""
OLD = 1_000
"""An instant long after everything here."""


def buckets(*each: Plain) -> list[Bucket]:
    return [Bucket(*bucket) for bucket in each]


def plain(each: list[Bucket]) -> list[Plain]:
    return [(bucket.start_ms, bucket.end_ms, bucket.value, bucket.asked_ms) for bucket in each]


@pytest.mark.parametrize(
    ("held", "told", "expected"),
    [
        ([(0, 10, 5, 20)], Window(0, 10, (6,), 21), [(0, 10, 6, 21)]),
        ([(0, 10, 5, 20)], Window(0, 10, (6,), 19), [(0, 10, 5, 20)]),
        ([(0, 10, 5, 20)], Window(0, 10, (6,), 20), [(0, 10, 5, 20)]),
        ([(0, 10, 5, 20)], Window(0, 10, (0,), 21), [(0, 10, 0, 21)]),
        ([(0, 10, 5, 20)], Window(0, 10, (None, 7), 21), [(0, 10, 5, 20), (10, 20, 7, 21)]),
        ([(10, 20, 5, 20)], Window(0, 10, (7, 5, 6), 30), [(0, 10, 7, 30), (10, 20, 5, 30), (20, 30, 6, 30)]),
        ([], Window(0, 10, (None, None), 21), []),
    ],
)
def test_of_what_two_answers_tell_of_a_bucket_the_one_that_was_asked_for_later_counts(
    held: list[Plain], told: Window, expected: list[Plain]
) -> None:
    assert plain(merged(buckets(*held), told, after_ms=0)) == expected


def test_two_answers_merge_alike_in_either_order() -> None:
    first, second = Window(0, 10, (1, 2, 0), 30), Window(10, 10, (3, 4, 5), 41)
    one_way = merged(merged([], first, after_ms=0), second, after_ms=0)
    assert merged(merged([], second, after_ms=0), first, after_ms=0) == one_way


def test_nothing_is_merged_in_of_before_what_is_counted_for_good() -> None:
    told = Window(0, 10, (6, 8, 9), 30)
    assert plain(merged([], told, after_ms=10)) == [(10, 20, 8, 30), (20, 30, 9, 30)]
    assert plain(merged([], told, after_ms=15)) == [(15, 20, 4, 30), (20, 30, 9, 30)]


HELD = [(0, 10, 4, 40), (10, 20, 6, 40)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # A wider bucket over two held ones: what was held keeps the parts outside.
        (Window(5, 20, (8,), 41), [(0, 5, 2, 35), (5, 25, 8, 41)]),
        (Window(10, 15, (6,), 41), [(0, 10, 4, 40), (10, 25, 6, 41)]),
        # A zero at its end may not be filled yet: it takes nothing back.
        (Window(5, 10, (8, 0), 41), [(0, 5, 2, 35), (5, 15, 8, 41), (15, 20, 3, 40)]),
        (Window(5, 10, (0, 0), 41), HELD),
        # What the answer lacks keeps what was held of it.
        (Window(5, 5, (7, None, 8), 41), [(0, 5, 2, 35), (5, 10, 7, 41), (10, 15, 3, 35), (15, 20, 8, 41)]),
        # Asked for before what is held, or with it.
        (Window(5, 20, (8,), 39), HELD),
        (Window(5, 20, (8,), 40), HELD),
    ],
)
def test_of_buckets_with_other_bounds_what_is_told_later_counts_and_the_rest_is_shared_by_time(
    told: Window, expected: list[Plain]
) -> None:
    assert plain(merged(buckets(*HELD), told, after_ms=0)) == expected


def test_a_part_is_as_old_as_the_whole() -> None:
    """What was told 3 after its end must not pass for settled when it is divided."""
    whole = Bucket(0, 40, 8, asked_ms=43)
    assert list(parts(whole, 0, 40)) == [whole]
    assert list(parts(whole, 10, 20)) == [Bucket(10, 20, 2, asked_ms=23)]
    assert list(parts(whole, 20, 20)) == []


def test_the_parts_of_a_gap_are_gaps() -> None:
    assert list(within([Bucket(0, 40, 0, asked_ms=0)], 10, 20)) == [Bucket(10, 20, 0, asked_ms=-20)]


@pytest.mark.parametrize(
    ("held", "off", "expected"),
    [
        ([], None, [(0, 40)]),
        ([(0, 40)], None, []),
        ([(0, 10), (20, 30)], None, [(10, 20), (30, 40)]),
        ([(-10, 5), (35, 50)], None, [(5, 35)]),
        ([(50, 60)], None, [(0, 40)]),
        ([(10, 20)], (0, 10), [(20, 40)]),
        ([(10, 20)], (25, 30), [(0, 10), (20, 25), (30, 40)]),
        ([(10, 20)], (5, 100), [(0, 5)]),
        ([(10, 20)], (-100, 100), []),
        ([(10, 20)], (50, 100), [(0, 10), (20, 40)]),
    ],
)
def test_a_gap_is_time_that_no_bucket_covers_and_in_which_the_machine_was_not_off(
    held: list[tuple[int, int]], off: tuple[int, int] | None, expected: list[tuple[int, int]]
) -> None:
    covering = [Bucket(start, end, 1, OLD) for start, end in held]
    assert list(gaps(covering, 0, 40, off=off)) == [Bucket(start, end, 0, start) for start, end in expected]


GRID = Grid(30, 1_200, 10)
"""Bounds at 0, 30, 60, …"""


def together(each: list[Bucket], *, until: int = 90, but: int = 0, grids: tuple[Grid, ...] = (GRID,)) -> list[Plain]:
    return plain(list(compacted(each, until_ms=until, settled_after_ms=40, grids=grids, newest_ms=but)))


def nine(*, asked: int = OLD) -> list[Bucket]:
    return [Bucket(start, start + 10, 1 + start // 10, asked) for start in range(0, 90, 10)]


def test_settled_neighbours_are_put_together_as_far_as_a_bound_of_a_longer_bucket() -> None:
    assert together(nine()) == [(0, 30, 6, OLD), (30, 60, 15, OLD), (60, 90, 24, OLD)]
    assert together(nine(), grids=(replace(GRID, end_ms=1_220),)) == [
        (0, 20, 3, OLD), (20, 50, 12, OLD), (50, 80, 21, OLD), (80, 90, 9, OLD),
    ]  # fmt: skip
    wider = Grid(90, 0, 10)
    assert together(nine(), grids=(wider,)) == [(0, 90, 45, OLD)]
    assert together(nine(), grids=(wider, GRID)) == together(nine())


def test_while_no_longer_period_is_known_nothing_is_put_together() -> None:
    assert together(nine(), grids=()) == plain(nine())


def test_what_may_change_what_is_in_the_window_and_the_newest_stay_by_themselves() -> None:
    each = nine()
    early, gap = (10, 20, 2, 21), (70, 80, 0, 70)
    each[1], each[7] = buckets(early, gap)
    expected = [(0, 10, 1, OLD), early, (20, 30, 3, OLD), (30, 60, 15, OLD), (60, 70, 7, OLD), gap, (80, 90, 9, OLD)]
    assert together(each) == expected
    assert together(nine(), until=50) == [(0, 30, 6, OLD), (30, 50, 9, OLD), *plain(nine()[5:])]
    assert together(nine(), but=20) == [
        (0, 10, 1, OLD), (10, 20, 2, OLD), (20, 30, 3, OLD), (30, 60, 15, OLD), (60, 90, 24, OLD),
    ]  # fmt: skip


def test_neighbours_with_time_between_them_are_not_put_together() -> None:
    each = nine()
    del each[1]
    assert together(each)[:2] == [(0, 10, 1, OLD), (20, 30, 3, OLD)]


def test_what_was_put_together_is_put_together_again_as_it_is() -> None:
    once = together(nine(), but=70)
    assert together(buckets(*once), but=70) == once
    assert sum(value for _, _, value, _ in once) == sum(bucket.value for bucket in nine())
