"""What goes wrong in one place disturbs no other, and heals by itself."""

import pytest

from tests.exposition import Page
from tests.running import Provider, Watched, daemon, provider
from tests.waiting import eventually

TWO = {
    f"ACCOUNTS__{index}__{key}": value
    for index, (name, account) in enumerate((("production", "17893"), ("test", "17894")))
    for key, value in (("ID", account), ("NAME", name), ("API_KEY", "demo-key"))
}
UNTIL = "gigas_vm_cpu_usage_timestamp_seconds"


async def has_statistics(watched: Watched) -> Page | None:
    page = await watched.page()
    waiting = [page.one("gigas_exporter_vms", **labels) for labels in outcomes(page, "waiting")]
    return page if waiting and not any(waiting) else None


def outcomes(page: Page, outcome: str) -> list[dict[str, str]]:
    return [dict(labels) for labels, _ in page.each("gigas_exporter_vms", outcome=outcome)]


async def moved_on(watched: Watched, before: Page, *, by_s: float, but: str = "", **labels: str) -> bool:
    """Whether the CPU usage of every VM with these labels (but one) is of so much later than before."""
    page = await watched.page()
    old = {found["vm_id"]: at for found, at in before.each(UNTIL, **labels) if found["vm_id"] != but}
    return all(page.one(UNTIL, vm_id=vm_id) >= at + by_s for vm_id, at in old.items()) and bool(old)


async def failing(watched: Watched, collector: str) -> float:
    page = await watched.page()
    return page.one("gigas_exporter_vms", account="production", collector=collector, outcome="failing")


async def test_a_vm_whose_statistics_hang_delays_no_other_and_is_looked_at_again_when_they_do_not() -> None:
    async with provider() as simulated, daemon(simulated.url, API__TIMEOUT="3s") as watched:
        before = await eventually(lambda: has_statistics(watched))
        hung = next(iter(await simulated.vms()))
        await simulated.faults({"kind": "hang", "endpoint": "cpu_stats", "vm": hung, "seconds": 60})
        # One look that hangs ends after four attempts, 12 s and more; the others are looked at every second.
        await eventually(lambda: moved_on(watched, before, by_s=6, but=hung), within_s=11)
        page = await watched.page()
        assert page.one("gigas_exporter_collector_success", account="production", collector="cpu") == 1
        await eventually(lambda: one_fails(watched), within_s=25)
        assert (await watched.page()).one("gigas_exporter_collector_success", account="production", collector="cpu")
        await simulated.faults()
        await eventually(lambda: none_fails(watched), within_s=30)


async def one_fails(watched: Watched) -> bool:
    return await failing(watched, "cpu") == 1


async def none_fails(watched: Watched) -> bool:
    return await failing(watched, "cpu") == 0


async def test_an_endpoint_that_hangs_holds_up_neither_the_other_one_nor_the_listing() -> None:
    async with provider() as simulated, daemon(simulated.url, API__MAX_CONCURRENCY="4") as watched:
        await eventually(lambda: has_statistics(watched))
        await simulated.faults({"kind": "hang", "endpoint": "bw_stats", "seconds": 60})
        await eventually(lambda: asked_more(simulated, "bw_stats", 1))
        before = await watched.page()
        asked = (await simulated.requests())["endpoints"]["virtual_machines"]
        await eventually(lambda: moved_on(watched, before, by_s=5), within_s=12)
        await eventually(lambda: asked_more(simulated, "virtual_machines", asked + 5), within_s=5)
        assert (await watched.page()).one("gigas_up", account="production") == 1


async def asked_more(simulated: Provider, endpoint: str, than: float) -> bool:
    return bool((await simulated.requests())["endpoints"].get(endpoint, 0) > than)


