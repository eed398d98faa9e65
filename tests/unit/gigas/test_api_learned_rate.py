"""The rate that refusals teach, with endless work against providers that limit in the ways that there are."""

import itertools
from collections.abc import Callable

import pytest

from tests.unit.gigas.limiting import Bucket, Limit, Minutes, RetryAfter, Sliding, asking

LIMITS: dict[str, Callable[[float], Limit]] = {
    "a second's burst": lambda per_s: Bucket(per_s, burst=per_s),
    "a small burst": lambda per_s: Bucket(per_s, burst=max(2, per_s / 20)),
    "any second": Sliding,
    "each second": lambda per_s: Minutes(per_s, of_s=1.0, gone=0.3),
    "each minute": lambda per_s: Minutes(per_s, gone=0.4),
}
ROUND_TRIPS_S = (0.002, 0.05, 0.5)
SLOWLY = [
    (name, retry_after, round_trip_s)
    for (name, retry_after), round_trip_s in zip(
        itertools.product(LIMITS, (1.0, 30.0, None, "date", "true")), itertools.cycle(ROUND_TRIPS_S), strict=False
    )
    # To wait for half a minute when the minute ends in a second, and still be refused when it does not, as this one
    # would have it, is time that nothing can make good.
    if (name, retry_after) != ("each minute", 30.0)
]
QUICKLY = [
    *((name, 40, round_trip_s) for name, round_trip_s in zip(LIMITS, (0.5, 0.05, 0.5, 0.05, 0.5), strict=True)),
    ("a second's burst", 300, 0.002),
]


def lasting_s(retry_after: RetryAfter, name: str) -> float:
    """An hour where each refusal costs half a minute: that must be earned first, and so must a minute's refusals."""
    return 3_600.0 if retry_after == 30.0 else 1_200.0 if name == "each minute" else 600.0


@pytest.mark.parametrize(("name", "retry_after", "round_trip_s"), SLOWLY)
def test_of_a_low_limit_nine_tenths_are_used_and_hardly_anything_is_refused(
    name: str, retry_after: RetryAfter, round_trip_s: float
) -> None:
    until_s = lasting_s(retry_after, name)
    made = asking(LIMITS[name](5), retry_after=retry_after, round_trip_s=round_trip_s, until_s=until_s)
    assert made.answered >= 0.9 * 5 * until_s
    assert made.refused_share < 0.02


@pytest.mark.parametrize(("name", "per_s", "round_trip_s"), QUICKLY)
def test_of_a_high_limit_nine_tenths_are_used_and_hardly_anything_is_refused(
    name: str, per_s: float, round_trip_s: float
) -> None:
    until_s = 300.0 if per_s < 300 else 60.0
    made = asking(LIMITS[name](per_s), round_trip_s=round_trip_s, until_s=until_s)
    assert made.answered >= 0.9 * per_s * until_s
    assert made.refused_share < 0.02


def test_nothing_is_held_where_nothing_is_refused() -> None:
    made = asking(Bucket(1e9, burst=1e9), round_trip_s=0.5, until_s=60)
    assert made.answered >= 0.9 * 32 / 0.5 * 60  # As many as 32 workers can.


@pytest.mark.parametrize("name", ["a second's burst", "a small burst", "each second"])
def test_a_limit_that_is_raised_is_followed_within_minutes(name: str) -> None:
    limit = LIMITS[name]
    made = asking(limit(5), until_s=600, later=limit(50), later_s=300, marks_s=(540, 600))
    assert made.marks[600] - made.marks[540] >= 0.9 * 50 * 60


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_drops_is_followed_within_minutes(name: str) -> None:
    limit = LIMITS[name]
    made = asking(limit(50), until_s=540, later=limit(5), later_s=180, marks_s=(360, 540))
    assert made.marks[540] - made.marks[360] >= 0.85 * 5 * 180


def test_refusals_that_rate_does_not_explain_lead_no_lower_than_one_a_second() -> None:
    class EachFifth:
        asked = 0

        def lets(self, _: float) -> bool:
            self.asked += 1
            return self.asked % 5 != 0

        def refuses_for_s(self, _: float) -> float:
            return 0.0

    made = asking(EachFifth(), until_s=600)
    assert made.answered >= 0.6 * 600  # Four in four seconds, then a pause of one, or two.


def test_a_ceiling_that_refuses_no_more_goes_away() -> None:
    free = Bucket(1e9, burst=1e9)
    made = asking(Bucket(20, burst=20), round_trip_s=0.5, until_s=600, later=free, later_s=120, marks_s=(540, 600))
    assert made.marks[600] - made.marks[540] >= 0.9 * 32 / 0.5 * 60
