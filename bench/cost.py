"""What the daemon costs at the provider's own pace: CPU, memory, and the time until everything is known."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from bench.figures import quantile, row
from bench.processes import Report, Watched, bare, watched
from bench.prometheus import scraping, show
from bench.reader import Reader

SCRAPES = 20
_HOUR_S = 3_600
_MB = 1e6


@dataclass(frozen=True)
class Plan:
    """Whole widths are measured: looks fill only a part of each. `measured`: which ones; after the start comes 1."""

    vms: int
    step_s: int
    scraped_every_s: int
    measured: tuple[int, ...] = (1,)


FULL = Plan(vms=10_000, step_s=300, scraped_every_s=15, measured=(1, 3))
SHORT = Plan(vms=1_000, step_s=12, scraped_every_s=5, measured=(1, 3))


@dataclass(frozen=True)
class Spent:
    """In one width. In the first ones the lag is not known yet, and more is asked."""

    vms: int
    polls_per_s: float
    cpu_share: float

    @property
    def cpu_s_per_vm_hour(self) -> float:
        return self.cpu_share * _HOUR_S / self.vms

    @property
    def cpu_ms_per_poll(self) -> float:
        """Listings, commits, pages and scrapes included: the one figure that does not depend on the buckets' width."""
        return 1000 * self.cpu_share / self.polls_per_s


@dataclass(frozen=True)
class Cost:
    """What one fleet has cost: `spent` in each width that was measured. `scrape_ms`: the median of a whole page,
    gzipped, for a reader on this machine.
    """

    vms: int
    first_picture_s: float
    spent: tuple[Spent, ...]
    first_rss_bytes: int
    rss_bytes: int
    peak_bytes: int
    scrape_ms: float
    page: bytes = field(repr=False)


async def cost_of(plan: Plan) -> Cost:
    """Measure whole widths, each from the beginning of a bucket to its end, scraped by one Prometheus."""
    async with watched(vms=plan.vms, step_s=plan.step_s) as daemon:
        page, first_picture_s = await daemon.first_picture()
        first = await daemon.report()
        async with scraping(daemon.url, count=1, interval_s=plan.scraped_every_s) as servers:
            await asyncio.sleep(plan.scraped_every_s)  # Its first scrape is the slowest by far.
            bucket = await daemon.until_bucket()
            reports = [await daemon.report()]
            for _ in range(max(plan.measured)):
                await daemon.until_bucket()
                reports.append(await daemon.report())
            ended = reports[-1]
            await show(servers, for_s=ended.at_s - reports[0].at_s, samples=page.samples())
        polls = Counter(int(each.at // plan.step_s) - bucket for each in await daemon.provider.asked() if each.period)
        return Cost(
            vms=plan.vms,
            first_picture_s=first_picture_s,
            spent=tuple(_spent(plan, reports[each - 1], reports[each], polls[each - 1]) for each in plan.measured),
            first_rss_bytes=first.rss_bytes,
            rss_bytes=ended.rss_bytes,
            peak_bytes=ended.peak_bytes,
            scrape_ms=await _scrape_ms(daemon),
            page=await daemon.text(),
        )


def _spent(plan: Plan, begun: Report, ended: Report, polls: int) -> Spent:
    for_s = ended.at_s - begun.at_s
    return Spent(plan.vms, polls_per_s=polls / for_s, cpu_share=(ended.cpu_s - begun.cpu_s) / for_s)


async def _bare_spent(plan: Plan, page: bytes) -> Spent:
    """What the bare parts spend in a width: they poll as often and serve the same page, but keep and render nothing."""
    async with (
        bare(vms=plan.vms, step_s=plan.step_s, page=page) as parts,
        scraping(parts.url, count=1, interval_s=plan.scraped_every_s),
    ):
        await asyncio.sleep(plan.scraped_every_s)
        begun = await parts.report()
        await asyncio.sleep(plan.step_s)
        cpu_s = (await parts.report()).cpu_s - begun.cpu_s
        return Spent(plan.vms, polls_per_s=2 * plan.vms / plan.step_s, cpu_share=cpu_s / plan.step_s)


async def _scrape_ms(daemon: Watched) -> float:
    """For a reader that only reads: to decompress 35 MB takes one as long as twenty scrapes."""
    reader, spent = await asyncio.to_thread(Reader, daemon.url, "gzip"), []
    for _ in range(SCRAPES):
        spent.append((await asyncio.to_thread(reader.read))[0])
        await asyncio.sleep(0.1)
    reader.close()
    return quantile(spent, 0.5)


async def measure(plan: Plan) -> None:
    """One fleet."""
    cost = await cost_of(plan)
    what = f"{plan.vms} VMs, buckets of {plan.step_s} s"
    row(f"{what}: measured whole width, counted from the start", *(f"{each}." for each in plan.measured))
    row("polls/s", *(f"{each.polls_per_s:.0f}" for each in cost.spent))
    cpu = (f"{100 * each.cpu_share:.1f}" for each in cost.spent)
    row("CPU, % of a core", *cpu, "wanted at 10 000 and 300 s: below 8")
    row("CPU seconds per VM and hour", *(f"{each.cpu_s_per_vm_hour:.3f}" for each in cost.spent))
    row("CPU ms per poll, all included", *(f"{each.cpu_ms_per_poll:.2f}" for each in cost.spent))
    parts = await _bare_spent(plan, cost.page)
    row("the bare parts, likewise: CPU, % of a core", f"{100 * parts.cpu_share:.1f}")
    ratios = (f"{each.cpu_ms_per_poll / parts.cpu_ms_per_poll:.2f}" for each in cost.spent)
    row("CPU per poll, ours to the bare parts'", *ratios)
    row(
        f"{what}: memory after the first picture, at the end, most, MB",
        " / ".join(f"{each / _MB:.0f}" for each in (cost.first_rss_bytes, cost.rss_bytes, cost.peak_bytes)),
        "wanted at 10 000: below 220",
    )
    row(f"{what}: memory at the end per VM, kB", f"{cost.rss_bytes / plan.vms / 1e3:.1f}")
    row(f"{what}: from the process' start to the first full picture, s", f"{cost.first_picture_s:.1f}")
