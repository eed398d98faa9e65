"""Several exporters share an account: together they see what one would, and each asks for its own part."""

from collections import Counter
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path

from exporter.collectors.inventory import in_shard
from exporter.ledger import SqliteLedger, archived, restored
from tests.exposition import Page
from tests.running import Provider, Watched, daemon, provider
from tests.waiting import eventually

SHARDS = 3
VMS = 300
STATISTICS = ("cpu_stats", "bw_stats")


async def asked(simulated: Provider) -> Counter[tuple[str, str]]:
    """How often each VM's statistics were asked for: by endpoint and VM."""
    counts: dict[str, int] = (await simulated.requests())["vms"]
    return Counter({(endpoint, vm_id): count for key, count in counts.items() for endpoint, vm_id in [key.split()]})


async def listed(watched: Watched) -> Page:
    """The page once it shows a whole listing."""
    page = await watched.page()
    assert page.value("gigas_up", account="production")
    assert sum(value for _, value in page.each("gigas_vms", account="production")) == len(page.vm_ids())
    return page


async def looked_at(simulated: Provider, watched: Watched, before: Counter[tuple[str, str]]) -> Page:
    """The same once all its VMs that run have been asked for."""
    page = await listed(watched)
    running = {
        labels["vm_id"]
        for status in ("online", "recovery")
        for labels, value in page.each("gigas_vm_status", status=status)
        if value
    }
    assert running
    for endpoint in STATISTICS:
        assert running <= of(endpoint, await asked(simulated) - before)
    return page


def of(endpoint: str, counts: Counter[tuple[str, str]]) -> AbstractSet[str]:
    return {vm_id for asked_of, vm_id in counts if asked_of == endpoint}


async def test_shards_together_are_the_fleet_and_each_asks_for_its_own_vms_only() -> None:
    pages: list[Page] = []
    async with provider(vms=VMS, step_s=10.0, page_cap=40) as simulated:
        for index in range(SHARDS):  # One after the other, so that it is known who has asked.
            before = await asked(simulated)
            async with daemon(simulated.url, SHARD__INDEX=str(index), SHARD__TOTAL=str(SHARDS)) as watched:
                page = await eventually(partial(looked_at, simulated, watched, before))
            pages.append(page)
            for endpoint in STATISTICS:
                assert of(endpoint, await asked(simulated) - before) <= page.vm_ids()
        fleet = set(await simulated.vms())
    assert len(fleet) == VMS
    assert set().union(*(page.vm_ids() for page in pages)) == fleet
    assert sum(len(page.vm_ids()) for page in pages) == VMS
    assert all(0.5 * VMS / SHARDS < len(page.vm_ids()) < 1.5 * VMS / SHARDS for page in pages)


async def test_a_vm_that_cannot_be_understood_is_one_shards() -> None:
    broken = "gigas_exporter_unreadable_vms"
    told = []
    async with provider(faults='[{"kind": "one_broken"}]') as simulated:
        for index in range(SHARDS):
            async with daemon(simulated.url, SHARD__INDEX=str(index), SHARD__TOTAL=str(SHARDS)) as watched:
                page = await eventually(partial(listed, watched))
            told.append(page.one(broken, account="production"))
    assert sorted(told) == [0, 0, 1]


async def test_what_one_exporter_has_counted_goes_on_in_the_shards_that_are_given_its_ledger(tmp_path: Path) -> None:
    busy = "gigas_vm_cpu_busy_seconds_total"
    seen: dict[str, float] = {}
    async with provider() as simulated:
        async with daemon(simulated.url, STATE__PATH=str(tmp_path / "one.db")) as watched:

            async def counted() -> Page:
                page = await listed(watched)
                assert len([value for _, value in page.each(busy) if value]) >= 3
                return page

            before = await eventually(counted)
        for index in range(SHARDS):
            path = tmp_path / f"{index}.db"
            ledger = await SqliteLedger.open(path, start_anew=False, now_s=0.0)
            await ledger.replace(restored(archived(tmp_path / "one.db")))
            await ledger.close()
            shard = {"SHARD__INDEX": str(index), "SHARD__TOTAL": str(SHARDS), "STATE__PATH": str(path)}
            async with daemon(simulated.url, **shard) as watched:
                page = await eventually(partial(only_its_own, watched, index))
            seen |= {labels["vm_id"]: value for labels, value in page.each(busy)}
    for labels, value in before.each(busy):
        assert seen[labels["vm_id"]] >= value


async def only_its_own(watched: Watched, index: int) -> Page:
    """The page once VMs that are another shard's have gone: two listings lacked them."""
    page = await listed(watched)
    own = {vm_id for vm_id in page.vm_ids() if in_shard(account_id="17893", vm_id=vm_id, index=index, total=SHARDS)}
    assert page.vm_ids() == own
    return page
