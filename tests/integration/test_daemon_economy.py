"""A bucket that cannot have changed is not asked for again, however small the interval."""

from collections import Counter
from functools import partial

from exporter.clock import SystemClock
from exporter.collectors import VM_COLLECTORS
from tests.exposition import Page
from tests.recorded import STAMPS, Scrapes, Truth
from tests.running import Provider, Watched, daemon, provider
from tests.waiting import eventually

STEP_S = 2.0
LEARN_BUCKETS = 8
BUCKETS = 8
BUCKETS_COUNTED = "gigas_exporter_buckets_total"


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
                # A VM may be too early for some buckets in a row; over a longer time none is (test_pace).
                assert 0.7 * buckets - 1 <= counts[f"{endpoint} {vm_id}"] <= 2 * buckets + 1, (endpoint, vms[vm_id])
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


ENDPOINTS = {"cpu": "cpu_stats", "traffic": "bw_stats"}


async def counts(watched: Watched, scrapes: Scrapes) -> bool:
    page = await watched.page()
    scrapes.record(page)
    waiting = [value for _, value in page.each("gigas_exporter_vms", outcome="waiting")]
    return bool(waiting) and not any(waiting)


def counted(page: Page, name: str, collector: str) -> float:
    return page.one(name, account="production", collector=collector)


async def test_who_looks_once_in_two_buckets_counts_each_of_them_and_owes_nothing() -> None:
    # Once in three is tried in virtual time (test_pace): the share of a width that it leaves for being late is less,
    # at 2 s, than a busy machine takes.
    variables = {f"COLLECT__{name.upper()}__EVERY_BUCKETS": "2" for name in VM_COLLECTORS}
    scrapes = Scrapes(STEP_S)
    async with provider(step_s=STEP_S) as simulated, daemon(simulated.url, **variables) as watched:
        await eventually(lambda: counts(watched, scrapes), within_s=30)
        first, before = await watched.page(), await asked(simulated)
        start = min(sample.until_at for sample in scrapes.first(*STAMPS).values())
        started_s = SystemClock().monotonic_s()
        await eventually(lambda: passed(started_s + 15 * STEP_S), within_s=30 * STEP_S)
        last, after = await watched.page(), await asked(simulated)
        for collector, endpoint in ENDPOINTS.items():
            requests = sum((after - before)[each] for each in after if each.startswith(f"{endpoint} "))
            buckets = counted(last, BUCKETS_COUNTED, collector) - counted(first, BUCKETS_COUNTED, collector)
            assert buckets > 5 * len(scrapes.first(*STAMPS)) / 4
            assert requests <= 0.75 * 15 * len(await simulated.vms()), "of what one look a bucket takes"
            for name in ("gigas_exporter_owed_seconds", "gigas_exporter_catching_up_vms"):
                assert counted(last, name, collector) == 0
            for name in ("gigas_exporter_lost_seconds_total", "gigas_exporter_caught_up_seconds_total"):
                assert counted(last, name, collector) == 0
        for vm_id, vm in (await simulated.vms()).items():
            if vm["status"] == "online":
                await simulated.steer(vm_id, cpu=0, traffic_bytes_per_second=[0, 0])

        async def exact() -> bool:
            scrapes.record(await watched.page())
            wrong = scrapes.untrue(Truth(await simulated.vms(since=str(start - 60)), STEP_S))
            assert not wrong, f"{len(wrong)} of {len(scrapes.history)} differ, as {list(wrong.items())[:3]}"
            return True

        await eventually(exact, within_s=30, every_s=0.5)
        assert scrapes.wrong == []
