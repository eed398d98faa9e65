"""Widths come from the answer, and where it leaves a choice, from what makes sense."""

import pytest

from exporter.counting import Bucket, Strip, Window, bucket_width, leave, packed, width_ms
from tests.builders import strip, window

HOUR = 1_407_060_000


@pytest.mark.parametrize(
    ("from_s", "to_s", "count", "width_s"),
    [
        pytest.param(HOUR, HOUR + 3600, 12, 300, id="all buckets are there"),
        pytest.param(HOUR, HOUR + 3600, 11, 300, id="the newest is missing"),
        pytest.param(HOUR, HOUR + 3600, 6, 600, id="half a window is not missing"),
        pytest.param(HOUR, HOUR + 24, 12, 2, id="a test's buckets of two seconds"),
        pytest.param(HOUR + 17, HOUR + 17 + 3600, 12, 300, id="off the grid"),
        pytest.param(1_407_060_000, 1_409_745_600, 373, 7200, id="the documented month"),
        pytest.param(HOUR, HOUR, 12, None, id="no span"),
        pytest.param(HOUR + 3600, HOUR, 12, None, id="turned round"),
        pytest.param(HOUR, HOUR + 3600, 0, None, id="no bucket"),
        pytest.param(float("nan"), HOUR, 12, None, id="no number"),
    ],
)
def test_the_width_follows_from_the_answer(from_s: float, to_s: float, count: int, width_s: float | None) -> None:
    assert bucket_width(from_s=from_s, to_s=to_s, count=count) == width_s


KNOWN = list(window("3 4 5 6 7 8 9 9").buckets())
"""Eight buckets of ten seconds."""


@pytest.mark.parametrize(
    ("told", "known", "seen_s", "width_s"),
    [
        pytest.param(strip("5 6 7 8 9 9 2 1", of=80, start=20), KNOWN, (10, None), 10, id="all are there"),
        pytest.param(
            strip("9 9", of=80, start=60), KNOWN, (10, None), 10, id="the VM was stopped, and the oldest are left"
        ),
        pytest.param(strip("9", of=80, start=70), KNOWN, (10, None), 10, id="one is left"),
        pytest.param(strip("7 11 15 18", of=80), KNOWN, (10, None), 20, id="the width has changed"),
        pytest.param(strip("4 4 5 6 8 9 9 9", of=96), KNOWN, (10, None), 12, id="it has changed a little"),
        pytest.param(strip("5 6 7 8 9 9 1", of=80, start=20), KNOWN, (10, 16), 10, id="values decide"),
        pytest.param(strip("0 0 0 0", of=80, start=100), KNOWN, (16, None), 20, id="off the grid of the one seen"),
        pytest.param(strip("5 6 7 8 9 9 2 1", of=81, start=20), KNOWN, (10, None), 10, id="a second more"),
        pytest.param(strip("1 1 1 1 1 1 1 1", of=80), KNOWN, (20, None), 10, id="the width seen is too wide"),
        pytest.param(strip("0 0", of=80), [], (10, None), 10, id="zeros tell nothing: what was seen is believed"),
        pytest.param(strip("5 6", of=80), [], (None, 10), 10, id="a VM that is new, in an account that is not"),
        pytest.param(strip("5 6 7 8", of=80), [], (None, None), 20, id="nothing was seen before"),
        pytest.param(strip("5 6 7 8", of=80), [], (30, None), 20, id="the width seen does not divide the span"),
        pytest.param(strip("", of=80), [], (10, None), 10, id="nothing is there"),
        pytest.param(strip("", of=80), [], (None, None), None, id="nothing was ever there"),
    ],
)
def test_a_width_seen_before_is_believed_unless_what_is_known_speaks_against_it(
    told: Strip, known: list[Bucket], seen_s: tuple[int | None, int | None], width_s: int | None
) -> None:
    own_s, hint_s = seen_s
    grid = None if own_s is None else Window(80_000, own_s * 1000, (), asked_ms=80_000)
    width = width_ms([(told, packed(known))], grid=grid, hint_ms=None if hint_s is None else hint_s * 1000)
    assert width == (None if width_s is None else width_s * 1000)


def test_rates_become_what_a_bucket_holds() -> None:
    told = Strip(0, 600_000, (10.0, 0.5), asked_ms=600_000, per_second=True)
    assert [value and leave(value) for value in told.window(300_000).values] == [3_000.0, 150.0]
