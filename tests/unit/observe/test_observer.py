"""Every event becomes the right count and, where it is news, one log line."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.clock import SystemClock
from exporter.gigas import GigasError, NotFound, RequestDone, Throttled
from exporter.intake import CommitFailed, Committed, FleetChanged, ReadingTaken, Restored
from exporter.metrics import Own
from exporter.observe import Observer
from exporter.schedule import AgesSeen, CollectorRan, LookBackFailed, LookFailed, LooksBegan, TaskFailed
from tests.exposition import Page, text_of

ACCOUNT, CPU = "production", {"account": "production", "collector": "cpu"}
Lines = list[MutableMapping[str, Any]]


class Clock(SystemClock):
    now_s = 1_000.0

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class Observed:
    """An observer, the page of what it counts, and its clock."""

    def __init__(self) -> None:
        self.own, self.clock = Own(version="1"), Clock()
        self.observer = Observer(own=self.own, clock=self.clock)
        self.observer.account_watched(ACCOUNT)
        self.told = self.observer.told

    def page(self) -> Page:
        return Page.of(text_of(self.own))


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as captured:
        yield captured


def error(cause: str = "HTTP 503") -> GigasError:
    return NotFound(ACCOUNT, "cpu_stats", 503, cause=cause)


def ran(
    *causes: str,
    whole: bool = False,
    failing: int | None = None,
    collector: str = "cpu",
    duration_s: float = 0.5,
    owing: int = 0,
) -> CollectorRan:
    return CollectorRan(
        account=ACCOUNT,
        collector=collector,
        duration_s=duration_s,
        error=error(causes[0]) if whole else None,
        vms=14,
        failing=len(causes) if failing is None else failing,
        causes=causes,
        owing=owing,
    )


def paid(seconds: float, *, estimated_s: float = 0.0, lost_s: float = 0.0) -> ReadingTaken:
    return ReadingTaken(
        account=ACCOUNT, collector="cpu", vm_id="24", caught_up_s=seconds, estimated_s=estimated_s, lost_s=lost_s
    )


def not_looked_back(cause: str = "HTTP 404", *, is_owed: bool = True) -> LookBackFailed:
    return LookBackFailed(ACCOUNT, "cpu", "24", "-30days", is_owed, error(cause))


def shown(lines: Lines) -> list[str]:
    """The phrases of the lines that an operator sees by default."""
    return [line["event"] for line in lines if line["log_level"] != "debug"]


def test_what_is_known_from_the_start_is_there_as_0_before_the_first_event() -> None:
    page = Observed().page()
    assert page.one("gigas_exporter_active") == 1
    assert page.one("gigas_exporter_api_throttled_seconds_total", account=ACCOUNT) == 0
    for collector in ("cpu", "traffic"):
        assert page.one("gigas_exporter_lost_seconds_total", account=ACCOUNT, collector=collector) == 0
        assert page.one("gigas_exporter_refused_values_total", account=ACCOUNT, collector=collector) == 0
        assert page.one("gigas_exporter_buckets_total", account=ACCOUNT, collector=collector) == 0
        assert page.one("gigas_exporter_due_vms", account=ACCOUNT, collector=collector) == 0
        for name in ("gigas_exporter_data_age_seconds", "gigas_exporter_look_lateness_seconds"):
            assert page.one(f"{name}_count", account=ACCOUNT, collector=collector) == 0
    for collector in ("inventory", "cpu", "traffic"):
        assert page.one("gigas_exporter_duplicates_total", account=ACCOUNT, collector=collector) == 0
        assert page.one("gigas_exporter_internal_errors_total", task=f"{ACCOUNT}/{collector}") == 0
        assert page.value("gigas_exporter_collector_success", account=ACCOUNT, collector=collector) is None


def test_a_request_is_counted_by_account_endpoint_and_code_and_timed_by_endpoint() -> None:
    observed = Observed()
    for code in ("200", "200", "timeout"):
        observed.told(RequestDone(ACCOUNT, "cpu_stats", code, 0.3))
    page = observed.page()
    where = {"account": ACCOUNT, "endpoint": "cpu_stats"}
    assert page.one("gigas_exporter_api_requests_total", **where, code="200") == 2
    assert page.one("gigas_exporter_api_requests_total", **where, code="timeout") == 1
    assert page.one("gigas_exporter_api_request_duration_seconds_count", endpoint="cpu_stats") == 3
    assert page.one("gigas_exporter_api_request_duration_seconds_bucket", endpoint="cpu_stats", le="0.25") == 0


def test_waiting_is_summed() -> None:
    observed = Observed()
    observed.told(Throttled(ACCOUNT, 1.5))
    observed.told(Throttled(ACCOUNT, 2.0))
    assert observed.page().one("gigas_exporter_api_throttled_seconds_total", account=ACCOUNT) == 3.5


def test_buckets_are_summed_so_that_requests_for_each_can_be_told() -> None:
    observed = Observed()
    for buckets in (0, 1, 1, 3):
        observed.told(ReadingTaken(account=ACCOUNT, collector="cpu", vm_id="24", buckets=buckets))
    assert observed.page().one("gigas_exporter_buckets_total", **CPU) == 5


def test_looks_show_how_late_they_begin_and_how_many_vms_wait() -> None:
    observed = Observed()
    observed.told(LooksBegan(ACCOUNT, "cpu", late_s=(0.02, 0.04), due=7))
    observed.told(LooksBegan(ACCOUNT, "cpu", late_s=(4.0,), due=3))
    page = observed.page()
    assert page.one("gigas_exporter_due_vms", **CPU) == 3
    assert page.one("gigas_exporter_look_lateness_seconds_bucket", **CPU, le="0.05") == 2
    assert page.one("gigas_exporter_look_lateness_seconds_sum", **CPU) == pytest.approx(4.06)


def test_ages_of_vms_add_up_over_samples() -> None:
    observed = Observed()
    observed.told(AgesSeen(ACCOUNT, "cpu", ages_s=(70.0, 130.0, 9_000.0), due=2))
    observed.told(AgesSeen(ACCOUNT, "cpu", ages_s=(90.0, 150.0, 9_020.0), due=0))
    page = observed.page()
    assert page.one("gigas_exporter_due_vms", **CPU) == 0
    for bound, count in (("60.0", 0), ("120.0", 2), ("180.0", 4), ("7200.0", 4), ("+Inf", 6)):
        assert page.one("gigas_exporter_data_age_seconds_bucket", **CPU, le=bound) == count


def test_the_shard_that_is_watched_is_shown_and_no_other() -> None:
    observed = Observed()
    observed.observer.sharded(index=0, total=1)
    assert observed.page().one("gigas_exporter_shard_info") == observed.page().one(
        "gigas_exporter_shard_info", index="0", total="1"
    )
    observed.observer.sharded(index=2, total=12)
    assert list(observed.page().each("gigas_exporter_shard_info")) == [({"index": "2", "total": "12"}, 1)]


def test_a_run_sets_success_duration_and_when_it_last_went_well() -> None:
    observed = Observed()
    observed.told(ran(duration_s=0.25))
    page = observed.page()
    assert page.one("gigas_exporter_collector_success", **CPU) == 1
    assert page.one("gigas_exporter_collector_duration_seconds", **CPU) == 0.25
    assert page.one("gigas_exporter_collector_last_success_timestamp_seconds", **CPU) == 1_000
    observed.clock.now_s = 2_000.0
    observed.told(ran("HTTP 503", whole=True))
    page = observed.page()
    assert page.one("gigas_exporter_collector_success", **CPU) == 0
    assert page.one("gigas_exporter_collector_last_success_timestamp_seconds", **CPU) == 1_000
    observed.told(ran("HTTP 503", failing=1))
    page = observed.page()
    assert page.one("gigas_exporter_collector_success", **CPU) == 1  # one VM that fails is no collector that does
    assert page.one("gigas_exporter_collector_last_success_timestamp_seconds", **CPU) == 2_000


def test_a_failure_is_said_when_it_begins_when_its_cause_changes_and_when_it_ends(lines: Lines) -> None:
    observed = Observed()
    for run in (
        *[ran("HTTP 503", whole=True)] * 5,
        *[ran("no answer in time", whole=True)] * 5,
        *[ran()] * 5,
        *[ran("HTTP 503", whole=True)] * 2,
    ):
        observed.told(run)
    assert shown(lines) == ["collection failed", "collection failed", "collection works again", "collection failed"]
    assert [line["cause"] for line in lines if "cause" in line] == ["HTTP 503", "no answer in time", "HTTP 503"]
    assert lines[2]["failed"] == 10
    assert {"account", "collector", "endpoint"} <= lines[0].keys()


def test_vms_that_fail_are_one_line_for_the_collector_not_one_each(lines: Lines) -> None:
    observed = Observed()
    for vm_id in range(1_000):
        observed.told(LookFailed(ACCOUNT, "cpu", str(vm_id), error()))
        observed.told(ran("HTTP 503", failing=vm_id + 1))
    assert shown(lines) == ["some vms fail"]
    for vm_id in range(1_000):
        observed.told(LookFailed(ACCOUNT, "cpu", str(vm_id), None))
        observed.told(ran("HTTP 503", failing=999 - vm_id) if vm_id < 999 else ran())
    assert shown(lines) == ["some vms fail", "collection works again"]
    assert lines[1]["vms"] == 14


def test_the_way_from_some_to_all_and_back_is_said(lines: Lines) -> None:
    observed = Observed()
    for run in (ran("HTTP 503"), ran("HTTP 503", whole=True), ran("HTTP 503"), ran()):
        observed.told(run)
        observed.told(run)
    assert shown(lines) == ["some vms fail", "collection failed", "some vms fail", "collection works again"]


def test_a_line_names_three_causes_at_most(lines: Lines) -> None:
    Observed().told(ran("a", "b", "c", "d", "e"))
    assert lines[0]["cause"] == "a; b; c; and 2 more"


def test_collectors_and_accounts_fail_apart(lines: Lines) -> None:
    observed = Observed()
    observed.told(ran("HTTP 503", whole=True))
    observed.told(ran("HTTP 503", whole=True, collector="traffic"))
    observed.told(ran())
    assert [(line["event"], line["collector"]) for line in lines] == [
        ("collection failed", "cpu"),
        ("collection failed", "traffic"),
        ("collection works again", "cpu"),
    ]


def test_what_a_reading_lost_refused_and_repeated_is_counted() -> None:
    observed = Observed()
    observed.told(ReadingTaken(account=ACCOUNT, collector="cpu", vm_id="24", lost_s=300.0, refused=2, duplicates=1))
    page = observed.page()
    assert page.one("gigas_exporter_lost_seconds_total", **CPU) == 300
    assert page.one("gigas_exporter_refused_values_total", **CPU) == 2
    assert page.one("gigas_exporter_duplicates_total", **CPU) == 1


def test_time_that_many_vms_lost_is_one_line(lines: Lines) -> None:
    observed = Observed()
    for vm_id in range(1_000):
        observed.told(
            ReadingTaken(account=ACCOUNT, collector="cpu", vm_id=str(vm_id), lost_s=300.0, refused=0, duplicates=0)
        )
    observed.told(ran())
    observed.told(ran())
    assert shown(lines) == ["time lost"]
    said = next(line for line in lines if line["event"] == "time lost")
    assert (said["seconds"], said["answers"]) == (300_000, 1_000)


def test_time_that_is_lost_again_and_again_is_said_when_that_begins_and_ends(lines: Lines) -> None:
    observed = Observed()
    for _ in range(3):
        observed.told(ReadingTaken(account=ACCOUNT, collector="cpu", vm_id="24", lost_s=300.0, refused=0, duplicates=0))
        observed.told(ran())
    observed.told(ran())
    assert shown(lines) == ["time lost", "no more time lost"]


def test_what_was_caught_up_and_what_of_that_is_an_estimate_is_counted() -> None:
    observed = Observed()
    observed.told(paid(600.0, estimated_s=120.0))
    observed.told(paid(300.0))
    page = observed.page()
    assert page.one("gigas_exporter_caught_up_seconds_total", **CPU) == 900
    assert page.one("gigas_exporter_estimated_seconds_total", **CPU) == 120
    for collector in ("cpu", "traffic"):
        for name in ("caught_up", "estimated", "lost"):
            assert page.value(f"gigas_exporter_{name}_seconds_total", account=ACCOUNT, collector=collector) is not None


def test_catching_up_is_said_when_it_begins_at_most_once_a_minute_and_when_it_ends(lines: Lines) -> None:
    observed = Observed()
    observed.told(paid(0.0, lost_s=50.0))
    for owing in range(100, 0, -1):
        observed.told(ran(owing=owing))
        observed.told(paid(60.0, estimated_s=1.0))
        observed.clock.now_s += 1.5
    observed.told(ran())
    observed.told(ran())
    said = [
        (line["event"], line.get("vms"), line["paid_s"], line["estimated_s"], line["lost_s"])
        for line in lines
        if "paid_s" in line
    ]
    assert said == [
        ("catching up", 100, 0, 0, 50),
        ("catching up", 60, 40 * 60, 40, 50),
        ("catching up", 20, 80 * 60, 80, 50),
        ("caught up", None, 100 * 60, 100, 50),
    ]
    assert all((line["account"], line["collector"]) == (ACCOUNT, "cpu") for line in lines)


def test_while_nothing_changes_nothing_is_said(lines: Lines) -> None:
    observed = Observed()
    for _ in range(10):
        observed.told(ran(owing=7))
        observed.clock.now_s += 3_600
    assert shown(lines) == ["catching up"]


def test_what_was_caught_up_between_two_runs_is_said_once(lines: Lines) -> None:
    observed = Observed()
    observed.told(ran())
    observed.told(paid(600.0))
    observed.told(ran())
    observed.told(ran())
    assert shown(lines) == ["caught up"]
    assert lines[0]["paid_s"] == 600


def test_what_is_lost_at_once_is_no_catching_up(lines: Lines) -> None:
    observed = Observed()
    observed.told(paid(0.0, lost_s=600.0))
    observed.told(ran())
    assert shown(lines) == ["time lost"]
    observed.told(paid(60.0))
    observed.told(ran())
    assert next(line for line in lines if line["event"] == "caught up")["lost_s"] == 0


def test_collectors_catch_up_apart(lines: Lines) -> None:
    observed = Observed()
    observed.told(ran(owing=3))
    observed.told(ran(collector="traffic", owing=5))
    observed.told(ran())
    assert [(line["event"], line["collector"], line.get("vms")) for line in lines] == [
        ("catching up", "cpu", 3),
        ("catching up", "traffic", 5),
        ("caught up", "cpu", None),
    ]


def test_that_catching_up_fails_is_said_once_a_cause(lines: Lines) -> None:
    observed = Observed()
    observed.told(ran(owing=2))
    for cause in ("HTTP 404", "HTTP 404", "HTTP 500", "HTTP 500"):
        observed.told(not_looked_back(cause))
        observed.told(ran(owing=2))
    assert [line["cause"] for line in lines if line["event"] == "catching up fails"] == ["HTTP 404", "HTTP 500"]
    assert [line["log_level"] for line in lines if line["event"] == "catching up fails"] == ["warning"] * 2
    observed.told(paid(60.0))  # It works for some again,
    observed.told(not_looked_back("HTTP 500"))  # and then does not.
    observed.told(ran())
    observed.told(ran(owing=1))
    observed.told(not_looked_back("HTTP 500"))
    assert shown(lines).count("catching up fails") == 4


def test_a_period_that_only_fails_to_show_itself_is_no_failure_to_catch_up(lines: Lines) -> None:
    observed = Observed()
    observed.told(not_looked_back(is_owed=False))
    assert shown(lines) == []
    observed.told(not_looked_back())
    assert shown(lines) == ["catching up fails"]


def test_a_ledger_that_cannot_be_written_is_said_once_a_cause_and_when_it_can_be_again(lines: Lines) -> None:
    observed = Observed()
    for cause in ("disk full", "disk full", "read-only", "read-only"):
        observed.told(CommitFailed(cause, vms=7))
    page = observed.page()
    assert page.one("gigas_exporter_ledger_up") == 0
    assert page.one("gigas_exporter_ledger_unwritten_vms") == 7
    assert page.one("gigas_exporter_ledger_commit_failures_total") == 4
    assert page.one("gigas_exporter_ledger_commit_duration_seconds_count") == 0
    for _ in range(2):
        observed.told(Committed(7, 0.02, 4_096))
    page = observed.page()
    assert page.one("gigas_exporter_ledger_up") == 1
    assert page.one("gigas_exporter_ledger_unwritten_vms") == 0
    assert page.one("gigas_exporter_ledger_size_bytes") == 4_096
    assert page.one("gigas_exporter_ledger_commit_failures_total") == 4
    assert page.one("gigas_exporter_ledger_commit_duration_seconds_count") == 2
    assert page.one("gigas_exporter_ledger_commit_duration_seconds_bucket", le="0.01") == 0
    assert shown(lines) == ["ledger not written", "ledger not written", "ledger written again"]
    assert [line["cause"] for line in lines[:2]] == ["disk full", "read-only"]
    assert all("counting goes on" in line["consequence"] for line in lines[:2])
    assert lines[2]["failures"] == 4


def test_a_ledger_is_well_until_it_is_told_to_be_otherwise() -> None:
    page = Observed().page()
    assert page.one("gigas_exporter_ledger_up") == 1
    assert page.one("gigas_exporter_ledger_unwritten_vms") == 0


def test_what_becomes_of_the_file_and_what_was_in_it_is_said(lines: Lines) -> None:
    observed = Observed()
    observed.observer.ledger_opened("/x/ledger.db", moved_to=None)
    observed.observer.ledger_opened("/x/ledger.db", moved_to="/x/ledger.db.unusable")
    observed.told(Restored(ACCOUNT, 14))
    observed.observer.account_pruned("old")
    assert shown(lines) == [
        "ledger opened",
        "unusable ledger moved aside, counting starts anew",
        "ledger opened",
        "counters restored",
        "account forgotten, nobody has watched it for long",
    ]
    assert (lines[1]["moved_to"], lines[3]["vms"]) == ("/x/ledger.db.unusable", 14)


def test_a_process_that_waits_says_so_once_and_when_it_takes_over(lines: Lines) -> None:
    observed = Observed()
    observed.observer.active()
    for _ in range(3):
        observed.observer.standing_by("/x/ledger.db: is held by process 7")
    assert observed.page().one("gigas_exporter_active") == 0
    observed.observer.active()
    assert observed.page().one("gigas_exporter_active") == 1
    assert shown(lines) == ["standing by", "taking over"]


def test_vms_that_come_go_and_are_renamed_are_said_in_a_line_of_bounded_length(lines: Lines) -> None:
    observed = Observed()
    observed.told(FleetChanged(ACCOUNT, tuple(f"web-{n}" for n in range(1_000)), (), ()))
    observed.told(FleetChanged(ACCOUNT, (), ("web-1",), (("web-2", "db-2"),)))
    assert shown(lines) == ["vms found", "vms gone", "vm renamed"]
    assert lines[0]["count"] == 1_000
    assert lines[0]["vms"].endswith("web-9 and 990 more")
    assert (lines[2]["old"], lines[2]["new"]) == ("web-2", "db-2")


def bug(text: str = "") -> Exception:
    """An error that was raised, always on the same line."""
    with pytest.raises(ZeroDivisionError) as caught:
        raise ZeroDivisionError(text)
    return caught.value


def test_a_fault_of_ours_is_counted_each_time_and_its_traceback_said_once_an_hour(lines: Lines) -> None:
    observed = Observed()
    for vm_id in range(100):
        observed.told(TaskFailed(f"{ACCOUNT}/cpu", bug(str(vm_id)), None))
    assert shown(lines) == ["internal error"]
    assert isinstance(lines[0]["exc_info"], ZeroDivisionError)
    observed.told(TaskFailed(f"{ACCOUNT}/cpu", RuntimeError("another"), 1.0))
    observed.clock.now_s += 3_600
    observed.told(TaskFailed(f"{ACCOUNT}/cpu", bug(), None))
    assert shown(lines) == ["internal error"] * 3
    assert observed.page().one("gigas_exporter_internal_errors_total", task=f"{ACCOUNT}/cpu") == 102


def test_nothing_of_a_forgotten_account_stays(lines: Lines) -> None:
    observed = Observed()
    observed.observer.account_watched("other")
    for event in (
        RequestDone(ACCOUNT, "cpu_stats", "200", 0.3),
        Throttled(ACCOUNT, 1.0),
        ran("HTTP 503", whole=True),
        ReadingTaken(account=ACCOUNT, collector="cpu", vm_id="24", buckets=1, lost_s=300.0, refused=2, duplicates=1),
        LooksBegan(ACCOUNT, "cpu", late_s=(4.0,), due=3),
        AgesSeen(ACCOUNT, "cpu", ages_s=(70.0, 9_000.0), due=3),
        ran(owing=3),
        paid(60.0, estimated_s=1.0),
        not_looked_back(),
        TaskFailed(f"{ACCOUNT}/cpu", bug(), None),
    ):
        observed.told(event)
    observed.observer.account_forgotten(ACCOUNT)
    assert ACCOUNT not in text_of(observed.own)
    assert "other" in text_of(observed.own)
    lines.clear()
    observed.observer.account_watched(ACCOUNT)
    observed.told(ran())
    assert shown(lines) == []  # neither a failure that ended, nor a loss or a catching up of before
    observed.told(not_looked_back())
    assert shown(lines) == ["catching up fails"]


def test_a_configuration_that_is_refused_is_a_line_for_each_mistake_and_a_0(lines: Lines) -> None:
    observed = Observed()
    observed.observer.configured(at_start=True)
    assert observed.page().one("gigas_exporter_config_last_reload_successful") == 1
    observed.clock.now_s = 3_000.0
    observed.observer.misconfigured(["one mistake", "another"])
    page = observed.page()
    assert page.one("gigas_exporter_config_last_reload_successful") == 0
    assert page.one("gigas_exporter_config_last_reload_success_timestamp_seconds") == 1_000
    observed.observer.configured(only_at_start=["web.listen_address"])
    page = observed.page()
    assert page.one("gigas_exporter_config_last_reload_successful") == 1
    assert page.one("gigas_exporter_config_last_reload_success_timestamp_seconds") == 3_000
    assert shown(lines) == [
        "configuration refused",
        "configuration refused",
        "setting applies at the next start only",
        "configuration reloaded",
    ]
