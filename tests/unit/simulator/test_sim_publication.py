"""What is shown of the truth, and when."""

import math

import pytest

from exporter.simulator.publication import BW_PERIODS, spelt
from exporter.simulator.world import Machine, World
from tests.unit.simulator.made import START, machine_of, machines_of, published

STEP = 10.0
LONG_AFTER = START + 40 * STEP


def running(made: World) -> list[Machine]:
    return [machine for machine in machines_of(made) if machine.status == "online" and "young" not in machine.hostname]


def test_the_shortest_window_is_twelve_steps_that_end_at_the_newest_boundary() -> None:
    made, publication = published()
    told = publication.bw_stats(machine_of(made, "web"), "-1H", START + 7.3)
    assert (told["date_from"], told["date_to"]) == (START - 120, START)
    assert isinstance(told["date_to"], int)
    cpu = publication.cpu_stats(machine_of(made, "web"), "-1H", START + 7.3)
    assert (len(cpu["data"]), cpu["time_units"], cpu["lapse"]) == (12, "10 seconds", "last hour")


@pytest.mark.parametrize(
    ("width_s", "words"),
    [
        (300, "5 minutes"),
        (60, "1 minute"),
        (10, "10 seconds"),
        (2, "2 seconds"),
        (0.5, "0.5 seconds"),
        (86_400, "1 day"),
        (2_880, "48 minutes"),
    ],
)
def test_widths_are_spelt_as_the_page_spells_them(width_s: float, words: str) -> None:
    assert spelt(width_s) == words


