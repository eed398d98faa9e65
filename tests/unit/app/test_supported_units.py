"""What answers come to before they are compared."""

from msgspec.structs import replace

from exporter.app.units import Windows, windows_of
from exporter.counting import enter
from exporter.gigas import Answer, BwStats, InterfaceTraffic
from tests.builders import machine

BEGIN = 1_700_000_400.0
HOUR_S = 3_600.0


def answer(*bytes_in: float | None, begin: float | None = BEGIN) -> Answer[BwStats]:
    """An hour of one interface that sends nothing."""
    sent = tuple(None if each is None else 0.0 for each in bytes_in)
    interface = InterfaceTraffic("45", "1", public=True, traffic_in=bytes_in, traffic_out=sent)
    end = None if begin is None else begin + HOUR_S
    return Answer(BwStats(begin, end, (interface,) if bytes_in else ()), asked_at=BEGIN + HOUR_S, asked_seen_at=0.0)


def windows(*answers: Answer[BwStats]) -> Windows:
    machines = [machine(vm_id=str(number)) for number in range(len(answers))]
    return windows_of("-1H", dict(zip(machines, answers, strict=True)))


def test_a_vm_that_was_stopped_has_buckets_as_wide_as_those_of_others() -> None:
    few, twelve = answer(1, 2, 3), answer(*range(12))
    found = windows(few, twelve, twelve)
    assert found.width_ms == 300_000
    assert found.series["0", "45", 0].end_ms == (BEGIN + 900) * 1000


def test_most_answers_decide_how_wide_buckets_are() -> None:
    assert windows(answer(*range(12)), answer(*range(12)), answer(*range(15))).width_ms == 300_000


def test_of_two_widths_the_narrower_is_believed_since_buckets_go_missing_and_do_not_come_twice() -> None:
    assert windows(answer(1, 2, 3), answer(*range(12))).width_ms == 300_000


def test_a_number_that_is_left_out_is_a_gap_and_each_direction_a_series() -> None:
    found = windows(answer(0, None, *range(2, 12)))
    assert set(found.series) == {("0", "45", 0), ("0", "45", 1)}
    assert found.series["0", "45", 0].values[:3] == (0, None, enter(2))
    assert found.series["0", "45", 1].values[:3] == (0, None, 0)


def test_nothing_shown_is_no_window() -> None:
    no_time = answer(1, 2)
    no_time = replace(no_time, document=replace(no_time.document, date_to=BEGIN + 0.0005))
    for nothing in (windows(), windows(answer()), windows(answer(1, 2, begin=None)), windows(no_time)):
        assert (nothing.width_ms, nothing.series) == (None, {})


def test_what_a_vm_moved_is_the_sum_of_all_its_series() -> None:
    found = windows(answer(1, None, 3), answer(7))
    one, other = (found.moved(machine(vm_id=vm_id)) for vm_id in ("0", "1"))
    assert one * 7 == other * 4
