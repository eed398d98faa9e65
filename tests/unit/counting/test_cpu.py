"""A list without times is placed by the list before, with the clock as a hint."""

import pytest

from exporter.counting import place, width_of_time_units
from tests.builders import window

DOCUMENTED = "10.15 10.31 10.01 10.18 10.32 10.14 10.19 10.153 10.187 10.1537 10.1534 0"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5 minutes", 300),
        ("5 Minutes", 300),
        ("5minutes", 300),
        ("5-minute", 300),
        ("5 min", 300),
        ("5m", 300),
        ("minute", 60),
        ("1 day", 86_400),
        ("day", 86_400),
        ("2 seconds", 2),
        ("0.5 seconds", 0.5),
        ("300", 300),
        ("00:05:00", 300),
        ("5 minutos", 300),
        ("1 hora", 3_600),
        ("1 día", 86_400),
        ("", None),
        (None, None),
        ("0 minutes", None),
        ("moments", None),
        ("5 months", None),
    ],
)
def test_time_units_are_understood_in_any_spelling(text: str | None, seconds: float | None) -> None:
    assert width_of_time_units(text) == seconds


@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("wrong", [-2, -1, 0, 1, 2])
def test_values_that_overlap_correct_a_clock_that_is_wrong(moved: int, wrong: int) -> None:
    before = window(DOCUMENTED)
    values = (*before.values[moved:-1], *(window("11.1 12.2 13.3").values[: moved + 1]))
    placed = place(
        values,
        width_ms=before.width_ms,
        hint_ms=before.end_ms + (moved + wrong) * before.width_ms,
        before=before,
        asked_ms=200_000,
    )
    assert placed.end_ms == before.end_ms + moved * before.width_ms


def test_where_values_do_not_change_the_clock_decides() -> None:
    idle = window("0 0 0 0")
    placed = place(idle.values, width_ms=10_000, hint_ms=60_000, before=idle, asked_ms=61_000)
    assert placed.end_ms == 60_000


def test_a_corrected_chunk_does_not_spoil_the_overlap() -> None:
    before = window(DOCUMENTED)
    values = (*before.values[1:10], window("99").values[0], window("7").values[0], window("8").values[0])
    placed = place(values, width_ms=10_000, hint_ms=before.end_ms, before=before, asked_ms=200_000)
    assert placed.end_ms == before.end_ms + 10_000


def test_a_list_of_another_width_is_placed_by_the_clock() -> None:
    placed = place(window("1 2").values, width_ms=20_000, hint_ms=80_000, before=window("1 2"), asked_ms=81_000)
    assert (placed.start_ms, placed.end_ms) == (40_000, 80_000)