def test_long_after_its_end_every_bucket_is_the_truth() -> None:
    made, publication = published()
    first = int(START // STEP)
    for machine in running(made):
        for bucket in range(first, first + 20):
            ratio = made.cpu_ratio(machine, bucket)
            assert ratio is not None
            percent = publication.cpu_percent(machine, bucket, 1, LONG_AFTER)
            assert percent == pytest.approx(100 * ratio, rel=1e-9)
            for interface in machine.interfaces:
                told = publication.traffic_bytes(machine, interface, bucket, 1, LONG_AFTER)
                assert told == made.traffic(machine, interface, bucket)


def test_a_bucket_is_published_a_lag_after_its_end_that_differs_between_vms() -> None:
    made, publication = published(corrections=False, lag_s=4.0)
    bucket = int(START // STEP) - 1  # ends at START
    lags = set()
    for machine in running(made):
        at = [publication.cpu_percent(machine, bucket, 1, START + tenths / 10) is not None for tenths in range(70)]
        assert at == sorted(at)
        lags.add(at.index(True))
    assert min(lags) >= 20
    assert max(lags) <= 60
    assert len(lags) > 5


def test_some_buckets_are_partial_first_and_whole_within_two_steps_of_publication() -> None:
    made, publication = published()
    first = int(START // STEP)
    corrected_after = []
    for machine in running(made):
        for bucket in range(first, first + 30):
            ratio = made.cpu_ratio(machine, bucket)
            assert ratio is not None
            ended = (bucket + 1) * STEP
            # Each VM's lag is from 0.5 to 1.5 of the mean, which is a fifth of a step.
            shown = [publication.cpu_percent(machine, bucket, 1, ended + 3.01 + after) for after in (0, 10, 20)]
            shares = [round(percent / (100 * ratio), 6) for percent in shown if percent is not None]
            assert shares in ([1, 1, 1], [0.6, 1, 1], [0.6, 0.6, 1])
            corrected_after.append(shares.count(0.6))
    assert {1, 2} <= set(corrected_after)
    assert 0.05 < sum(map(bool, corrected_after)) / len(corrected_after) < 0.15


def test_without_corrections_nothing_is_partial() -> None:
    made, publication = published(corrections=False)
    bucket = int(START // STEP) - 1
    for machine in running(made):
        ratio = made.cpu_ratio(machine, bucket)
        assert ratio is not None
        assert publication.cpu_percent(machine, bucket, 1, START + 3.01) == pytest.approx(100 * ratio, rel=1e-9)


def test_what_is_not_published_yet_is_zero_absent_or_null_by_vm() -> None:
    made, publication = published()
    habits = set()
    for machine in running(made):
        (newest,) = {
            str(interface["data"].get("11", "absent"))
            for (interface,) in publication.bw_stats(machine, "-1H", START + 0.01)["traffic"]
        }
        habits.add(newest)
        assert publication.cpu_stats(machine, "-1H", START + 0.01)["data"][-1] in (0, None)
    nothing = "{'traffic_out': %s, 'traffic_in': %s}"
    assert habits == {"absent", nothing % (0, 0), nothing % (None, None)}


def test_a_vm_without_statistics_answers_an_empty_list_and_an_empty_dictionary() -> None:
    made, publication = published()
    for kind in ("offline", "unbuilt"):
        assert publication.cpu_stats(machine_of(made, kind), "-1H", START)["data"] == []
        assert publication.bw_stats(machine_of(made, kind), "-1H", START)["traffic"] == {}


def test_a_stopped_vm_has_no_buckets_after_its_stop_and_no_data_a_window_later() -> None:
    made, publication = published(corrections=False)
    machine = machine_of(made, "web")
    machine.set_status("offline", START + 4)
    (interface,) = publication.bw_stats(machine, "-1H", START + 55)["traffic"][0]
    assert max(map(int, interface["data"])) == 12 - 5  # the bucket of the stop stays unfilled
    assert publication.bw_stats(machine, "-1H", START + 200)["traffic"] == {}


@pytest.mark.parametrize("period", ["-1day", "-1M", "-1Y"])
def test_a_coarse_bucket_of_traffic_is_the_sum_of_its_fine_ones(period: str) -> None:
    made, publication = published(history_steps=900)
    count, steps = BW_PERIODS[period]
    for kind in ("web", "young", "database"):
        machine = machine_of(made, kind)
        told = publication.bw_stats(machine, period, LONG_AFTER)
        assert told["date_to"] % (steps * STEP) == 0
        assert told["date_to"] - told["date_from"] == count * steps * STEP
        assert told["traffic"] != {} or kind == "young"
        for (interface_told,), interface in zip(told["traffic"], machine.interfaces, strict=bool(told["traffic"])):
            for key, value in list(interface_told["data"].items())[:-1]:
                first = round(told["date_from"] / STEP) + int(key) * steps
                fine = [made.traffic(machine, interface, each) for each in range(first, first + steps)]
                received = [each[0] for each in fine if each is not None]
                assert (value["traffic_in"] or 0) == pytest.approx(math.fsum(received), rel=1e-12)


def test_a_day_of_cpu_is_the_mean_of_its_chunks() -> None:
    made, publication = published(history_steps=900)
    machine = machine_of(made, "web")
    told = publication.cpu_stats(machine, "-30days", LONG_AFTER)
    assert (len(told["data"]), told["time_units"], told["lapse"]) == (30, "48 minutes", "last 30 days")
    last = int(LONG_AFTER // (288 * STEP)) - 1
    ratios = [made.cpu_ratio(machine, each) for each in range(last * 288, (last + 1) * 288)]
    known = [ratio for ratio in ratios if ratio is not None]
    assert told["data"][-1] == pytest.approx(100 * math.fsum(known) / len(known), rel=1e-9)


@pytest.mark.parametrize("period", ["-1H", "-1day", "-1M"])
def test_a_provider_of_bytes_per_second_shows_averages_in_every_period(period: str) -> None:
    told = []
    for unit in ("bytes", "bytes_per_second"):
        made, publication = published(history_steps=900, traffic_unit=unit)
        (interface,) = publication.bw_stats(machine_of(made, "web"), period, LONG_AFTER)["traffic"][0]
        told.append([bucket["traffic_in"] for bucket in interface["data"].values() if bucket["traffic_in"]])
    sums, averages = told
    assert averages == pytest.approx([each / (BW_PERIODS[period][1] * STEP) for each in sums], rel=1e-12)


def test_a_provider_of_percents_of_a_core_shows_as_many_times_as_much_as_there_are_cores() -> None:
    told = []
    for whole in ("vm", "core"):
        made, publication = published(cpu_percent_of=whole)
        machine = machine_of(made, "web")
        machine.cpus = 4
        told.append(publication.cpu_stats(machine, "-1H", LONG_AFTER)["data"])
    of_vm, of_core = told
    assert of_core == pytest.approx([4 * percent for percent in of_vm], rel=1e-12)
    assert max(of_core) > 100


def test_fractions_of_bytes_are_shown_as_the_provider_shows_them() -> None:
    made, publication = published()
    (interface,) = publication.bw_stats(machine_of(made, "web"), "-1H", LONG_AFTER)["traffic"][0]
    values = [bucket["traffic_in"] for bucket in interface["data"].values()]
    assert any(value != int(value) for value in values if value is not None)