async def test_an_account_that_fails_disturbs_no_other() -> None:
    async with provider(accounts=("17893", "17894")) as simulated, daemon(simulated.url, **TWO) as watched:
        before = await eventually(lambda: has_statistics(watched))
        await simulated.faults({"kind": "status", "status": 404, "account": "17894"})
        await eventually(lambda: up_is(watched, production=1, test=0))
        await eventually(lambda: moved_on(watched, before, by_s=4, account="production"))
        page = await watched.page()
        assert len(list(page.each("gigas_vm_info", account="test"))) == 14  # what was known stays
        for collector in ("inventory", "cpu", "traffic"):
            assert page.one("gigas_exporter_collector_success", account="production", collector=collector) == 1
        await eventually(lambda: fails_as_a_whole(watched, "test", "cpu"))
        await simulated.faults()
        await eventually(lambda: up_is(watched, production=1, test=1), within_s=60)
        before = await watched.page()
        await eventually(lambda: moved_on(watched, before, by_s=2, account="test"), within_s=60)


async def up_is(watched: Watched, **wanted: float) -> bool:
    page = await watched.page()
    return all(page.value("gigas_up", account=account) == up for account, up in wanted.items())


async def fails_as_a_whole(watched: Watched, account: str, collector: str) -> bool:
    page = await watched.page()
    return page.value("gigas_exporter_collector_success", account=account, collector=collector) == 0


@pytest.mark.parametrize(
    ("collector", "endpoint"), [("cpu", "cpu_stats"), ("traffic", "bw_stats"), ("inventory", "virtual_machines")]
)
async def test_after_faults_end_everything_is_asked_again_within_a_minute_whatever_the_interval(
    collector: str, endpoint: str
) -> None:
    seldom = {f"COLLECT__{name}__INTERVAL": "15m" for name in ("INVENTORY", "CPU", "TRAFFIC")}
    # Refused for good at the first attempt: nothing is on its way that might answer when the fault ends.
    faults = f"[{{kind: status, status: 403, endpoint: {endpoint}}}]"
    async with provider(step_s=300.0, faults=faults) as simulated, daemon(simulated.url, **seldom) as watched:
        await eventually(lambda: fails_as_a_whole(watched, "production", collector))
        await simulated.faults()
        await eventually(lambda: all_is_well(watched), within_s=60)


async def all_is_well(watched: Watched) -> bool:
    page = await watched.page()
    bad = [page.one("gigas_exporter_vms", **each) for kind in ("waiting", "failing") for each in outcomes(page, kind)]
    return bool(bad) and not any(bad)


async def test_a_vm_that_appears_is_looked_at_at_once_and_one_that_goes_leaves_nothing() -> None:
    seldom = {"COLLECT__CPU__INTERVAL": "15m", "COLLECT__TRAFFIC__INTERVAL": "15m"}
    async with provider(step_s=300.0) as simulated, daemon(simulated.url, **seldom) as watched:
        await eventually(lambda: has_statistics(watched))
        async with simulated.session.post(f"{simulated.url}/simulator/vms", data="{}") as response:
            vm_id = str((await response.json())["id"])

        async def looked_at() -> bool:
            asked = (await simulated.requests())["vms"]
            return all(asked.get(f"{endpoint} {vm_id}") == 1 for endpoint in ("cpu_stats", "bw_stats"))

        await eventually(looked_at, within_s=5)
        await simulated.remove(vm_id)

        async def gone() -> bool:
            return vm_id not in await watched.text()

        await eventually(gone, within_s=5)
        looks = watched.daemon._core.watches["production"].looks.values()

        async def forgotten() -> bool:
            return not any(vm_id in look._watched or vm_id in look._due for look in looks)

        await eventually(forgotten, within_s=2)


async def test_a_task_that_a_fault_of_ours_ends_is_started_again_and_counted() -> None:
    async with provider() as simulated, daemon(simulated.url) as watched:
        await eventually(lambda: has_statistics(watched))
        fleet = watched.daemon._core.fleet

        def bug(_: object) -> None:
            fleet._subscribers.remove(bug)
            raise ZeroDivisionError

        fleet.subscribe(bug)

        async def counted() -> Page | None:
            page = await watched.page()
            return page if sum(value for _, value in page.each("gigas_exporter_internal_errors_total")) == 1 else None

        before = await eventually(counted)
        await eventually(lambda: moved_on(watched, before, by_s=3), within_s=30)
