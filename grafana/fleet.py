"""What is wrong in the fleet, at a glance, and which VMs use most.

A thousand VMs have room here: a panel about VMs shows those that lead, or those that somebody may have to look at.
"""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import pages, panels
from grafana.panels import BAD, NEUTRAL, OK, WARN, Column
from grafana.queries import ACCOUNT, VM, VM_LEGEND, Query, ages, count_of, named, quantiles, top, traffic, younger

__all__ = ["fleet"]

LISTED = {"0": ("failing", BAD), "1": ("listed", OK)}
_TO_VM = ("Open the VM", pages.vm_url("__data.fields.Account", "__data.fields.Id"))
_LINE_TO_VM = ("Open the VM", pages.vm_url("__field.labels.account", "__field.labels.vm_id"))
_STATE = {"locked": ("locked", "yellow"), "suspended": ("suspended", WARN), "in error": ("in error", BAD)}


def _numbers() -> list[Panel]:
    def listed(status: str) -> list[Query]:
        return [Query(f'sum(gigas_vms{{{ACCOUNT}, status="{status}"}})', status)]

    return [
        panels.numbers(
            "Accounts",
            "Whether the last listing of each account succeeded. While one fails, the rest of this page shows its "
            "VMs as they were last listed.",
            "short",
            [Query(f"min by (account) (gigas_up{{{ACCOUNT}}})", "{{account}}")],
            size=(6, 5),
            steps=((BAD, None), (OK, 1)),
            said=LISTED,
            text=BigValueTextMode.VALUE_AND_NAME,
            filled=True,
        ),
        panels.numbers(
            "VMs", "As last listed.", "short", [Query(f"sum(gigas_vms{{{ACCOUNT}}})", "VMs")], size=(3, 5), decimals=0
        ),
        panels.numbers(
            "Online", "As last listed.", "short", listed("online"), size=(3, 5), steps=((OK, None),), decimals=0
        ),
        panels.numbers("Offline", "As last listed.", "short", listed("offline"), size=(3, 5), decimals=0),
        panels.numbers(
            "Locked",
            "Busy with an operation.",
            "short",
            [Query(count_of("gigas_vm_locked"), "locked")],
            size=(3, 5),
            steps=((OK, None), ("yellow", 1)),
            decimals=0,
        ),
        panels.numbers(
            "Suspended",
            "By the provider, or by a user.",
            "short",
            [Query(count_of("gigas_vm_suspended"), "suspended")],
            size=(3, 5),
            steps=((OK, None), (WARN, 1)),
            decimals=0,
        ),
        panels.numbers(
            "In error",
            "So marked by the provider.",
            "short",
            [Query(count_of("gigas_vm_error"), "in error")],
            size=(3, 5),
            steps=((OK, None), (BAD, 1)),
            decimals=0,
        ),
    ]


def _matters() -> Panel:
    """The VMs that somebody may have to look at: a row for each of what is the matter."""

    def since(metric: str, state: str) -> str:
        # Their clock and ours may differ: never less than nothing.
        return _as(state, f"clamp_min(time() - max by ({VM}) ({metric}{{{ACCOUNT}}}), 0)")

    in_error = f"gigas_vm_error{{{ACCOUNT}}} == 1"
    error_s = f"sum by ({VM}) (count_over_time(({in_error})[$__range:$__interval])) * $__interval_ms / 1000"
    states = "\nor\n".join(
        (
            since("gigas_vm_locked_since_timestamp_seconds", "locked"),
            since("gigas_vm_suspended_since_timestamp_seconds", "suspended"),
            _as("in error", f"{error_s} and on ({VM}) {in_error}"),
        )
    )
    return panels.table_of(
        "Locked, suspended, in error",
        "The VMs that are, the longest first; a click on one opens its page. For how long: since the lock or "
        "suspension was first seen; of an error, the time within the range shown. No rows: no VM is any of these.",
        [named(states)],
        {
            "vm": Column(title="VM", link=_TO_VM),
            "account": Column(title="Account", width=110),
            "vm_id": Column(title="Id", width=125, link=_TO_VM),
            "state": Column(title="State", width=100, said=_STATE),
            "A": Column(title="For", unit="s", width=110, decimals=1),
        },
        size=(12, 10),
        sort=["For"],
        filtered=True,
    )


def _as(state: str, expr: str) -> str:
    return f'label_replace({expr}, "state", "{state}", "", "")'


def _accounts() -> Panel:
    own = ACCOUNT
    listing = f'gigas_exporter_collector_last_success_timestamp_seconds{{{own}, collector="inventory"}}'
    both = " + ".join(
        f'sum by (account) (increase(gigas_vm_network_{way}_bytes_total{{{own}, public="true"}}[$__range]))'
        for way in ("receive", "transmit")
    )
    return panels.table_of(
        "Account by account",
        "Fresh statistics: of the running VMs, the share whose newest statistics are younger than half an hour. Public "
        "traffic: both directions, in the range shown. Credential: empty where its end is not known.",
        [
            f"min by (account) (gigas_up{{{own}}})",
            f"time() - min by (account) ({listing})",
            f"sum by (account) (gigas_vms{{{own}}})",
            younger("account"),
            both,
            f"min by (account) (gigas_account_credential_expiry_timestamp_seconds{{{own}}}) - time()",
        ],
        {
            "account": Column(title="Account"),
            "A": Column(title="State", said=LISTED),
            "B": Column(title="Listed ago", unit="s", decimals=0, steps=((OK, None), (WARN, 600), (BAD, 1800))),
            "C": Column(title="VMs", unit="short", decimals=0),
            "D": Column(
                title="Fresh statistics", unit="percentunit", decimals=1, steps=((BAD, None), (WARN, 0.5), (OK, 0.95))
            ),
            "E": Column(title="Public traffic", unit="decbytes", decimals=1),
            "F": Column(
                title="Credential ends in", unit="s", decimals=1, steps=((BAD, None), (WARN, 604800), (OK, 1209600))
            ),
        },
        size=(24, 6),
        filtered=True,
    )


