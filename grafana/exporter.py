"""Can the other two dashboards be trusted? The exporter's own numbers, from what it shows back to why."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import pages, panels
from grafana.fleet import LISTED
from grafana.panels import BAD, NEUTRAL, OK, WARN, Column
from grafana.queries import Query, ages, quantiles, younger

__all__ = ["exporter"]

_PROCESS = 'job=~"$job", instance=~"$instance"'
_OURS = f'{_PROCESS}, account=~"$account"'
_BY_COLLECTOR = "{{collector}}"


def _rate(metric: str, matchers: str, by: str = "") -> str:
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{matchers}}}[$__rate_interval]))"


def _verdict() -> list[Panel]:
    """In a line: is anything wrong?"""
    failing = f'sum(gigas_exporter_vms{{{_OURS}, collector=~"cpu|traffic", outcome=~"failing|stale"}})'
    seen = f'sum(gigas_exporter_vms{{{_OURS}, collector=~"cpu|traffic", outcome!="idle"}})'
    bad = f"{failing} / ({seen} > 0) or vector(0)"
    return [
        panels.numbers(
            "Fresh statistics",
            "Of the running VMs, the share whose newest statistics are younger than half an hour. Nearly all: what the "
            "other dashboards show is how things are now.",
            "percentunit",
            [Query(younger(matchers=_OURS), "fresh")],
            size=(4, 5),
            steps=((BAD, None), (WARN, 0.5), (OK, 0.95)),
            filled=True,
            decimals=1,
        ),
        panels.numbers(
            "Accounts",
            "Whether the last listing of each account succeeded.",
            "short",
            [Query(f"min by (account) (gigas_up{{{_OURS}}})", "{{account}}")],
            size=(5, 5),
            steps=((BAD, None), (OK, 1)),
            said=LISTED,
            text=BigValueTextMode.VALUE_AND_NAME,
            filled=True,
        ),
        panels.numbers(
            "Failing or stale",
            "Of the VMs that run, the share of which CPU usage or traffic is not to be had, or is too old to be shown.",
            "percentunit",
            [Query(bad, "failing or stale")],
            steps=((OK, None), (WARN, 0.05), (BAD, 0.5)),
            decimals=1,
            size=(3, 5),
        ),
        panels.numbers(
            "Active",
            "Exporters that collect. The others are standbys, which wait until an active one is gone.",
            "short",
            [Query(f"sum(gigas_exporter_active{{{_PROCESS}}})", "active")],
            size=(3, 5),
            steps=((BAD, None), (OK, 1)),
            decimals=0,
        ),
        panels.numbers(
            "Counts remembered",
            "Whether what is counted is written down. If not, a crash may take back what was counted since.",
            "bool_yes_no",
            [Query(f"min(gigas_exporter_ledger_up{{{_PROCESS}}})", "ledger")],
            size=(3, 5),
            steps=((BAD, None), (OK, 1)),
        ),
        panels.numbers(
            "Configuration valid",
            "Whether it was when it was last read. If not, the one before is in force, and a restart would fail.",
            "bool_yes_no",
            [Query(f"min(gigas_exporter_config_last_reload_successful{{{_PROCESS}}})", "configuration")],
            size=(3, 5),
            steps=((BAD, None), (OK, 1)),
        ),
        panels.numbers(
            "Internal errors",
            "Faults of the exporter itself, in the range shown; each has a traceback in its log.",
            "short",
            [
                Query(
                    f"sum(increase(gigas_exporter_internal_errors_total{{{_PROCESS}}}[$__range])) or vector(0)",
                    "errors",
                )
            ],
            size=(3, 5),
            steps=((OK, None), (BAD, 0.5)),
            decimals=0,
        ),
    ]


def _data() -> list[Panel]:
    outcomes = f"sum by (collector, outcome) (gigas_exporter_vms{{{_OURS}}}) > 0"
    own = "gigas_exporter_collector_{}{{{}}}"
    return [
        panels.graph(
            "How far the data is behind the clock",
            "Age of the newest complete chunk (CPU) or bucket (traffic) of the running VMs: of half of them it is "
            "less than p50, of all but one in a hundred less than p99. A bucket's width, and some minutes, is usual.",
            "s",
            ages(_OURS),
            size=(8, 8),
        ),
        panels.graph(
            "VMs by outcome",
            "How the collectors fare: ok, waiting (nothing yet), failing, stale, idle (off).",
            "short",
            [Query(outcomes, "{{collector}} {{outcome}}")],
            size=(8, 8),
            overrides=panels.OUTCOMES,
        ),
        panels.table_of(
            "Collectors",
            "Each one's last run, by account. Of several shards the worst.",
            [
                f"min by (account, collector) ({own.format('success', _OURS)})",
                f"time() - min by (account, collector) ({own.format('last_success_timestamp_seconds', _OURS)})",
                f"max by (account, collector) ({own.format('duration_seconds', _OURS)})",
            ],
            {
                "account": Column(title="Account"),
                "collector": Column(title="Collector", width=85),
                "A": Column(title="Last run", width=80, said={"0": ("failed", BAD), "1": ("ok", OK)}),
                "B": Column(
                    title="Success ago", unit="s", width=105, decimals=0, steps=((OK, None), (WARN, 600), (BAD, 1800))
                ),
                "C": Column(title="Took", unit="s", width=85, decimals=0),
            },
            size=(8, 8),
            filtered=True,
        ),
    ]


def _work() -> list[Panel]:
    looks = _rate("gigas_exporter_look_lateness_seconds_count", _OURS, "collector")
    per_bucket = [_per_bucket("cpu", "cpu_stats"), _per_bucket("traffic", "bw_stats")]
    return [
        panels.graph(
            "Looks at VMs",
            "How often the provider is asked of a VM's statistics.",
            "ops",
            [Query(looks, _BY_COLLECTOR)],
            size=(8, 8),
        ),
        panels.graph(
            "How late looks are",
            "After their time: of half of the looks less than p50, of all but one in a hundred less than p99. Many "
            "that are late: a limit, ours or the provider's, is too low for so many VMs.",
            "s",
            quantiles("gigas_exporter_look_lateness_seconds", _OURS, "collector", _BY_COLLECTOR, (0.5, 0.99)),
            size=(8, 8),
        ),
        panels.graph(
            "VMs that wait for a look",
            "Their time has come. Near 0 while the exporter keeps up.",
            "short",
            [Query(f"sum by (collector) (gigas_exporter_due_vms{{{_OURS}}})", _BY_COLLECTOR)],
            at_least=1,
            size=(8, 8),
        ),
        panels.graph(
            "Requests to the provider",
            "By endpoint and HTTP status, or timeout, connection, invalid.",
            "reqps",
            [Query(_rate("gigas_exporter_api_requests_total", _OURS, "endpoint, code"), "{{endpoint}} {{code}}")],
            size=(8, 8),
        ),
        panels.graph(
            "How long requests take",
            "Of all accounts together: half of the requests took less than p50, all but one in twenty less than p95.",
            "s",
            quantiles("gigas_exporter_api_request_duration_seconds", _PROCESS, "endpoint", "{{endpoint}}", (0.5, 0.95)),
            size=(8, 8),
        ),
        panels.graph(
            "Requests that waited",
            "Seconds that requests waited in each second, since the provider refused (429) or a ceiling held them. 0: "
            "nothing holds them back. More than 1: several wait at once.",
            "none",
            [Query(_rate("gigas_exporter_api_throttled_seconds_total", _OURS, "account"), "{{account}}")],
            at_least=1,
            size=(8, 8),
            axis="seconds per second",
        ),
        panels.graph(
            "Requests per bucket",
            "How many requests a bucket costs; one is the aim. Higher while VMs are new, or the provider is late. A "
            "gap: no bucket was counted then.",
            "none",
            per_bucket,
            at_least=1,
            size=(8, 8),
            axis="requests",
        ),
        panels.graph(
            "What could not be used",
            "A minute: values that were refused (negative, not finite, beyond reason), and ids that an answer "
            "repeated. Lines at 0: all could be used.",
            "none",
            [
                Query(
                    f"60 * {_rate('gigas_exporter_refused_values_total', _OURS, 'collector')}", "{{collector}} refused"
                ),
                Query(f"60 * {_rate('gigas_exporter_duplicates_total', _OURS, 'collector')}", "{{collector}} repeated"),
            ],
            at_least=1,
            size=(8, 8),
            axis="a minute",
        ),
        panels.graph(
            "Entries that could not be read",
            "Of each account's last complete listing.",
            "short",
            [Query(f"sum by (account) (gigas_exporter_unreadable_vms{{{_OURS}}})", "{{account}}")],
            at_least=1,
            size=(8, 8),
        ),
    ]


def _per_bucket(collector: str, endpoint: str) -> Query:
    requests = _rate("gigas_exporter_api_requests_total", f'{_OURS}, endpoint="{endpoint}"')
    buckets = _rate("gigas_exporter_buckets_total", f'{_OURS}, collector="{collector}"')
    return Query(f"{requests} / ({buckets} > 0)", collector)


def _catching_up() -> list[Panel]:
    def seconds(word: str) -> Query:
        return Query(_rate(f"gigas_exporter_{word}_seconds_total", _OURS, "collector"), f"{{{{collector}}}} {word}")

    return [
        panels.graph(
            "VMs that catch up",
            "They miss something that a longer period of the provider may still tell. Some, for a while after a "
            "pause of the exporter or of the provider, are usual.",
            "short",
            [Query(f"sum by (collector) (gigas_exporter_catching_up_vms{{{_OURS}}})", _BY_COLLECTOR)],
            at_least=1,
            size=(8, 8),
        ),
        panels.graph(
            "VM time that is owed",
            "The sum over the VMs of what waits for a longer period.",
            "s",
            [Query(f"sum by (collector) (gigas_exporter_owed_seconds{{{_OURS}}})", _BY_COLLECTOR)],
            at_least=1,
            size=(8, 8),
        ),
        panels.graph(
            "Caught up, estimated, lost",
            "VM seconds in each second. Estimated: of what was caught up, what had to be shared out by time. Lost: "
            "no period of the provider holds it, and the counters lack it.",
            "none",
            [seconds(word) for word in ("caught_up", "estimated", "lost")],
            at_least=1,
            size=(8, 8),
            axis="VM seconds per second",
            overrides=panels.colored(lost=BAD),
        ),
        panels.graph(
            "Traffic counted too much",
            "By how much counters are ahead of what the provider has corrected since; worked off against later growth.",
            "decbytes",
            [Query(f"sum by (account) (gigas_exporter_overcounted_bytes{{{_OURS}}})", "{{account}}")],
            at_least=1,
            size=(12, 7),
        ),
        panels.graph(
            "CPU time counted too much",
            "Likewise, of the CPU counters.",
            "s",
            [Query(f"sum by (account) (gigas_exporter_overcounted_cpu_seconds{{{_OURS}}})", "{{account}}")],
            at_least=1,
            size=(12, 7),
        ),
    ]


def _ledger() -> list[Panel]:
    return [
        panels.graph(
            "How long commits take",
            "In the ledger's own thread: half of them took less than p50, all but one in a hundred less than p99.",
            "s",
            quantiles("gigas_exporter_ledger_commit_duration_seconds", _PROCESS, "", "", (0.5, 0.99)),
            size=(8, 7),
        ),
        panels.graph(
            "Commits that failed, VMs not written",
            "What a failed commit held is written with the next that succeeds. Both are 0 while commits succeed.",
            "none",
            [
                Query(f"60 * {_rate('gigas_exporter_ledger_commit_failures_total', _PROCESS)}", "failures a minute"),
                Query(f"sum(gigas_exporter_ledger_unwritten_vms{{{_PROCESS}}})", "VMs not written"),
            ],
            at_least=1,
            size=(8, 7),
            axis="failures, VMs",
            overrides=panels.colored(minute=BAD),
        ),
        panels.graph(
            "Size of the ledger",
            "With its write-ahead log; 0 where it is kept in memory.",
            "bytes",
            [Query(f"gigas_exporter_ledger_size_bytes{{{_PROCESS}}}", "{{instance}}")],
            at_least=1,
            size=(8, 7),
        ),
    ]


def _process() -> list[Panel]:
    by_instance = "{{instance}}"
    configured = f"gigas_exporter_config_last_reload_success_timestamp_seconds{{{_PROCESS}}}"
    return [
        panels.table_of(
            "Exporters",
            "Each process that is scraped. A shard watches a part of the VMs, counted from 0.",
            [
                f"max by (job, instance, version, python) (gigas_exporter_build_info{{{_PROCESS}}})",
                f"max by (job, instance, index, total) (gigas_exporter_shard_info{{{_PROCESS}}})",
                f"max by (job, instance) (gigas_exporter_active{{{_PROCESS}}})",
                f"time() - max by (job, instance) (process_start_time_seconds{{{_PROCESS}}})",
                f"time() - max by (job, instance) ({configured})",
            ],
            {
                "job": Column(title="Job"),
                "instance": Column(title="Instance"),
                "version": Column(title="Version"),
                "python": Column(title="Python"),
                "index": Column(title="Shard"),
                "total": Column(title="Of"),
                "C": Column(title="Role", said={"0": ("standby", NEUTRAL), "1": ("active", OK)}),
                "D": Column(title="Up for", unit="s", decimals=1),
                "E": Column(title="Configured ago", unit="s", decimals=1),
            },
            size=(24, 6),
            filtered=True,
        ),
        panels.graph(
            "Samples a scrape",
            "What Prometheus took from each exporter at the last scrape, after relabelling.",
            "short",
            [Query(f"scrape_samples_post_metric_relabeling{{{_PROCESS}}}", by_instance)],
            size=(6, 8),
        ),
        panels.graph(
            "How long a scrape takes",
            "As Prometheus saw it.",
            "s",
            [Query(f"scrape_duration_seconds{{{_PROCESS}}}", by_instance)],
            size=(6, 8),
        ),
        panels.graph(
            "Memory",
            "Resident.",
            "bytes",
            [Query(f"process_resident_memory_bytes{{{_PROCESS}}}", by_instance)],
            size=(6, 8),
        ),
        panels.graph(
            "CPU",
            "100 %: one core.",
            "percentunit",
            [Query(f"rate(process_cpu_seconds_total{{{_PROCESS}}}[$__rate_interval])", by_instance)],
            size=(6, 8),
        ),
    ]


def exporter() -> Dashboard:
    ours = "gigas_exporter_build_info"
    return pages.page(
        pages.EXPORTER,
        "Gigas exporter",
        "Whether the dashboards of the fleet and of its VMs can be trusted, and if not, why.",
        [
            pages.source(),
            pages.from_series("job", "Job", f"label_values({ours}, job)"),
            pages.from_series("instance", "Instance", f'label_values({ours}{{job=~"$job"}}, instance)'),
            pages.accounts(),
        ],
        panels.rows_of(
            ("", _verdict()),
            ("Data", _data()),
            ("The provider", _work()),
            ("Catching up", _catching_up()),
            ("The ledger", _ledger()),
            ("The process", _process()),
        ),
    )
