"""What a value is of shows where windows of different resolution are laid over each other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.counting import Balance, Load, Window, enter, leave, percent_of, traffic_unit, weigh
from tests.builders import window


@pytest.mark.parametrize(
    ("fine", "coarse", "buckets"),
    [
        pytest.param(window("1 2 3 4"), window("3 7", width=20), 2, id="both are covered"),
        pytest.param(window("1 2 3 4"), window("9 3 7", start=-20, width=20), 2, id="one is older than the fine ones"),
        pytest.param(window("1 2 3 4", start=10), window("9 5", width=20), 1, id="one is covered in part"),
        pytest.param(window("1 2 3 0"), window("3 7", width=20), 1, id="the newest fine one is not filled yet"),
        pytest.param(window("1 2 3 _"), window("3 7", width=20), 1, id="the newest fine one is not there yet"),
        pytest.param(window("1 2 3 4"), window("3 0", width=20), 1, id="the newest coarse one is not filled yet"),
        pytest.param(window("1 _ 3 4"), window("3 7", width=20), 1, id="a fine one is missing"),
        pytest.param(window("0 0 3 4"), window("0 7", width=20), 1, id="nothing moved: that tells nothing"),
        pytest.param(window("1 2 3 4", asked=39), window("3 7", width=20), 1, id="the newest ends in the future"),
        pytest.param(window("1 2 3 4"), window("1 2 3 4"), 0, id="no coarser at all"),
        pytest.param(window("1 2 3 4"), window("2 3 5", width=15), 0, id="hardly coarser"),
        pytest.param(window("0 0 0 0"), window("3 7", width=20), 0, id="idle"),
        pytest.param(window(""), window("3 7", width=20), 0, id="no fine ones"),
        pytest.param(window("1 2 3 4"), window("", width=20), 0, id="no coarse ones"),
    ],
)
def test_only_coarse_buckets_are_weighed_that_filled_fine_ones_cover(
    fine: Window, coarse: Window, buckets: int
) -> None:
    assert weigh(fine, coarse).buckets == buckets


def test_fine_buckets_that_straddle_a_coarse_one_are_shared_out_by_time() -> None:
    balance = weigh(window("2 4 6 8", start=-5), window("10", width=20))
    assert (leave(balance.sums), leave(balance.means)) == (1 + 4 + 3, 4)


@pytest.mark.parametrize(
    ("coarse", "fine_in_it", "unit"),
    [
        pytest.param(600, 6, "bytes", id="the sum"),
        pytest.param(100, 6, "bytes_per_second", id="the mean"),
        pytest.param(360, 6, "bytes", id="the sum, in part"),
        pytest.param(60, 6, "bytes_per_second", id="the mean, in part"),
        pytest.param(1_000, 6, "bytes", id="more than the sum: the fine ones are there in part"),
        pytest.param(245, 6, None, id="between the two"),
        pytest.param(6_000, 6, None, id="beyond the sum"),
        pytest.param(10, 6, None, id="below the mean"),
        pytest.param(0, 6, None, id="nothing where there should be something"),
        pytest.param(600, 2, "bytes", id="the sum of two"),
        pytest.param(300, 2, "bytes_per_second", id="the mean of two"),
        pytest.param(425, 2, None, id="between the sum of two and their mean"),
        pytest.param(250, 288, None, id="less than half, however many there are"),
    ],
)
def test_a_unit_is_named_only_where_the_balance_is_near_it(coarse: int, fine_in_it: int, unit: str | None) -> None:
    balance = Balance(buckets=1, coarse=enter(coarse), sums=enter(600), means=enter(600 / fine_in_it))
    assert traffic_unit(balance) == unit


def test_nothing_weighed_supports_no_unit() -> None:
    assert traffic_unit(Balance()) is None


@given(
    moved=st.lists(st.one_of(st.just(0.0), st.floats(1, 1e12)), min_size=1, max_size=40),
    width=st.sampled_from([2, 10, 300]),
    fine_in_it=st.integers(2, 12),
    begins=st.integers(0, 30),
    unfilled=st.tuples(st.integers(0, 4), st.sampled_from([0, None])),
    shown=st.lists(st.floats(0.8, 1.25), min_size=1, max_size=5),
    per_second=st.booleans(),
)
def test_the_unit_of_what_is_published_is_found_wherever_the_windows_lie(
    *,
    moved: list[float],
    width: int,
    fine_in_it: int,
    begins: int,
    unfilled: tuple[int, int | None],
    shown: list[float],
    per_second: bool,
) -> None:
    """The fine window begins at a step of any number and ends in buckets that are not filled yet; coarse values are a
    fifth too small or too large where they are not corrected yet.
    """
    tail, empty = unfilled
    wide = width * fine_in_it
    steps = [moved[number % len(moved)] for number in range(begins + 3 * fine_in_it)]
    fine = [enter(each / width if per_second else each) for each in steps[begins:]]
    filled = fine[: len(fine) - tail]
    sums = [math.fsum(steps[first : first + fine_in_it]) for first in range(0, len(steps), fine_in_it)]
    coarse = [
        enter(each * shown[number % len(shown)] / (wide if per_second else 1)) for number, each in enumerate(sums)
    ]
    now = width * len(steps) + wide
    balance = weigh(
        Window(begins * width * 1000, width * 1000, (*filled, *[empty] * tail), asked_ms=now * 1000),
        Window(0, wide * 1000, tuple(coarse), asked_ms=now * 1000),
    )
    whole = [number for number in range(len(sums)) if begins <= number * fine_in_it <= len(steps) - tail - fine_in_it]
    if all(moved):
        assert balance.buckets == len(whole)
    assert traffic_unit(balance) == (("bytes_per_second" if per_second else "bytes") if balance.buckets else None)


@pytest.mark.parametrize(
    ("loads", "percent", "of"),
    [
        pytest.param([], None, None, id="no VM"),
        pytest.param([("a", 1, "100 100 100 130")], None, None, id="one core: both are the same"),
        pytest.param([("a", 4, "")], None, None, id="no chunk"),
        pytest.param([("a", 4, "35 250")], "core", "a", id="more than a whole VM"),
        pytest.param([("a", 4, "99 100 100 99"), ("b", 2, "150")], "core", "b", id="the highest decides"),
        pytest.param([("a", 4, "99 105 104 99")], None, "a", id="a little more than a whole VM is no proof"),
        pytest.param([("a", 4, "450")], None, "a", id="more than all cores can do"),
        pytest.param([("a", 4, "430")], "core", "a", id="all cores, measured a little too high"),
        pytest.param([("a", 4, "35 99 100 101 2")], "vm", "a", id="saturated, and never above"),
        pytest.param([("a", 4, "99 99 99"), ("b", 8, "100.5")], "vm", "a", id="a peak of another"),
        pytest.param([("a", 4, "20 99 100")], None, "a", id="a peak or two at the limit"),
        pytest.param([("a", 4, "20 60"), ("b", 2, "70")], None, "b", id="busy, but not saturated"),
    ],
)
def test_percents_say_what_they_are_of_only_beyond_a_whole_vm_or_at_its_limit(
    loads: list[tuple[str, int, str]], percent: str | None, of: str | None
) -> None:
    found, load = percent_of([Load(vm, cores, tuple(map(float, text.split()))) for vm, cores, text in loads])
    assert (found, None if load is None else load.vm) == (percent, of)
