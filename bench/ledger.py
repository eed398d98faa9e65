"""What it costs to remember a large fleet, and for how long the event loop is held meanwhile."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import held, row, spread
from bench.ticker import Ticker
from exporter.app import spare_what_is_loaded
from exporter.counting import Bucket, Series, Spell, Window, horizon_of
from exporter.ledger import Batch, CpuAccount, InterfaceAccount, Remembered, SqliteLedger, VmRecord

SCATTERED = 67
"""As many are polled in a second at a bucket of 300 s and two looks a bucket."""
BUCKETS = 12
WIDTH_MS = 300_000
_AT_MS = 1_700_000_000_000
_ACCOUNT = "17893/production"


@dataclass(frozen=True)
class Plan:
    vms: int
    rounds: int


FULL = Plan(vms=10_000, rounds=5)
SHORT = Plan(vms=2_000, rounds=3)


def _series(chance: random.Random) -> Series:
    """A counter after some months: sums of 90 bits, buckets of 60 to 90."""
    end_ms = _AT_MS + BUCKETS * WIDTH_MS
    values = tuple(chance.getrandbits(chance.randint(60, 90)) for _ in range(BUCKETS))
    return Series(
        settled_ms=_AT_MS,
        left_ms=_AT_MS,
        newest_ms=end_ms,
        complete_ms=end_ms,
        held_until_ms=_AT_MS,
        began_ms=_AT_MS,
        base=chance.getrandbits(90),
        exposed=chance.getrandbits(90),
        horizon=horizon_of(((_AT_MS, WIDTH_MS, end_ms + 5_123, values),)),
        newest=Bucket(end_ms - WIDTH_MS, end_ms, values[-1], end_ms + 5_123),
        marks=((7_200_000, _AT_MS, chance.getrandbits(90)), (86_400_000, _AT_MS, chance.getrandbits(90))),
    )


def fleet(seed: int, vms: int) -> Sequence[VmRecord]:
    """VMs with CPU and two interfaces. Another seed makes other values: what does not change costs SQLite nothing."""
    chance = random.Random(seed)
    spell = Spell(1.7e9, 1.7e9)
    return [
        VmRecord(
            vm_id=f"17893101{number:04}",
            name=f"web-{number}",
            known_since_at=1.7e9,
            appeared=True,
            running_since_ms=_AT_MS,
            lock=spell,
            suspension=spell,
            cpu=CpuAccount(
                _series(chance),
                Window(_AT_MS, WIDTH_MS, tuple(chance.getrandbits(45) for _ in range(BUCKETS)), _AT_MS).rested(),
                since_ms=_AT_MS,
                on_grid=True,
            ),
            interfaces={
                name: InterfaceAccount(name, name == "45", _series(chance), _series(chance), _AT_MS, _AT_MS)
                for name in ("45", "46")
            },
            grid=Window(_AT_MS, WIDTH_MS, (), _AT_MS),
        )
        for number in range(vms)
    ]


class _Measured:
    """CPU and wall time of some blocks, and how long the loop was held in them; milliseconds."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []
        self._ticker = Ticker()

    @asynccontextmanager
    async def block(self) -> AsyncIterator[None]:
        """Measure what is done in it."""
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._ticker.run())
            await asyncio.sleep(0)
            cpu, wall = time.process_time(), time.perf_counter()
            yield
            self.cpu.append(1000 * (time.process_time() - cpu))
            self.wall.append(1000 * (time.perf_counter() - wall))
            # What the garbage collector has put off is part of it.
            await asyncio.sleep(0.2)
            ticking.cancel()

    def show(self, what: str) -> None:
        """Print both rows."""
        row(f"{what}: CPU, wall ms", spread(self.cpu, ".0f"), spread(self.wall, ".0f"))
        row(f"{what}: loop held, p50 / p99 / p99.9 / max ms", held(self._ticker.held_ms))


async def measure(plan: Plan) -> None:
    """Commit the whole fleet, then the VMs of a second, then start with all of them."""
    whole, few, start = _Measured(), _Measured(), _Measured()
    fleets = [fleet(seed, plan.vms) for seed in range(2)]
    chance = random.Random(1)
    spare_what_is_loaded()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = await SqliteLedger.open(path, start_anew=False, now_s=0.0)
        await ledger.commit(Batch(changed={_ACCOUNT: fleets[1]}))
        for number in range(plan.rounds):
            async with whole.block():
                await ledger.commit(Batch(changed={_ACCOUNT: fleets[number % 2]}))
            async with few.block():
                await ledger.commit(Batch(changed={_ACCOUNT: chance.sample(fleets[(number + 1) % 2], SCATTERED)}))
        await ledger.close()
        size = path.stat().st_size
        del fleets
        for _ in range(plan.rounds):
            async with start.block():
                ledger = await SqliteLedger.open(path, start_anew=False, now_s=0.0)
                known: Remembered | None = await ledger.load(_ACCOUNT)
            assert known is not None
            assert len(known.vms) == plan.vms
            known = None
            await ledger.close()
    whole.show(f"ledger, commit of {plan.vms} VMs")
    few.show(f"ledger, commit of {SCATTERED} scattered VMs")
    start.show(f"ledger, start with {plan.vms} VMs")
    row("ledger, size of the file, two interfaces a VM", f"{size / 1e6:.1f} MB, {size / plan.vms:.0f} bytes a VM")
