"""Widths come from the answer, and where it leaves a choice, from what makes sense."""

import pytest

from exporter.counting import bucket_width

HOUR = 1_407_060_000


@pytest.mark.parametrize(
    ("from_s", "to_s", "count", "hint_s", "width_s"),
    [
        pytest.param(HOUR, HOUR + 3600, 12, None, 300, id="all buckets are there"),
        pytest.param(HOUR, HOUR + 3600, 11, None, 300, id="the newest is missing"),
        pytest.param(HOUR, HOUR + 3600, 10, 300, 300, id="two are missing, and the width is known"),
        pytest.param(HOUR, HOUR + 3600, 6, 300, 600, id="the width has changed: half a window is not missing"),
        pytest.param(HOUR, HOUR + 24, 12, None, 2, id="a test's buckets of two seconds"),
        pytest.param(HOUR, HOUR + 24, 12, 300, 2, id="a hint that cannot be is not followed"),
        pytest.param(HOUR + 17, HOUR + 17 + 3600, 12, None, 300, id="off the grid"),
        pytest.param(1_407_060_000, 1_409_745_600, 373, None, 7200, id="the documented month"),
        pytest.param(HOUR, HOUR, 12, None, None, id="no span"),
        pytest.param(HOUR + 3600, HOUR, 12, None, None, id="turned round"),
        pytest.param(HOUR, HOUR + 3600, 0, None, None, id="no bucket"),
        pytest.param(float("nan"), HOUR, 12, None, None, id="no number"),
    ],
)
def test_the_width_follows_from_the_answer(
    from_s: float, to_s: float, count: int, hint_s: float | None, width_s: float | None
) -> None:
    assert bucket_width(from_s=from_s, to_s=to_s, count=count, hint_s=hint_s) == width_s
