"""What the daemon says of itself."""

from collections.abc import Iterable

from exporter.fleet import AccountView, Outcome, Vm
from exporter.metrics.catalogue.family import AccountFamily, Family, OwnFamily, Sample

__all__ = ["OWN"]


def _vms_by_outcome(account: AccountView, vms: Iterable[Vm]) -> Iterable[Sample]:
    if not account.listed:
        return
    counts = {(collector, outcome): 0 for collector in ("inventory", "cpu", "traffic") for outcome in Outcome}
    listing = Outcome.OK if account.up else Outcome.FAILING
    for vm in vms:
        counts["inventory", listing] += 1
        counts["cpu", vm.cpu_outcome] += 1
        counts["traffic", vm.traffic_outcome] += 1
    for (collector, outcome), count in counts.items():
        yield (account.name, collector, str(outcome)), float(count)


OWN: tuple[Family, ...] = (
    AccountFamily(
        name="gigas_exporter_vms",
        type="gauge",
        help="How many VMs of the account a collector sees, by outcome: ok, waiting (nothing yet), failing, stale, "
        "idle (off); the outcomes sum to the fleet.",
        collector="exporter",
        labels=("account", "collector", "outcome"),
        samples=_vms_by_outcome,
    ),
    AccountFamily(
        name="gigas_exporter_unreadable_vms",
        type="gauge",
        help="Entries of the account's last complete listing that could not be understood. Absent before there is one.",
        collector="exporter",
        labels=("account",),
        samples=lambda account, _: (((account.name,), float(account.broken)),) if account.listed else (),
    ),
    OwnFamily(
        name="gigas_exporter_build_info",
        type="gauge",
        help="The version of the exporter and of the Python that runs it; always 1.",
        collector="exporter",
        labels=("version", "python"),
    ),
    OwnFamily(
        name="gigas_exporter_active",
        type="gauge",
        help="Whether this process collects (1) or waits as a standby (0).",
        collector="exporter",
    ),
    OwnFamily(
        name="gigas_exporter_collector_success",
        type="gauge",
        help="Whether the collector's last run succeeded (1), or failed as a whole (0).",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_collector_duration_seconds",
        type="gauge",
        unit="seconds",
        help="How long the collector's last run took.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_collector_last_success_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the collector last ran with success, UNIX seconds. Absent before the first time.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_api_requests_total",
        type="counter",
        help="Attempts at requests to the provider by endpoint (last word of the path) and outcome: the HTTP "
        "status, or timeout, connection, invalid.",
        collector="exporter",
        labels=("account", "endpoint", "code"),
    ),
    OwnFamily(
        name="gigas_exporter_api_request_duration_seconds",
        type="histogram",
        unit="seconds",
        help="How long attempts at requests to the provider took.",
        collector="exporter",
        labels=("endpoint",),
        buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
    ),
    OwnFamily(
        name="gigas_exporter_api_throttled_seconds_total",
        type="counter",
        unit="seconds",
        help="For how long requests waited because the provider refused (429, Retry-After) or a ceiling held them.",
        collector="exporter",
        labels=("account",),
    ),
    OwnFamily(
        name="gigas_exporter_lost_seconds_total",
        type="counter",
        unit="seconds",
        help="VM time whose buckets no period of the provider could make good.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_duplicates_total",
        type="counter",
        help="Ids that were repeated in one answer of the provider; the first counts.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_refused_values_total",
        type="counter",
        help="Values in answers that were refused: negative, not finite, above 2^60, or no number.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_internal_errors_total",
        type="counter",
        help="Faults of the exporter itself by task, each with a traceback in the log; the task was started again.",
        collector="exporter",
        labels=("task",),
    ),
    OwnFamily(
        name="gigas_exporter_config_last_reload_successful",
        type="gauge",
        help="Whether the configuration was valid when it was last read (1) or the one before is still in force (0).",
        collector="exporter",
    ),
    OwnFamily(
        name="gigas_exporter_config_last_reload_success_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the configuration in force was read, UNIX seconds.",
        collector="exporter",
    ),
)
