"""PromQL that more than one panel needs. A VM is (account, vm_id): its name is joined last, and only to be read."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ACCOUNT",
    "OF_VM",
    "VM",
    "VM_LEGEND",
    "Query",
    "ages",
    "any_of",
    "count_of",
    "named",
    "quantiles",
    "top",
    "traffic",
    "younger",
]

VM = "account, vm_id"
ACCOUNT = 'account=~"$account"'
OF_VM = 'account="$account", vm_id="$vm_id"'
VM_LEGEND = "{{vm}} ({{account}}/{{vm_id}})"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are called in a legend; `instant`: its value at the end of the range only."""

    expr: str
    legend: str
    instant: bool = False


def named(expr: str, among: str = "") -> str:
    """With the VM's name. One name a VM, also where two targets show two during a rename: a join with two would fail.

    The names are those at the end of the range, and `among` leaves out those that are not needed: a join with the names
    of thousands, anew at each step, would cost more than what is joined.
    """
    names = f"topk by ({VM}) (1, max by ({VM}, vm) (last_over_time(gigas_vm_info{{{ACCOUNT}}}[$__range] @ end())))"
    only = f"({names} and on ({VM}) {among})" if among else names
    return f"({expr})\n* on ({VM}) group_left (vm)\n{only}"


def top(aggregate: str, series: str, over_range: str) -> str:
    """The series of the VMs that lead by `over_range` in the whole range shown, one for each VM.

    They are chosen once for the range, so that a line does not come and go as VMs overtake each other; and before
    anything else is done at each step, since thousands of VMs cost a second that a few do not.
    """
    leading = f"topk($top, {over_range})"
    return named(f"{aggregate} by ({VM}) (\n  {series}\n  and on ({VM}) {leading}\n)", among=leading)


def traffic(way: str, *, public: bool) -> str:
    """Bits a second of the VMs with the most traffic."""
    series = f'gigas_vm_network_{way}_bytes_total{{{ACCOUNT}, public="{str(public).lower()}"}}'
    return top("8 * sum", f"rate({series}[$window])", f"sum by ({VM}) (increase({series}[$__range] @ end()))")


def count_of(metric: str) -> str:
    """How many VMs have it; 0 where none does."""
    return f"count(max by ({VM}) ({metric}{{{ACCOUNT}}}) == 1) or vector(0)"


def any_of(metric: str, *more: str) -> str:
    """The one VM's value, by whatever name it went and whichever target told it."""
    return f"max({metric}{{{', '.join((OF_VM, *more))}}})"


def quantiles(histogram: str, matchers: str, by: str, legend: str, wanted: Sequence[float]) -> list[Query]:
    """A line for each of the quantiles of a histogram, and each of what `by` tells apart.

    With a gap where nothing was observed: a quantile of nothing is not a number, and no number compares with that.
    """
    kept = f"{by}, le" if by else "le"
    buckets = f"sum by ({kept}) (rate({histogram}_bucket{{{matchers}}}[$__rate_interval]))"
    return [
        Query(f"histogram_quantile({quantile:g}, {buckets}) >= 0", f"{legend} p{100 * quantile:g}".strip())
        for quantile in wanted
    ]


def ages(matchers: str = ACCOUNT) -> list[Query]:
    """How old the newest statistics of running VMs are."""
    return quantiles("gigas_exporter_data_age_seconds", matchers, "collector", "{{collector}}", (0.5, 0.99))


def younger(by: str = "", *, matchers: str = ACCOUNT) -> str:
    """The share of the running VMs whose newest statistics are younger than half an hour.

    No less: where nothing flows, the provider's zeros count only when nothing can come of them any more. The bound is
    written 1800 or 1800.0, by whoever exposes it.
    """
    observed, within = (
        f"sum{f' by ({by}) ' if by else ''}(rate(gigas_exporter_data_age_seconds_{series}[$__rate_interval]))"
        for series in (f"count{{{matchers}}}", rf'bucket{{{matchers}, le=~"1800([.]0)?"}}')
    )
    return f"{within} / ({observed} > 0)"
