"""What the daemon says of itself."""

from collections.abc import Iterable

from exporter.fleet import AccountView, Outcome, Vm
from exporter.metrics.catalogue.family import AccountFamily, Family, OwnFamily, Sample, Tally, TallyFamily

__all__ = ["OWN"]


_COLLECTORS = ("inventory", "cpu", "traffic")
_LISTED, _NOT_LISTED = ("inventory", str(Outcome.OK)), ("inventory", str(Outcome.FAILING))


def _outcomes(vm: Vm) -> Iterable[Sample]:
    return (_LISTED, 1.0), (("cpu", vm.cpu_outcome), 1.0), (("traffic", vm.traffic_outcome), 1.0)


def _as_listed(account: AccountView, sums: Tally) -> Tally:
    """A listing fails for all its VMs at once."""
    return sums if account.up else {**sums, _LISTED: 0.0, _NOT_LISTED: sums[_LISTED]}


def _owed_s(vm: Vm) -> Iterable[Sample]:
    """What a VM is owed. Its interfaces wait for the same answers: the one that waits for longest counts."""
    if vm.cpu and vm.cpu.owed_s:
        yield ("cpu",), vm.cpu.owed_s
    if longest_s := max((interface.owed_s for interface in vm.interfaces), default=0.0):
        yield ("traffic",), longest_s


_OF_STATISTICS = (("cpu",), ("traffic",))


OWN: tuple[Family, ...] = (
    TallyFamily(
        name="gigas_exporter_vms",
        type="gauge",
        help="How many VMs of the account a collector sees, by outcome: ok, waiting (nothing yet), failing, stale, "
        "idle (off); the outcomes sum to the fleet.",
        collector="exporter",
        labels=("account", "collector", "outcome"),
        tally=_outcomes,
        zeros=tuple((collector, str(outcome)) for collector in _COLLECTORS for outcome in Outcome),
        shown=_as_listed,
    ),
    AccountFamily(
        name="gigas_exporter_unreadable_vms",
        type="gauge",
        help="Entries of the account's last complete listing that could not be understood. Absent before there is one.",
        collector="exporter",
        labels=("account",),
        samples=lambda account: (((account.name,), float(account.broken)),) if account.listed else (),
    ),
    TallyFamily(
        name="gigas_exporter_catching_up_vms",
        type="gauge",
        help="How many VMs of the account miss something that a longer period of the provider may still tell.",
        collector="exporter",
        labels=("account", "collector"),
        tally=lambda vm: [(collector, 1.0) for collector, _ in _owed_s(vm)],
        zeros=_OF_STATISTICS,
    ),
    TallyFamily(
        name="gigas_exporter_owed_seconds",
        type="gauge",
        unit="seconds",
        help="VM time, from the first gap or uncertain bucket on, that waits for a longer period of the provider.",
        collector="exporter",
        labels=("account", "collector"),
        tally=_owed_s,
        zeros=_OF_STATISTICS,
    ),
    TallyFamily(
        name="gigas_exporter_overcounted_bytes",
        type="gauge",
        unit="bytes",
        help="By how much the account's traffic counters are ahead of what the provider has corrected since; worked "
        "off against later growth.",
        collector="exporter",
        labels=("account",),
        tally=lambda vm: [((), each.overcounted_bytes) for each in vm.interfaces if each.overcounted_bytes],
        zeros=((),),
    ),
    TallyFamily(
        name="gigas_exporter_overcounted_cpu_seconds",
        type="gauge",
        unit="seconds",
        help="By how much the account's CPU counters are ahead of what the provider has corrected since; worked off "
        "against later growth.",
        collector="exporter",
        labels=("account",),
        tally=lambda vm: [((), vm.cpu.overcounted_s)] if vm.cpu and vm.cpu.overcounted_s else [],
        zeros=((),),
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
    OwnFamily(
        name="gigas_vm_lock_duration_seconds",
        type="histogram",
        unit="seconds",
        help="How long locks lasted that were seen to begin and to end (field locked), from listing to listing.",
        collector="exporter",
        labels=("account",),
        buckets=(60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 259_200),
    ),
    OwnFamily(
        name="gigas_exporter_shard_info",
        type="gauge",
        help="Which part of the VMs this process watches, counted from 0, and of how many; always 1.",
        collector="exporter",
        labels=("index", "total"),
    ),
    OwnFamily(
        name="gigas_exporter_buckets_total",
        type="counter",
        help="Buckets that were complete and were counted, of one VM each. One request for each of them is the aim: "
        "compare with the requests to cpu_stats and bw_stats.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_data_age_seconds",
        type="histogram",
        unit="seconds",
        help="How old the end of the newest counted bucket of a running VM was, for each VM that has one (of more "
        "than 3000 in turn), several times a minute: the rate shows how ages are distributed over the VMs.",
        collector="exporter",
        labels=("account", "collector"),
        buckets=(1, 2.5, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 600, 900, 1_800, 3_600, 7_200),
    ),
    OwnFamily(
        name="gigas_exporter_due_vms",
        type="gauge",
        help="VMs of the account whose time has come and that wait for a look; 0 while the exporter keeps up.",
        collector="exporter",
        labels=("account", "collector"),
    ),
    OwnFamily(
        name="gigas_exporter_look_lateness_seconds",
        type="histogram",
        unit="seconds",
        help="How long after its time a look at a VM began.",
        collector="exporter",
        labels=("account", "collector"),
        buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
    ),
)
