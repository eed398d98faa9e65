"""An account of 100 000 VMs, listed as each of twelve shards lists it."""

import gc
import random
import time
import tracemalloc
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench import truth
from bench.figures import row, spread
from bench.processes import provider
from exporter.clock import SystemClock
from exporter.collectors import Inventory, InventoryReading, Options
from exporter.gigas import AccountClient, ApiKey, ClientOptions, open_session
from exporter.settings import SecretText

STEP_S = 300
WANTED = 0.05


@dataclass(frozen=True)
class Plan:
    vms: int
    shards: int


FULL = Plan(vms=100_000, shards=12)
SHORT = Plan(vms=20_000, shards=3)


@dataclass(frozen=True)
class _Listed:
    """Twice: once to see how long it takes, once to see what memory it takes, since looking at that is slow."""

    reading: InventoryReading
    wall_s: float
    cpu_s: float
    peak_mb: float


async def measure(plan: Plan = FULL) -> None:
    """List as each shard in turn, and as one that has all."""
    async with AsyncExitStack() as stack:
        asked = await stack.enter_async_context(provider(vms=plan.vms, step_s=STEP_S))
        options = ClientOptions(url=asked.url, user_agent="bench")
        client = AccountClient(
            account="bench",
            account_id=truth.ACCOUNT,
            credentials=ApiKey(SecretText("key")),
            options=options,
            session=await stack.enter_async_context(open_session(options)),
            clock=SystemClock(),
            random=random.Random(1),
            on_event=lambda _: None,
        )
        await _listed(client, Options())  # Connections and caches are warm before anything counts.
        whole = await _listed(client, Options())
        shards = [
            await _listed(client, Options(shard_index=index, shard_total=plan.shards)) for index in range(plan.shards)
        ]
    _show(plan, whole, shards)


async def _listed(client: AccountClient, options: Options) -> _Listed:
    inventory = Inventory(options)
    started_s, used_s = time.perf_counter(), time.process_time()
    reading = await inventory.collect(client)
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - used_s
    gc.collect()
    tracemalloc.start()
    try:
        await inventory.collect(client)
        return _Listed(reading, wall_s, cpu_s, tracemalloc.get_traced_memory()[1] / 1e6)
    finally:
        tracemalloc.stop()


def _show(plan: Plan, whole: _Listed, shards: list[_Listed]) -> None:
    name = f"{plan.vms} VMs in {plan.shards} shards"
    times = Counter(machine.vm_id for shard in shards for machine in shard.reading.machines)
    once = sum(count == 1 for count in times.values())
    assert once == len(times) == plan.vms, f"{once} of {len(times)} VMs are of one shard, not {plan.vms}"
    row(f"{name}: VMs that are of one shard", f"{once} of {plan.vms}")
    statuses = sum((_statuses(shard) for shard in shards), Counter[str]())
    assert statuses == _statuses(whole), f"the shards add up to {statuses}, not {_statuses(whole)}"
    row(f"{name}: VMs by status, sum over shards to the whole", f"{statuses.total() / _statuses(whole).total():.2f}")
    counts = [len(shard.reading.machines) for shard in shards]
    off = max(abs(count * plan.shards / plan.vms - 1) for count in counts)
    assert off <= WANTED, f"a shard is {100 * off:.1f} % off: {counts}"
    row(f"{name}: VMs of a shard", spread(counts, ".0f"), f"{100 * off:.1f} % off (wanted: 5 at most)")
    row(f"{name}: a listing, s", spread([shard.wall_s for shard in shards]), f"all in one: {whole.wall_s:.2f}")
    row(f"{name}: a listing, CPU s", spread([shard.cpu_s for shard in shards]), f"all in one: {whole.cpu_s:.2f}")
    peaks = spread([shard.peak_mb for shard in shards], ".0f")
    row(f"{name}: a listing, most memory at a time, MB", peaks, f"all in one: {whole.peak_mb:.0f}")


def _statuses(listed: _Listed) -> Counter[str]:
    return Counter(machine.status for machine in listed.reading.machines)
