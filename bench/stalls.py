"""For how long the event loop is held while a large fleet is polled, and scraped by two Prometheus servers.

Two readers more, of the plain page and the compressed one, tell what a scrape takes meanwhile.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import held, quantile, row, spread
from bench.pages import rightly_grown
from bench.processes import Report, Watched, bare, watched
from bench.prometheus import scraping, show
from bench.reader import Reader
from bench.ticker import Ticker

SCRAPED_EVERY_S = 5
SERVERS = 2
ENCODINGS = ("identity", "gzip")


@dataclass(frozen=True)
class Plan:
    """Steps so short that both fleets are polled 20 000 times a minute."""

    vms: int
    step_s: int
    widths: int


FULL = Plan(vms=10_000, step_s=60, widths=2)
SHORT = Plan(vms=2_000, step_s=12, widths=2)


async def measure(plan: Plan) -> None:
    """The daemon, the provider and the servers each in a process of its own; an empty loop ticks beside them."""
    beside = Ticker()
    for_s = float(plan.widths * plan.step_s)
    async with watched(vms=plan.vms, step_s=plan.step_s, ticking=True) as daemon:
        first, _ = await daemon.first_picture()
        starting = await daemon.report()
        await daemon.until_bucket()
        alone = await asyncio.gather(*(_read(daemon.url, each, float(plan.step_s)) for each in ENCODINGS))
        async with scraping(daemon.url, count=SERVERS, interval_s=SCRAPED_EVERY_S) as servers:
            await daemon.until_bucket()  # Their first scrapes are slow; lags are learned.
            settled = await daemon.page()  # What was read once may have been placed wrongly (docs/counters.md).
            begun = await daemon.report()
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(beside.run())
                reading = [group.create_task(_read(daemon.url, each, for_s)) for each in ENCODINGS]
                await asyncio.sleep(for_s)
                ticking.cancel()
            ended = await daemon.report()
            page = await daemon.text()
            _show_holds(plan, starting, ended, beside)
            await _show_polls(daemon, for_s)
            _show_cpu(begun, ended)
            await show(servers, for_s=ended.at_s - begun.at_s, samples=first.samples())
            _show_reads("while polled", alone, "wanted: p99 250 at most")
            _show_reads(f"beside {len(servers)} Prometheus, too", [each.result() for each in reading])
        row("counters that grew as the buckets tell", f"all {rightly_grown(settled, await daemon.page(), plan.step_s)}")
    _show_bare(ended.held_ms, await _bare_held_ms(plan, page))


async def _bare_held_ms(plan: Plan, page: bytes) -> Sequence[tuple[float, float]]:
    """For how long the bare parts hold their loop where as much is asked of them."""
    for_s = float(plan.widths * plan.step_s)
    async with (
        bare(vms=plan.vms, step_s=plan.step_s, page=page, ticking=True) as parts,
        scraping(parts.url, count=SERVERS, interval_s=SCRAPED_EVERY_S),
    ):
        await asyncio.sleep(plan.step_s)  # Their first scrapes are slow.
        await parts.report()
        await asyncio.gather(*(_read(parts.url, each, for_s) for each in ENCODINGS))
        return (await parts.report()).held_ms


async def _read(url: str, encoding: str, for_s: float) -> list[float]:
    """Read the page once a second; milliseconds of each. In a thread: what else this loop does must not count."""
    reader = await asyncio.to_thread(Reader, url, encoding)
    spent_ms, until_s = [], time.perf_counter() + for_s
    while time.perf_counter() < until_s:
        spent_ms.append((await asyncio.to_thread(reader.read))[0])
        await asyncio.sleep(1.0)
    reader.close()
    return spent_ms


def _show_holds(plan: Plan, starting: Report, ended: Report, beside: Ticker) -> None:
    what = "loop held, p50 / p99 / p99.9 / max ms"
    row(f"{what}: an empty loop, before", held(ended.empty_ms))
    row(f"{what}: an empty loop, meanwhile", held(beside.held_ms))
    row(f"{what}: first picture of {plan.vms} VMs", held(starting.held_ms))
    row(f"{what}: then, polled and scraped", held(ended.held_ms), "wanted: p99.9 15, max 30")
    row("of which it was at work, not waiting for a core", held(ended.held_ms, at_work=True))
    for when, report in (("first picture", starting), ("then", ended)):
        longest = max(report.collections_ms, default=0.0)
        row(f"garbage collections, longest and all, ms: {when}", f"{longest:.1f}", f"{sum(report.collections_ms):.0f}")


def _show_bare(ours_ms: Sequence[tuple[float, float]], bare_ms: Sequence[tuple[float, float]]) -> None:
    row("loop held, p50 / p99 / p99.9 / max ms: the bare parts, likewise", held(bare_ms))
    row("of which they were at work, not waiting for a core", held(bare_ms, at_work=True))
    for what, at_work in (("held", False), ("at work", True)):
        ours, theirs = ([each[at_work] for each in held_ms] for held_ms in (ours_ms, bare_ms))
        ratios = " / ".join(f"{quantile(ours, q) / quantile(theirs, q):.2f}" for q in (0.99, 0.999, 1.0))
        row(f"p99 / p99.9 / max, ours to the bare parts': {what}", ratios)


def _show_reads(when: str, read_ms: Sequence[Sequence[float]], *wanted: str) -> None:
    for encoding, each in zip(ENCODINGS, read_ms, strict=True):
        told = " / ".join(f"{quantile(each, q):.0f}" for q in (0.5, 0.9, 0.99))
        row(f"a page read, {when}, {encoding}: p50 / p90 / p99 ms", told, *wanted)


async def _show_polls(daemon: Watched, for_s: float) -> None:
    asked = await daemon.provider.asked()
    until_at = asked[-1].at
    seconds = [0] * int(for_s)
    for each in asked:
        if each.period and 0 <= until_at - each.at < len(seconds):
            seconds[int(until_at - each.at)] += 1
    row("polls/s, and in the busiest second", f"{sum(seconds) / for_s:.0f}", str(max(seconds)))
    row("polls/s, second by second", spread(seconds, ".0f"), f"p90 {quantile(seconds, 0.9):.0f}")


def _show_cpu(begun: Report, ended: Report) -> None:
    for_s = ended.at_s - begun.at_s
    row(
        "CPU of the daemon's process, % of a core",
        f"{100 * (ended.cpu_s - begun.cpu_s) / for_s:.1f}",
        f"without the ticker's {100 * (ended.ticking_s - begun.ticking_s) / for_s:.1f}",
    )
    used = {name: seconds - begun.threads_s.get(name, 0.0) for name, seconds in ended.threads_s.items()}
    shares = ", ".join(f"{name} {100 * each / for_s:.1f}" for name, each in sorted(used.items(), key=lambda u: -u[1]))
    row("by thread, the ticker in the main one", shares)
