"""How the cost grows with the fleet: per VM it must not."""

from dataclasses import dataclass

from bench import cost
from bench.figures import row


@dataclass(frozen=True)
class Plan:
    vms: tuple[int, ...]
    step_s: int
    scraped_every_s: int


FULL = Plan(vms=(100, 1_000, 10_000), step_s=60, scraped_every_s=15)
SHORT = Plan(vms=(100, 1_000), step_s=12, scraped_every_s=5)


async def measure(plan: Plan) -> None:
    """One fleet after the other at the same pace, side by side."""
    costs = [await cost.cost_of(cost.Plan(vms, plan.step_s, plan.scraped_every_s)) for vms in plan.vms]
    row(f"growth, buckets of {plan.step_s} s: VMs", *(str(each.vms) for each in costs))
    row("CPU seconds per VM and hour", *(f"{each.spent[0].cpu_s_per_vm_hour:.3f}" for each in costs))
    row("CPU ms per poll, all included", *(f"{each.spent[0].cpu_ms_per_poll:.2f}" for each in costs))
    row("CPU, % of a core", *(f"{100 * each.spent[0].cpu_share:.1f}" for each in costs))
    row("polls/s", *(f"{each.spent[0].polls_per_s:.0f}" for each in costs))
    row("memory at the end, MB", *(f"{each.rss_bytes / 1e6:.0f}" for each in costs))
    least = costs[0]
    row(
        "memory for each further VM, kB",
        "-",
        *(f"{(each.rss_bytes - least.rss_bytes) / (each.vms - least.vms) / 1e3:.1f}" for each in costs[1:]),
    )
    row("start to first full picture, s", *(f"{each.first_picture_s:.1f}" for each in costs))
    row("scrape, gzip, p50 ms", *(f"{each.scrape_ms:.1f}" for each in costs))
    row("scrape, gzip, us per VM", *(f"{1e3 * each.scrape_ms / each.vms:.1f}" for each in costs))