def _cpu() -> Panel:
    usage = f"gigas_vm_cpu_usage_ratio{{{ACCOUNT}}}"
    return panels.graph(
        "CPU usage, top VMs",
        "Usage of the whole VM in the newest complete chunk; the VMs with the highest average over the range.",
        "percentunit",
        [
            Query(
                top("max", usage, f"max by ({VM}) (avg_over_time({usage}[$__range] @ end()))"),
                VM_LEGEND,
            )
        ],
        size=(24, 9),
        legend="beside",
        most=1,
        link=_LINE_TO_VM,
    )


def _traffic() -> list[Panel]:
    return [
        panels.graph(
            f"{word} over {network} networks, top VMs",
            "From the counters, averaged over the window chosen above; the VMs with the most over the range. Buckets "
            "are some minutes wide: a shorter window would show their steps. What is made good after an outage shows "
            "as a peak.",
            "bps",
            [Query(traffic(way, public=network == "public"), VM_LEGEND)],
            size=(12, 11),
            legend="table",
            link=_LINE_TO_VM,
        )
        for network in ("public", "private")
        for way, word in (("receive", "Received"), ("transmit", "Sent"))
    ]


def _health() -> list[Panel]:
    outcomes = f'sum by (collector, outcome) (gigas_exporter_vms{{{ACCOUNT}, collector=~"cpu|traffic"}}) > 0'
    return [
        _accounts(),
        panels.graph(
            "Age of the newest statistics of running VMs",
            "Time since the end of the newest complete chunk (CPU) or bucket (traffic): of half of the VMs it is "
            "less than p50, of all but one in a hundred less than p99.",
            "s",
            ages(),
            size=(12, 8),
        ),
        panels.graph(
            "VMs by outcome",
            "How the collectors fare: ok, waiting (nothing yet), failing, stale, idle (off).",
            "short",
            [Query(outcomes, "{{collector}} {{outcome}}")],
            size=(12, 8),
            overrides=panels.OUTCOMES,
        ),
    ]


def _changes() -> list[Panel]:
    changes = f"sum by ({VM}) (increase(gigas_vm_status_changes_total{{{ACCOUNT}}}[$__range]))"
    locks = f"sum by ({VM}) (increase(gigas_vm_locks_total{{{ACCOUNT}}}[$__range]))"
    return [
        panels.table_of(
            "Changed status most often",
            "In the range shown. No rows: no VM changed its status.",
            [named(f"topk($top, {changes} > 0.5)")],
            {
                "vm": Column(title="VM", link=_TO_VM),
                "account": Column(title="Account", width=110),
                "vm_id": Column(title="Id", width=125, link=_TO_VM),
                "A": Column(title="Changes", unit="short", width=90, decimals=0),
            },
            size=(8, 8),
            sort=["Changes"],
        ),
        panels.table_of(
            "Locked most often",
            "Locks seen to begin in the range shown. No rows: none was.",
            [named(f"topk($top, {locks} > 0.5)")],
            {
                "vm": Column(title="VM", link=_TO_VM),
                "account": Column(title="Account", width=110),
                "vm_id": Column(title="Id", width=125, link=_TO_VM),
                "A": Column(title="Locks", unit="short", width=90, decimals=0),
            },
            size=(8, 8),
            sort=["Locks"],
        ),
        panels.graph(
            "How long locks took",
            "Those that were seen to begin and to end. A gap: none ended then.",
            "s",
            quantiles("gigas_vm_lock_duration_seconds", ACCOUNT, "", "", (0.5, 0.95)),
            size=(8, 8),
        ),
    ]


def fleet() -> Dashboard:
    statuses = f"sum by (status) (gigas_vms{{{ACCOUNT}}})"
    by_status = panels.graph(
        "VMs by status",
        "As listed.",
        "short",
        [Query(statuses, "{{status}}")],
        size=(12, 10),
        stacked=True,
        overrides=panels.colored(online=OK, offline=NEUTRAL, recovery=WARN, unbuilt="purple"),
    )
    return pages.page(
        pages.FLEET,
        "Gigas fleet",
        "Status, locks, CPU usage and traffic of the VMs that gigas-exporter watches.",
        [
            pages.source(),
            pages.accounts(),
            pages.interval(),
            pages.chosen("top", "VMs a panel", ("5", "10", "20", "50"), "10"),
        ],
        panels.rows_of(
            ("", [*_numbers(), by_status, _matters()]),
            ("Usage", [_cpu(), *_traffic()]),
            ("Freshness", _health()),
            ("Changes", _changes()),
        ),
    )
