"""A bucket that cannot have changed is not asked for again, however small the interval."""

from collections import Counter
from functools import partial

from exporter.clock import SystemClock
from tests.running import Provider, daemon, provider
from tests.waiting import eventually

STEP_S = 2.0
LEARN_BUCKETS = 8
BUCKETS = 8


async def asked(simulated: Provider) -> Counter[str]:
    return Counter((await simulated.requests())["vms"])


async def passed(until_s: float) -> bool:
    return SystemClock().monotonic_s() >= until_s


async def test_in_the_steady_state_each_vm_is_asked_about_once_a_bucket_and_one_that_is_off_less() -> None:
    # Of the 14 VMs some publish what is not there yet as 0, some as null, some not at all; some are idle.
    async with provider(step_s=STEP_S, corrections=False) as simulated, daemon(simulated.url):
        await eventually(lambda: passed_buckets(simulated))
        before, started_s = await asked(simulated), SystemClock().monotonic_s()
        await eventually(lambda: passed(started_s + BUCKETS * STEP_S), within_s=2 * BUCKETS * STEP_S)
        buckets = (SystemClock().monotonic_s() - started_s) / STEP_S
        counts = await asked(simulated) - before
        vms = await simulated.vms()
        running = [vm_id for vm_id, vm in vms.items() if vm["status"] not in {"offline", "unbuilt"}]
        off = vms.keys() - set(running)
        for endpoint in ("cpu_stats", "bw_stats"):
            for vm_id in running:
                assert 0.7 * buckets - 1 <= counts[f"{endpoint} {vm_id}"] <= 1.4 * buckets + 1, (endpoint, vms[vm_id])
            for vm_id in off:
                assert counts[f"{endpoint} {vm_id}"] <= buckets / 3 + 1, (endpoint, vms[vm_id])
            together = sum(counts[f"{endpoint} {vm_id}"] for vm_id in running)
            assert together <= 1.15 * len(running) * (buckets + 1)


async def passed_buckets(simulated: Provider) -> bool:
    """Whether every VM has been looked at for so many buckets that its habits are known."""
    counts = await asked(simulated)
    return max(counts.values(), default=0) >= LEARN_BUCKETS


async def test_looks_are_spread_over_the_vms() -> None:
    async with provider(step_s=2.0, vms=40) as simulated, daemon(simulated.url):
        await eventually(lambda: passed_buckets(simulated), within_s=90)
        shares: list[int] = []
        before = (await asked(simulated)).total()
        for _ in range(20):
            await eventually(partial(passed, SystemClock().monotonic_s() + 0.2), every_s=0.01)
            now = (await asked(simulated)).total()
            shares.append(now - before)
            before = now
        assert max(shares) <= 0.4 * sum(shares) / 2  # of what is asked in a width, less than so much in a tenth of it
