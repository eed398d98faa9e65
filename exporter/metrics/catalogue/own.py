"""What the daemon says of itself."""

from collections.abc import Callable, Iterable

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


def _by_collector(value: Callable[[float], float]) -> Callable[[AccountView, Iterable[Vm]], Iterable[Sample]]:
    """The sum of a function of what each VM is owed, in seconds."""

    def samples(account: AccountView, vms: Iterable[Vm]) -> Iterable[Sample]:
        cpu = traffic = 0.0
        for vm in vms:
            cpu += value(vm.cpu.owed_s if vm.cpu else 0.0)
            traffic += value(max((interface.owed_s for interface in vm.interfaces), default=0.0))
        if account.listed:
            yield (account.name, "cpu"), cpu
            yield (account.name, "traffic"), traffic

    return samples


_catching_up = _by_collector(lambda owed_s: float(owed_s > 0))
_owed = _by_collector(lambda owed_s: owed_s)


def _overcounted_bytes(account: AccountView, vms: Iterable[Vm]) -> Iterable[Sample]:
    if account.listed:
        over = sum(interface.overcounted_bytes for vm in vms for interface in vm.interfaces)
        yield (account.name,), float(over)


def _overcounted_cpu(account: AccountView, vms: Iterable[Vm]) -> Iterable[Sample]:
    if account.listed:
        yield (account.name,), float(sum(vm.cpu.overcounted_s for vm in vms if vm.cpu))


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
    AccountFamily(
        name="gigas_exporter_catching_up_vms",
        type="gauge",
        help="How many VMs of the account miss something that a longer period of the provider may still tell.",
        collector="exporter",
        labels=("account", "collector"),
        samples=_catching_up,
    ),
    AccountFamily(
        name="gigas_exporter_owed_seconds",
        type="gauge",
        unit="seconds",
        help="VM time, from the first gap or uncertain bucket on, that waits for a longer period of the provider.",
        collector="exporter",
        labels=("account", "collector"),
        samples=_owed,
    ),
    AccountFamily(
        name="gigas_exporter_overcounted_bytes",
        type="gauge",
        unit="bytes",
        help="By how much the account's traffic counters are ahead of what the provider has corrected since; worked "
        "off against later growth.",
        collector="exporter",
        labels=("account",),
        samples=_overcounted_bytes,
    ),
    AccountFamily(
        name="gigas_exporter_overcounted_cpu_seconds",
        type="gauge",
        unit="seconds",
        help="By how much the account's CPU counters are ahead of what the provider has corrected since; worked off "
        "against later growth.",
        collector="exporter",
        labels=("account",),
        samples=_overcounted_cpu,
    ),
    OwnFamily(
        name="gigas_exporter_ledger_up",
        type="gauge",
        help="Whether what is counted is remembered (1), or the last commit failed and a crash may take it back (0).",
        collector="exporter",
    ),
    OwnFamily(
        name="gigas_exporter_ledger_unwritten_vms",
        type="gauge",
        help="VMs of which something is counted that could not be written to the ledger yet; 0 while commits succeed.",
        collector="exporter",
    ),
    OwnFamily(
        name="gigas_exporter_ledger_commit_failures_total",
        type="counter",
        help="Commits to the ledger that failed; what they held is written with the next that succeeds.",
        collector="exporter",
    ),
    OwnFamily(
        name="gigas_exporter_ledger_commit_duration_seconds",
        type="histogram",
        unit="seconds",
        help="How long commits to the ledger took, off the event loop.",
        collector="exporter",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
    ),
    OwnFamily(
        name="gigas_exporter_ledger_size_bytes",
        type="gauge",
        unit="bytes",
        help="How large the ledger's file is, with its write-ahead log; 0 where it is kept in memory.",
        collector="exporter",
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
        name="gigas_exporter_caught_up_seconds_total",
        type="counter",
        unit="seconds",
        help="VM time that was missing and is counted now, from longer periods of the provider.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_estimated_seconds_total",
        type="counter",
        unit="seconds",
        help="Of what was caught up, the VM time whose value is shared out by time, since the series began inside the "
        "longer bucket.",
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
