"""One VM: what it is and was, how busy, and what it sent and received."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import pages, panels
from grafana.panels import BAD, NEUTRAL, OK, WARN, Said
from grafana.queries import OF_VM, VM, Query, any_of

__all__ = ["vm"]

_INTERFACE = 'interface_id=~"$interface"'
_FREE: Said = {"0": ("no", OK)}
_STATUSES: Said = {
    "1": ("online", OK),
    "2": ("offline", NEUTRAL),
    "3": ("recovery", WARN),
    "4": ("unbuilt", "purple"),
    "0": ("another", "yellow"),
}
# The month so far, whatever range the page shows.
_MONTH = "now/M"
_THIS_MONTH = "This month so far, by the browser's clock, whatever range is chosen above (a range that ends now). "


def _now() -> list[Panel]:
    def yes_or_no(title: str, description: str, metric: str, color: str) -> Panel:
        return panels.numbers(
            title,
            description,
            "bool_yes_no",
            [Query(any_of(metric), title)],
            steps=((OK, None), (color, 1)),
        )

    age = f"time() - {any_of('gigas_vm_cpu_usage_timestamp_seconds')}"
    return [
        panels.numbers(
            "VM",
            "The name as last listed, or the one that it shows in a dashboard.",
            "string",
            [Query(f"max by (vm) (gigas_vm_info{{{OF_VM}}})", "{{vm}}")],
            size=(6, 4),
            text=BigValueTextMode.NAME,
        ),
        panels.numbers(
            "Status",
            "As last listed.",
            "string",
            [Query(f"max by (status) (gigas_vm_status{{{OF_VM}}}) == 1", "{{status}}")],
            text=BigValueTextMode.NAME,
            overrides=panels.colored(online=OK, offline=NEUTRAL, recovery=WARN, unbuilt="purple"),
        ),
        yes_or_no("Locked", "Busy with an operation.", "gigas_vm_locked", "yellow"),
        yes_or_no("Suspended", "By the provider, or by a user.", "gigas_vm_suspended", WARN),
        yes_or_no("In error", "So marked by the provider.", "gigas_vm_error", BAD),
        panels.numbers(
            "CPU",
            "Usage of the whole VM in the newest complete chunk. Off: the VM does not run, or nothing new is heard "
            "of it.",
            "percentunit",
            [Query(any_of("gigas_vm_cpu_usage_ratio"), "CPU")],
            steps=((OK, None), (WARN, 0.8), (BAD, 0.95)),
            decimals=0,
            none="off",
        ),
        panels.numbers(
            "Age of statistics",
            "Time since the end of the newest complete chunk of CPU usage. It grows while the VM is off.",
            "s",
            [Query(age, "age")],
            steps=((OK, None), (WARN, 900), (BAD, 2400)),
            decimals=0,
            none="none yet",
        ),
    ]


def _states() -> Panel:
    online, offline, recovery, unbuilt = (
        any_of("gigas_vm_status", f'status="{status}"') for status in ("online", "offline", "recovery", "unbuilt")
    )
    return panels.timeline(
        "What it was",
        "As listed. Where a row is empty, the VM was not watched.",
        {
            "Status": (f"{online} + 2 * {offline} + 3 * {recovery} + 4 * {unbuilt}", _STATUSES),
            "Locked": (any_of("gigas_vm_locked"), {**_FREE, "1": ("locked", "yellow")}),
            "Suspended": (any_of("gigas_vm_suspended"), {**_FREE, "1": ("suspended", WARN)}),
            "In error": (any_of("gigas_vm_error"), {**_FREE, "1": ("in error", BAD)}),
        },
        size=(24, 6),
    )


def _cpu() -> Panel:
    return panels.graph(
        "CPU usage",
        "Of the whole VM: in the newest complete chunk, and averaged over the window chosen above, from the counter. "
        "The dashed lines are what the alert rules call high (over an hour) and saturated, or 90 % and 98 % without "
        "those rules.",
        "percentunit",
        [
            Query(any_of("gigas_vm_cpu_usage_ratio"), "usage"),
            Query(f"sum(rate(gigas_vm_cpu_busy_seconds_total{{{OF_VM}}}[$window]))", "average"),
            Query("max(gigas:threshold:vm_cpu_ratio) or vector(0.9)", "high"),
            Query("max(gigas:threshold:vm_cpu_saturated_ratio) or vector(0.98)", "saturated"),
        ],
        size=(24, 8),
        most=1,
        overrides=[panels.dashed("high", WARN), panels.dashed("saturated", BAD)],
    )


def _traffic() -> list[Panel]:
    def rate(way: str, network: str) -> Query:
        public = f'public="{str(network == "public").lower()}"'
        series = f"gigas_vm_network_{way}_bytes_total{{{OF_VM}, {_INTERFACE}, {public}}}"
        return Query(
            f"8 * sum by (interface_id, network_id) (rate({series}[$window]))",
            f"{{{{interface_id}}}} ({network} network {{{{network_id}}}})",
        )

    return [
        panels.graph(
            word,
            "By interface, from the counters, averaged over the window chosen above. What is made good after an "
            "outage shows as a peak.",
            "bps",
            [rate(way, network) for network in ("public", "private")],
            size=(12, 9),
            legend="table",
        )
        for way, word in (("receive", "Received"), ("transmit", "Sent"))
    ]


def _month() -> list[Panel]:
    def total(way: str, public: str) -> str:
        series = f'gigas_vm_network_{way}_bytes_total{{{OF_VM}, public="{public}"}}'
        return f"sum(increase({series}[$__range]))"

    both = f"({total('receive', 'true')} + {total('transmit', 'true')})"
    totals = [
        panels.numbers(
            f"{word}, {network}",
            f"{_THIS_MONTH}All interfaces of {network} networks, from the counters. None: it has no such interface.",
            "decbytes",
            [Query(total(way, str(network == "public").lower()), word)],
            size=(4, 5),
            none="none",
            decimals=2,
        )
        for network in ("public", "private")
        for way, word in (("receive", "Received"), ("transmit", "Sent"))
    ]
    shown = [
        *totals,
        panels.numbers(
            "Of what is included",
            f"{_THIS_MONTH}Received and sent over public networks, of the traffic written above. "
            "None: no public interface.",
            "percentunit",
            [Query(f"{both} / ($included * 1e9)", "used")],
            size=(4, 5),
            steps=((OK, None), (WARN, 0.8), (BAD, 1)),
            none="none",
            decimals=1,
        ),
        panels.numbers(
            "Expected by its end",
            f"{_THIS_MONTH}Of the traffic written above, if the rest of the month is like what has passed of it. "
            "None: no public interface.",
            "percentunit",
            [Query(f"{both} / ($included * 1e9) * days_in_month() * 86400 / $__range_s", "expected")],
            size=(4, 5),
            steps=((OK, None), (WARN, 0.8), (BAD, 1)),
            none="none",
            decimals=1,
        ),
    ]
    for panel in shown:
        panel.time_from, panel.hide_time_override = _MONTH, True
    return shown


def _facts() -> list[Panel]:
    words = (
        "vm_id",
        "hostname",
        "type",
        "cpu_type",
        "operating_system",
        "operating_system_distro",
        "hypervisor_id",
        "location_id",
        "template_id",
        "boot_type",
    )
    of_vm = [
        ("CPUs", "As listed.", "short", any_of("gigas_vm_cpus")),
        (
            "CPU shares",
            "The share of the hypervisor's CPU that the VM is guaranteed.",
            "short",
            any_of("gigas_vm_cpu_shares"),
        ),
        ("Memory", "As listed.", "bytes", any_of("gigas_vm_memory_bytes")),
        ("CD-ROM", "Whether it has a CD-ROM device.", "bool_yes_no", any_of("gigas_vm_cdrom_attached")),
        ("Created", "By the provider.", "dateTimeFromNow", f"1000 * {any_of('gigas_vm_created_timestamp_seconds')}"),
        ("Updated", "By the provider.", "dateTimeFromNow", f"1000 * {any_of('gigas_vm_updated_timestamp_seconds')}"),
        ("Locks seen", "Since the exporter knows the VM.", "short", any_of("gigas_vm_locks_total")),
        ("Time seen locked", "Since the exporter knows the VM.", "s", any_of("gigas_vm_locked_seconds_total")),
    ]
    return [
        panels.facts(
            "What the list says",
            "As last listed. Empty where the provider says nothing.",
            f"max by (account, {', '.join(words)}) (gigas_vm_info{{{OF_VM}}})",
            words,
            size=(12, 12),
        ),
        *(
            panels.numbers(title, description, unit, [Query(expr, title)], size=(6, 3))
            for title, description, unit, expr in of_vm
        ),
    ]


def vm() -> Dashboard:
    account = pages.from_series("account", "Account", "label_values(gigas_account_info, account)", several=False)
    # Shown by name and id, since names repeat; what the page asks for is the id alone. Prometheus sorts the labels.
    shown = 'label_join(max by (vm, vm_id) (gigas_vm_info{account="$account"}), "shown", " ", "vm", "vm_id")'
    this = pages.from_series(
        "vm_id",
        "VM",
        f"query_result({shown})",
        several=False,
        regex=r'/shown="(?<text>[\s\S]*)",vm="[\s\S]*",vm_id="(?<value>[^"]*)"/',
    )
    interfaces = f"label_values(gigas_vm_network_receive_bytes_total{{{OF_VM}}}, interface_id)"
    return pages.page(
        pages.VM_PAGE,
        "Gigas VM",
        "One VM: what it was, how busy, what it sent and received, and how much of the month's traffic is used.",
        [
            pages.source(),
            account,
            this,
            pages.from_series("interface", "Interface", interfaces, every=".*"),
            pages.interval(),
            pages.typed(
                "included", "Included traffic, GB", "1000", "What the contract includes each month, in GB (10^9 bytes)."
            ),
        ],
        panels.rows_of(
            ("", [*_now(), _states(), _cpu()]),
            ("Traffic", _traffic()),
            ("This month so far", _month()),
            ("The VM", _facts()),
        ),
        marks=[
            pages.marked("Locked", f"max by ({VM}) (gigas_vm_locked{{{OF_VM}}}) == 1", "yellow"),
            pages.marked("Suspended", f"max by ({VM}) (gigas_vm_suspended{{{OF_VM}}}) == 1", WARN),
            # Two minutes: a step of marks is one, and a scrape may take as long.
            pages.marked(
                "Status changed",
                f"sum by ({VM}) (increase(gigas_vm_status_changes_total{{{OF_VM}}}[2m])) > 0",
                "purple",
            ),
        ],
    )
