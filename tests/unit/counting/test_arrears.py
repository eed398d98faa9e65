"""What left the shortest window untold, or told too early, is paid by longer buckets, once, or is lost."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from exporter.counting import (
    Ask,
    Bucket,
    Forgiven,
    Grid,
    Manner,
    Owed,
    Repaid,
    Series,
    Window,
    forgive,
    horizon_of,
    next_ask,
    owed,
    packed,
    repay,
    unpayable_before_ms,
)
from exporter.counting.series import counted

WIDTH, LONGER = 10, 60
AFTER = 40
"""The age from which a bucket does not change any more."""
LONG_AGO = 10_000
"""An instant at which nothing here changes any more."""
MANNER = Manner(final_after_ms=AFTER, settled_after_ms=AFTER, estimates=True)
"""While no longer period is known nothing is put together, so that each bucket can be seen."""
KNOWN = replace(MANNER, grids=(Grid(LONGER, 0, 10),))


def told(text: str, *, start: int = 0) -> Iterator[Bucket]:
    """Buckets of 10 from `start`: `5` is settled, `5?` was told when it ended, `_` is a gap, `.` is not there."""
    for number, word in enumerate(text.split()):
        begin = start + number * WIDTH
        end = begin + WIDTH
        if word == "_":
            yield Bucket(begin, end, 0, begin)
        elif word != ".":
            yield Bucket(begin, end, int(word.rstrip("?")), end if word.endswith("?") else LONG_AGO)


def series(text: str, *, start: int = 0, **fields: Any) -> Series:
    """All of it has left the window, and it has been counted for long, unless the fields say otherwise."""
    buckets = list(told(text, start=start))
    end = start + WIDTH * len(text.split())
    usual = {"settled_ms": start, "left_ms": end, "newest_ms": end, "complete_ms": end, "held_until_ms": 0}
    true = sum(bucket.value for bucket in buckets) + fields.get("base", 0)
    made = Series(
        **(usual | {"began_ms": start, "from_birth": True, "exposed": true} | fields), horizon=packed(buckets)
    )
    return replace(counted(made, made.buckets(), manner=MANNER, now_ms=0), marks=made.marks)


def answer(text: str, *, start: int = 0, asked: int = LONG_AGO) -> Window:
    """Longer buckets from `start`."""
    return Window(start, LONGER, tuple(None if word == "_" else int(word) for word in text.split()), asked)


def paid(
    before: Series, longer: Window, *, manner: Manner = MANNER, complete: int | None = LONG_AGO, most: int | None = None
) -> Repaid:
    return repay(before, longer, manner=manner, complete_ms=complete, most_per_ms=most)


def kept_whole(text: str) -> Series:
    """A series with a gap in front that no answer here reaches, so that all of it stays to be seen."""
    return series(f"_ {text}", start=-WIDTH)


def values(after: Series) -> list[int]:
    """The values of the horizon without the gap in front."""
    return [bucket.value for bucket in after.buckets()[1:]]


@pytest.mark.parametrize(
    ("held", "longer", "expected", "paid_ms"),
    [
        ("1 2 _ 4 5 6", "21", [1, 2, 3, 4, 5, 6], 10),
        ("1 2 _ 4 5 6", "18", [1, 2, 0, 4, 5, 6], 10),
        # Two gaps in one longer bucket share it by time.
        ("1 _ 3 _ 5 6", "21", [1, 3, 3, 3, 5, 6], 20),
        ("_ _ _ _ _ _", "61", [10, 10, 10, 10, 10, 11], 60),
        # A gap over several longer buckets gets of each what is its own.
        ("1 2 3 4 5 _ _ 2 3 4 5 6", "25 28", [1, 2, 3, 4, 5, 10, 8, 2, 3, 4, 5, 6], 20),
        # What was told too early is corrected, up and down; that fills no gap.
        ("1 2 1? 4 5 6", "21", [1, 2, 3, 4, 5, 6], 0),
        ("1 2 9? 4 5 6", "21", [1, 2, 3, 4, 5, 6], 0),
        # What was told too early says nothing any more beside a gap in the same longer bucket.
        ("1 2 9? _ 5 6", "22", [1, 2, 4, 4, 5, 6], 10),
        # Time in which the machine was off has no share.
        ("1 . . _ 5 6", "16", [1, 4, 5, 6], 10),
        # Nothing is owed: a longer bucket that tells another sum changes nothing.
        ("1 2 3 4 5 6", "99", [1, 2, 3, 4, 5, 6], 0),
    ],
)
def test_a_longer_bucket_pays_its_value_less_what_is_counted_there(
    held: str, longer: str, expected: list[int], paid_ms: int
) -> None:
    repaid = paid(kept_whole(held), answer(longer))
    assert values(repaid.series) == expected
    assert (repaid.paid_ms, repaid.estimated_ms) == (paid_ms, 0)
    assert repaid.denied_until_ms == LONGER * len(longer.split())


def test_a_gap_over_several_longer_buckets_is_paid_in_parts() -> None:
    parts = ((0, 50, 0, (0,)), (50, 50, 50, (0,)), (100, 20, LONG_AGO, (4,)))
    gap = replace(series("_ . . . . . . . . . . ."), horizon=horizon_of(parts))
    assert owed(paid(gap, answer("_ 18")).series, manner=MANNER) == [Owed(0, 50), Owed(50, 60)]
    some = paid(gap, answer("24 _"))
    assert (some.paid_ms, owed(some.series, manner=MANNER)) == (60, [Owed(60, 100)])
    every = paid(some.series, answer("18", start=60), manner=KNOWN)
    assert (every.series.true, every.paid_ms, owed(every.series, manner=MANNER)) == (24 + 18, 40, [])


def test_what_is_paid_is_paid_once() -> None:
    once = paid(series("1 2 _ 4 5 6"), answer("21"))
    assert (once.series.true, once.series.exposed, once.series.settled_ms) == (21, 21, 60)
    again = paid(once.series, answer("99"))
    assert (again.series, again.paid_ms) == (once.series, 0)


@pytest.mark.parametrize("estimates", [True, False])
def test_what_was_counted_before_the_horizon_is_known_by_a_mark(*, estimates: bool) -> None:
    before = series("_ 5 6", start=30, base=100, began_ms=-600, marks=((LONGER, 0, 94), (3 * LONGER, -120, 7)))
    repaid = paid(before, answer("21"), manner=replace(MANNER, estimates=estimates))
    assert (repaid.series.true, repaid.estimated_ms) == (100 + 4 + 5 + 6, 0)


@pytest.mark.parametrize(
    ("fields", "true", "estimated_ms"),
    [
        # It began inside the longer bucket: 30 of the 40 that are not counted there are of before.
        ({"began_ms": 90, "from_birth": False}, 7 + 5 + 6, 10),
        # It began inside it, too, but there was nothing before.
        ({"began_ms": 90, "from_birth": True}, 30 + 5 + 6, 0),
        # How long these buckets are was not known yet when the horizon was at their begin.
        ({"began_ms": -600, "base": 100, "marks": ((3 * LONGER, 0, 7),)}, 100 + 7 + 5 + 6, 10),
    ],
)
def test_a_longer_bucket_of_which_a_part_is_not_known_is_shared_out_by_time(
    fields: dict[str, Any], true: int, estimated_ms: int
) -> None:
    repaid = paid(series("_ 5 6", start=90, **fields), answer("41", start=60))
    assert (repaid.series.true, repaid.paid_ms, repaid.estimated_ms) == (true, 10, estimated_ms)


def test_an_estimate_does_not_take_the_place_of_what_was_told() -> None:
    young = series("_ 5? 6?", start=90, began_ms=90, from_birth=False)
    repaid = paid(young, answer("41", start=60))
    assert repaid.series.true == 7 + 5 + 6
    told_early = series("4? 5? 6?", start=90, began_ms=90, from_birth=False)
    assert paid(told_early, answer("41", start=60)).series.true == 4 + 5 + 6


def test_where_nothing_is_to_be_estimated_such_a_bucket_pays_nothing_and_is_denied() -> None:
    before = series("_ 5 6", start=30, began_ms=30, from_birth=False)
    repaid = paid(before, answer("41"), manner=replace(MANNER, estimates=False))
    assert (repaid.series, repaid.paid_ms, repaid.denied_until_ms) == (before, 0, 60)


def test_a_longer_bucket_pays_nothing_before_it_is_final() -> None:
    before = series("1 2 _ 4 5 6")
    too_early = paid(before, answer("21", asked=LONGER + AFTER - 1))
    assert (too_early.series, too_early.denied_until_ms) == (before, 0)
    assert paid(before, answer("21", asked=LONGER + AFTER)).series.true == 21


@pytest.mark.parametrize(
    ("held", "complete", "expected"),
    [
        ("1 _ 3 4 5 6", 60, 21),
        # One in the window was told when it ended: a correction of it would be counted twice.
        ("1 _ 3 4 5? 6", 60, None),
        # One in the window is not there yet.
        ("1 _ 3 4 5 .", 60, None),
        ("1 _ 3 4 . 6", 60, None),
        # One in the window is there, and nobody knows whether it is filled.
        ("1 _ 3 4 5 0", 50, None),
    ],
)
def test_a_longer_bucket_waits_until_all_of_it_that_is_still_in_the_window_is_known(
    held: str, complete: int, expected: int | None
) -> None:
    before = series(held, left_ms=30, complete_ms=complete)
    repaid = paid(before, answer("21"))
    if expected is None:
        assert (repaid.series, repaid.paid_ms, repaid.denied_until_ms) == (before, 0, 0)
    else:
        assert (repaid.series.true, repaid.denied_until_ms) == (expected, 60)


def test_a_longer_bucket_that_must_wait_holds_up_none_before_it() -> None:
    before = series("1 _ 3 4 5 6 1 _ 3 4 5? 6", left_ms=90)
    repaid = paid(before, answer("21 21"))
    assert (repaid.paid_ms, repaid.denied_until_ms) == (10, 60)
    assert owed(repaid.series, manner=MANNER) == [Owed(70, 80)]


@pytest.mark.parametrize(
    ("longer", "complete", "most"),
    [
        ("_", LONG_AGO, None),
        ("21", None, None),
        ("21", 59, None),
        # Less than what is counted of it, or more than can have been.
        ("16", LONG_AGO, None),
        ("40", LONG_AGO, 2),
    ],
)
def test_a_longer_bucket_that_says_nothing_or_contradicts_what_is_counted_pays_nothing_and_is_denied(
    longer: str, complete: int | None, most: int | None
) -> None:
    before = series("1 2 _ 4 5 6")
    repaid = paid(before, answer(longer), complete=complete, most=most)
    assert (repaid.series, repaid.paid_ms, repaid.denied_until_ms) == (before, 0, 60)


def test_a_longer_bucket_may_tell_of_a_gap_as_much_as_can_have_been() -> None:
    assert paid(series("1 _ 3 _ 5 6"), answer("55"), most=2).series.true == 15 + 2 * WIDTH * 2


def test_a_longer_bucket_may_be_less_than_its_parts_by_what_was_rounded() -> None:
    large = 2**40
    before = series(f"{large} 2 _ 4 5 6")
    assert paid(before, answer(str(large + 17 - 2**19))).series.true == large + 17
    assert paid(before, answer(str(large + 17 - 2**21))).paid_ms == 0


def test_a_correction_downwards_is_worked_off_and_the_counter_does_not_fall() -> None:
    repaid = paid(series("1 2 9? 4 5 6"), answer("21"))
    assert (repaid.series.true, repaid.series.exposed) == (21, 27)


def test_a_counter_that_waits_for_a_gap_goes_on_when_the_last_one_is_paid() -> None:
    waiting = series("1 _ 3 4 5 6 1 2 _ 4 5 6", newest_ms=10, exposed=1, held_until_ms=2 * LONG_AGO)
    some = paid(waiting, answer("21"), manner=KNOWN)
    assert (some.series.exposed, some.series.newest_ms) == (1, 10)
    every = paid(some.series, answer("21", start=60), manner=KNOWN)
    assert (every.series.exposed, every.series.newest_ms) == (42, 120)


def test_a_series_whose_0_must_still_be_seen_does_not_grow_when_a_gap_is_paid() -> None:
    born = series("1 _ 3 4 5 6", newest_ms=0, exposed=0, held_until_ms=2 * LONG_AGO, began_ms=0)
    repaid = paid(born, answer("21"))
    assert (repaid.series.exposed, repaid.paid_ms) == (0, 10)


def test_what_is_given_up_is_gaps_and_what_was_told_too_early_stays_as_it_is() -> None:
    forgiven = forgive(series("1 _ 3? _ 5 6"), manner=MANNER, until_ms=60, now_ms=LONG_AGO)
    assert (forgiven.lost_ms, forgiven.series.true, forgiven.series.settled_ms) == (20, 15, 60)
    assert owed(forgiven.series, manner=MANNER) == []


def test_only_what_lies_before_the_instant_is_given_up() -> None:
    gap = replace(series("_ . . 5 6", start=10), horizon=horizon_of(((10, 30, 10, (0,)), (40, 20, LONG_AGO, (11,)))))
    forgiven = forgive(gap, manner=MANNER, until_ms=25, now_ms=LONG_AGO)
    assert forgiven.lost_ms == 15
    assert owed(forgiven.series, manner=MANNER) == [Owed(25, 40)]
    for until_ms in (5, 10):
        assert forgive(gap, manner=MANNER, until_ms=until_ms, now_ms=LONG_AGO) == Forgiven(gap, 0)


def test_a_bucket_told_too_early_is_given_up_whole_or_not_at_all() -> None:
    early = series("_ 2? 3", start=-WIDTH)
    assert owed(forgive(early, manner=MANNER, until_ms=5, now_ms=LONG_AGO).series, manner=MANNER) == [Owed(0, 10)]
    assert owed(forgive(early, manner=MANNER, until_ms=10, now_ms=LONG_AGO).series, manner=MANNER) == []


def test_what_is_still_in_the_window_is_not_given_up() -> None:
    before = series("1 2 3? 4? 5 6", left_ms=20)
    forgiven = forgive(before, manner=MANNER, until_ms=LONG_AGO, now_ms=LONG_AGO)
    assert (forgiven.series, forgiven.lost_ms) == (before, 0)


def test_a_counter_that_waits_for_a_gap_goes_on_when_the_last_one_is_given_up() -> None:
    waiting = series("1 _ 3 4 _ 6", newest_ms=10, exposed=1, held_until_ms=2 * LONG_AGO, began_ms=-600)
    some = forgive(waiting, manner=MANNER, until_ms=30, now_ms=LONG_AGO)
    assert some.series.exposed == 1
    every = forgive(some.series, manner=MANNER, until_ms=60, now_ms=LONG_AGO)
    assert (every.series.exposed, every.series.newest_ms) == (14, 60)
    born = series("1 _ 3 4 5 6", newest_ms=0, exposed=0, held_until_ms=2 * LONG_AGO)
    assert forgive(born, manner=MANNER, until_ms=60, now_ms=LONG_AGO).series.exposed == 0


DAY, MONTH, YEAR = Grid(60, 1_200, 10), Grid(240, 1_200, 10), Grid(960, 960, 10)
"""At 1 250 they reach back to 600, -1 200 and -8 640."""
PERIODS = {"-1day": DAY, "-1M": MONTH, "-1Y": YEAR}
NOW = 1_250


@pytest.mark.parametrize(
    ("spans", "denied", "expected"),
    [
        ([], {}, None),
        # The finest that reaches so far back, when the longer bucket cannot change any more.
        ([(700, 710)], {}, ("-1day", NOW)),
        ([(1_190, 1_200)], {}, ("-1day", NOW)),
        ([(1_201, 1_205)], {}, ("-1day", 1_260 + AFTER)),
        ([(500, 510)], {}, ("-1M", NOW)),
        ([(-1_300, -1_290)], {}, ("-1Y", NOW)),
        # How far back the last one reaches, it is asked itself.
        ([(-9_000, -8_990)], {}, ("-1Y", NOW)),
        ([(-9_000, -8_990)], {"-1Y": -8_640}, None),
        # Of several the one that can be paid first; of those that can be paid now, the oldest.
        ([(1_201, 1_205), (-1_300, -1_290)], {}, ("-1Y", NOW)),
        ([(-1_300, -1_290), (700, 710)], {}, ("-1Y", NOW)),
        # What a longer bucket holds that a shorter one can tell is told by that first.
        ([(500, 510), (610, 620)], {}, ("-1day", NOW)),
        ([(230, 240), (610, 620)], {}, ("-1M", NOW)),
        # A span that reaches farther back than a period is two.
        ([(590, 610)], {}, ("-1day", NOW)),
        ([(1_190, 1_205)], {"-1day": 1_200}, ("-1M", NOW)),
        # A period that has told all that it will tell is not asked for that again.
        ([(700, 710)], {"-1day": 720}, ("-1M", NOW)),
        ([(700, 710)], {"-1day": 720, "-1M": 720}, ("-1Y", NOW)),
        ([(700, 710)], {"-1day": 720, "-1M": 720, "-1Y": 960}, None),
        ([(730, 740)], {"-1day": 720}, ("-1day", NOW)),
    ],
)
def test_the_finest_period_that_reaches_so_far_back_is_asked_when_it_can_pay(
    spans: list[tuple[int, int]], denied: dict[str, int], expected: tuple[str, int] | None
) -> None:
    ask = next_ask([Owed(*span) for span in spans], PERIODS, manner=MANNER, denied=denied, now_ms=NOW)
    assert ask == (None if expected is None else Ask(*expected))


@pytest.mark.parametrize(
    ("spans", "expected"), [([(1_201, 1_205)], Ask("-1day", NOW)), ([(-9_000, -8_990)], Ask("-1day", NOW)), ([], None)]
)
def test_a_period_of_which_nothing_is_known_is_asked_at_once_if_something_is_owed(
    spans: list[tuple[int, int]], expected: Ask | None
) -> None:
    unknown = {"-1day": None, "-1M": None, "-1Y": None}
    assert next_ask([Owed(*span) for span in spans], unknown, manner=MANNER, denied={}, now_ms=NOW) == expected


@pytest.mark.parametrize(
    ("periods", "denied", "expected"),
    [
        # Of the last one only its own word counts: a younger machine's answer does not reach so far back.
        (PERIODS, {}, None),
        (PERIODS, {"-1Y": -8_640}, -8_640),
        ({"-1day": DAY}, {}, None),
        ({"-1day": DAY}, {"-1day": 720}, 720),
        (PERIODS, {"-1Y": 960}, -1_200),
        # It has been asked for older time than it holds by now.
        (PERIODS, {"-1day": 300, "-1Y": 960}, -1_200),
        (PERIODS, {"-1day": 720, "-1M": 720, "-1Y": 960}, 720),
        # Nobody knows how far back one reaches, until it has been asked.
        ({"-1day": DAY, "-1M": None}, {}, None),
        ({"-1day": DAY, "-1M": None}, {"-1M": 500}, 500),
    ],
)
def test_what_no_period_reaches_any_more_cannot_be_paid(
    periods: dict[str, Grid | None], denied: dict[str, int], expected: int | None
) -> None:
    assert unpayable_before_ms(periods, denied=denied, now_ms=NOW) == expected
