"""How often the provider is asked, how evenly, and how fresh what it publishes is on the page."""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench import truth
from bench.figures import quantile, row, spread
from bench.pages import rightly_grown
from bench.processes import Asked, Watched, watched

ENDPOINTS = ("cpu_stats", "bw_stats")
_TIMESTAMPS = ("gigas_vm_cpu_usage_timestamp_seconds", "gigas_vm_network_timestamp_seconds")
_LOOKED_AT_EVERY = 0.01
"""How often the page is read, as a share of the width: ages are no more exact than that."""


@dataclass(frozen=True)
class Plan:
    """The pace is that of buckets of 300 s, in less time. `settling`: widths until habits are known."""

    vms: int
    step_s: int
    settling: int
    widths: int


FULL = Plan(vms=1_000, step_s=30, settling=6, widths=6)
SHORT = Plan(vms=300, step_s=12, settling=2, widths=3)


async def measure(plan: Plan) -> None:
    """Read the page all the time and compare with what the provider has noted."""
    async with watched(vms=plan.vms, step_s=plan.step_s) as daemon:
        await daemon.first_picture()
        started = await daemon.until_bucket()
        begun = await daemon.until_bucket(after=plan.settling - 1)
        settled = await daemon.page()  # What was read once may have been placed wrongly (docs/counters.md).
        ages = await _ages(daemon, until_at=(begun + plan.widths) * plan.step_s)
        asked = [each for each in await daemon.provider.asked() if each.period]
        row(
            f"{plan.vms} VMs, buckets of {plan.step_s} s: counters that grew as the buckets tell",
            f"all {rightly_grown(settled, await daemon.page(), plan.step_s)}",
        )
    _show_requests(plan, asked, started, begun)
    _show_peak(plan, asked, begun)
    for name in _TIMESTAMPS:
        what = name.removeprefix("gigas_vm_").removesuffix("_timestamp_seconds")
        shares = [age / plan.step_s for age in ages[name]]
        told = " / ".join(f"{quantile(shares, q):.2f}" for q in (0.5, 0.9, 0.99, 1.0))
        row(f"{what}: age on the page of what is published, widths, p50 / p90 / p99 / max", told, "wanted: p50 0.25")


async def _ages(daemon: Watched, until_at: float) -> dict[str, list[float]]:
    """How long after its publication each bucket was first seen on the page, seconds."""
    ages: dict[str, list[float]] = {name: [] for name in _TIMESTAMPS}
    seen: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in _TIMESTAMPS}
    while (now_s := time.time()) < until_at:
        page = await daemon.page("?collect[]=cpu&collect[]=traffic")
        for name in _TIMESTAMPS:
            newest = page.of_vms(name)
            for series, end_at in newest.items():
                if end_at > seen[name].get(series, end_at):
                    number, bucket = truth.number_of(series[0]), round(end_at / daemon.step_s) - 1
                    ages[name].append(now_s - truth.published_at(number, bucket, daemon.step_s))
            seen[name] = newest
        await asyncio.sleep(_LOOKED_AT_EVERY * daemon.step_s)
    return ages


def _show_requests(plan: Plan, asked: Sequence[Asked], started: int, begun: int) -> None:
    """Each width by itself from the first whole one on, then the steady state."""
    by_width = Counter((each.endpoint, int(each.at // plan.step_s)) for each in asked)
    for endpoint in ENDPOINTS:
        each = [by_width[endpoint, bucket] / plan.vms for bucket in range(started, begun + plan.widths)]
        steady = each[begun - started :]
        told = ", ".join(f"{requests:.2f}" for requests in each)
        row(f"{endpoint}: requests per bucket and VM, width by width", told)
        row(f"{endpoint}: in the steady state", f"{sum(steady) / len(steady):.3f}", "wanted: 1.05 at most")
    periods = Counter(each.period for each in asked)
    row("requests for longer periods, since the start", str(sum(periods.values()) - periods["-1H"]))


def _show_peak(plan: Plan, asked: Sequence[Asked], begun: int) -> None:
    """The busiest tenth of each width, wherever it begins, against the mean of all."""
    until_at = (begun + plan.widths) * plan.step_s
    times = [each.at for each in asked if begun * plan.step_s <= each.at < until_at]
    tenth_s, mean = plan.step_s / 10, len(times) / (10 * plan.widths)
    most = [0] * plan.widths
    for place, at in enumerate(times):
        width = int(at // plan.step_s) - begun
        most[width] = max(most[width], bisect_left(times, at + tenth_s) - place)
    ratios = [each / mean for each in most]
    row("requests in the busiest tenth of a width to the mean", spread(ratios, ".2f"), "wanted: 2.5 at most")
