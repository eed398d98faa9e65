"""The page is ready before it is asked for, and each family stands on it once."""

import asyncio
import gzip
import os
from collections import Counter

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import Stint, SystemClock
from exporter.fleet import AccountView, Fleet
from exporter.metrics import COLLECTORS, FAMILIES, Exposition, Own, Page, Selection
from exporter.metrics.catalogue import AccountFamily, TallyFamily
from tests.builders import cpu, interface, vm
from tests.clocks import LaboriousClock
from tests.exposition import Page as Lines
from tests.waiting import eventually

OF_ACCOUNTS = tuple(
    f"{family.name}{{"
    for family in FAMILIES
    if isinstance(family, (AccountFamily, TallyFamily)) and family.collector == "exporter"
)


class Shown:
    """A fleet with its page."""

    def __init__(self, *accounts: str) -> None:
        self.fleet = Fleet()
        self.own = Own(version="1.2.3")
        self.page = Page(fleet=self.fleet, own=self.own, clock=LaboriousClock())
        self.fleet.keep_accounts([AccountView(name=name, account_id=name, up=True, listed=True) for name in accounts])

    async def text(self, selection: Selection | None = None, *, openmetrics: bool = False) -> str:
        await self.page.refresh()
        return await self.last_text(selection, openmetrics=openmetrics)

    async def last_text(self, selection: Selection | None = None, *, openmetrics: bool = False) -> str:
        return b"".join((await self.page.exposition(selection or Selection(), openmetrics=openmetrics)).blocks).decode()


def samples(page: str, name: str) -> dict[str, float]:
    """A family's samples by vm_id."""
    return {
        sample.labels["vm_id"]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


async def test_a_family_has_one_header_however_many_accounts_and_runs() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.fleet.replace(
            account, [vm(account, vm_id=str(n), cpu=cpu(), interfaces=(interface(),)) for n in range(200)]
        )
    page = await shown.text()
    for family in FAMILIES:
        assert page.count(f"# HELP {family.name} ") <= 1, family.name
    headers = [line.split()[2] for line in page.split("\n") if line.startswith("# TYPE")]
    assert len(headers) == len(set(headers))


async def test_both_formats_have_the_same_sample_lines_of_vms() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n), cpu=cpu()) for n in range(3)])
    text, openmetrics = await shown.text(), await shown.text(openmetrics=True)
    lines = [[line for line in page.split("\n") if line.startswith("gigas_vm_")] for page in (text, openmetrics)]
    assert lines[0] == lines[1]
    assert openmetrics.endswith("# EOF\n")
    assert list(openmetrics_families(openmetrics))


async def test_a_changed_vm_is_rendered_anew_and_others_stay() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n)) for n in range(200)])
    await shown.text()
    shown.fleet.replace("production", [vm(vm_id="130", locked=True)])
    locked = samples(await shown.text(), "gigas_vm_locked")
    assert len(locked) == 200
    assert [vm_id for vm_id, value in locked.items() if value] == ["130"]


async def test_a_vm_that_is_gone_takes_all_its_series_along() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n), cpu=cpu(), interfaces=(interface(),)) for n in range(3)])
    await shown.text()
    shown.fleet.replace("production", (), ["1"])
    assert 'vm_id="1"' not in await shown.text()


async def test_a_renamed_vm_never_shows_two_names() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(label="old")])
    await shown.text()
    shown.fleet.replace("production", [vm(label="new")])
    page = await shown.text()
    assert 'vm="old"' not in page
    assert 'vm="new"' in page


async def test_accounts_and_collectors_are_chosen() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.fleet.replace(account, [vm(account, cpu=cpu(), interfaces=(interface(),))])
    page = await shown.text(Selection(accounts=frozenset({"test"}), collectors=frozenset({"cpu"})))
    assert {line.split("{")[0] for line in page.split("\n") if line and not line.startswith("#")} == {
        "gigas_vm_cpu_usage_ratio",
        "gigas_vm_cpu_usage_timestamp_seconds",
        "gigas_vm_cpu_busy_seconds_total",
    }
    assert "production" not in page
    own = await shown.text(Selection(collectors=frozenset({"exporter"})))
    assert "gigas_exporter_build_info" in own
    assert "gigas_vm_info" not in own


async def test_an_account_that_is_not_watched_any_more_leaves_the_page() -> None:
    shown = Shown("production", "test")
    shown.fleet.replace("test", [vm("test")])
    await shown.text()
    shown.fleet.keep_accounts([AccountView(name="production", account_id="production")])
    assert 'account="test"' not in await shown.text()


async def test_a_page_made_after_its_fleet_shows_all_of_it() -> None:
    fleet = Fleet()
    fleet.keep_accounts([AccountView(name="production", account_id="17893", up=True, listed=True)])
    fleet.replace("production", [vm(vm_id=str(n)) for n in range(70)])
    page = Page(fleet=fleet, own=Own(version="1.2.3"), clock=SystemClock())
    await page.refresh()
    text = b"".join((await page.exposition(Selection(), openmetrics=False)).blocks).decode()
    assert len(samples(text, "gigas_vm_info")) == 70


async def test_no_family_of_the_exporter_tells_of_an_account_that_was_not_asked_for() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.own.counter("gigas_exporter_api_requests_total").labels(account, "token", "200").inc()
    for openmetrics in (False, True):
        page = await shown.text(Selection(accounts=frozenset({"test"})), openmetrics=openmetrics)
        assert "production" not in page
        assert 'gigas_exporter_api_requests_total{account="test",code="200",endpoint="token"} 1.0' in page
        assert "gigas_exporter_build_info{" in page
        assert "process_cpu_seconds_total " in page
    assert 'account="production"' in await shown.text()


async def test_a_compressed_page_is_the_plain_one_whatever_has_changed_since_the_last() -> None:
    shown = Shown("production", "test")

    async def compressed(*, openmetrics: bool) -> list[str]:
        exposition = await shown.page.exposition(Selection(), openmetrics=openmetrics, compressed=True)
        blocks = await exposition.gzip_blocks(Stint(SystemClock()))
        return gzip.decompress(b"".join(blocks)).decode().splitlines()

    async def check() -> None:
        for openmetrics in (False, True, False):
            plain = (await shown.text(openmetrics=openmetrics)).splitlines()
            of_vms = [line for line in plain if "gigas_vm" in line]
            lines = await compressed(openmetrics=openmetrics)
            assert [line for line in lines if "gigas_vm" in line] == of_vms

    for account, vms, gone in (
        ("production", [vm("production", vm_id="1", cpu=cpu())], ()),
        ("test", [vm("test", vm_id="2", interfaces=(interface(),))], ()),
        ("production", [vm("production", vm_id="1", cpu=cpu(busy_s=7.0))], ()),
        ("production", [], ("1",)),
    ):
        shown.fleet.replace(account, vms, gone)
        await check()
    shown.fleet.keep_accounts([AccountView(name="test", account_id="test", up=True, listed=True)])
    await check()


async def test_no_series_tells_when_a_counter_was_made() -> None:
    shown = Shown("production")
    shown.own.counter("gigas_exporter_api_requests_total").labels("production", "token", "200").inc()
    shown.own.histogram("gigas_exporter_api_request_duration_seconds").labels("token").observe(1)
    for openmetrics in (False, True):
        assert "_created" not in await shown.text(openmetrics=openmetrics)


async def test_nothing_chosen_is_an_empty_page() -> None:
    shown = Shown("production")
    nothing = Selection(collectors=frozenset())
    assert await shown.text(nothing) == ""
    assert await shown.text(nothing, openmetrics=True) == "# EOF\n"


async def test_the_lines_of_a_family_are_neighbours_in_both_formats() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.own.counter("gigas_exporter_duplicates_total").labels(account, "cpu").inc()
        shown.fleet.replace(
            account, [vm(account, vm_id=str(n), cpu=cpu(), interfaces=(interface(),)) for n in range(70)]
        )
    for openmetrics in (False, True):
        page = await shown.text(openmetrics=openmetrics)
        names = [line.split("{")[0].split(" ")[0] for line in page.split("\n") if line and not line.startswith("#")]
        blocks = Counter(name for name, before in zip(names, [None, *names], strict=False) if name != before)
        # A histogram's lines of one label set stand together: bucket, count, sum.
        assert set(blocks.values()) == {1}


async def test_an_account_that_was_never_listed_has_no_counts() -> None:
    shown = Shown()
    shown.fleet.keep_accounts(
        [AccountView(name="new", account_id="1"), AccountView(name="refused", account_id="2", up=False)]
    )
    page = await shown.text()
    assert 'gigas_up{account="refused"} 0.0' in page
    assert 'gigas_up{account="new"}' not in page
    assert 'gigas_account_info{account="new",account_id="1"} 1.0' in page
    for family in ("gigas_vms", "gigas_exporter_vms", "gigas_exporter_unreadable_vms"):
        assert f"{family}{{" not in page


async def test_counts_and_vms_are_of_one_instant_though_vms_go_while_the_page_is_made() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n)) for n in range(200)])
    async with asyncio.TaskGroup() as group:
        refreshing = group.create_task(shown.page.refresh())
        await SystemClock().sleep(0)
        assert not refreshing.done()
        shown.fleet.replace("production", [vm(vm_id="199", locked=True)], [str(n) for n in range(100)])
    page = await shown.last_text()
    vms = samples(page, "gigas_vm_info")
    assert f'gigas_vms{{account="production",status="online"}} {float(len(vms))}' in page
    after = await shown.text()
    assert len(samples(after, "gigas_vm_info")) == 100
    assert samples(after, "gigas_vm_locked")["199"] == 1
    assert 'gigas_vms{account="production",status="online"} 100.0' in after


async def test_the_later_of_two_refreshes_at_a_time_is_what_is_shown() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n)) for n in range(200)])
    await shown.text()
    early, late = ("0", "70", "140", "199"), "1"
    shown.fleet.replace("production", [vm(vm_id=vm_id, locked=True) for vm_id in early])
    async with asyncio.TaskGroup() as group:
        refreshing = group.create_task(shown.page.refresh())
        await SystemClock().sleep(0)
        assert not refreshing.done()
        shown.fleet.replace("production", [vm(vm_id=late, locked=True)])
        await shown.page.refresh()
    locked = samples(await shown.last_text(), "gigas_vm_locked")
    assert {vm_id for vm_id, value in locked.items() if value} == {*early, late}


async def test_an_account_that_goes_while_the_page_is_made_disturbs_no_other() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.fleet.replace(account, [vm(account, vm_id=str(n)) for n in range(200)])
    async with asyncio.TaskGroup() as group:
        refreshing = group.create_task(shown.page.refresh())
        await SystemClock().sleep(0)
        assert not refreshing.done()
        shown.fleet.keep_accounts([AccountView(name="test", account_id="test", up=True, listed=True)])
    page = await shown.text()
    assert "production" not in page
    assert len(samples(page, "gigas_vm_info")) == 200


async def test_what_a_fault_of_ours_kept_from_the_page_is_made_good_later() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm(vm_id=str(n)) for n in range(200)])
    await shown.text()
    shown.fleet.replace("production", [vm(vm_id="0", cpus="not a number"), vm(vm_id="199", locked=True)])
    with pytest.raises(ValueError, match="not a number"):
        await shown.page.refresh()
    shown.fleet.replace("production", [vm(vm_id="0", cpus=2)])
    page = await shown.text()
    assert samples(page, "gigas_vm_locked")["199"] == 1
    assert samples(page, "gigas_vm_cpus")["0"] == 2


class Labouring(LaboriousClock):
    """Notes for how long was paused; a pause does not end."""

    def __init__(self, part_s: float) -> None:
        super().__init__(part_s)
        self.paused_s: list[float] = []

    async def sleep(self, delay_s: float) -> None:
        self.paused_s.append(delay_s)
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("part_s", "least_s", "most_s"), [(0.0, 0.5, 0.5), (1 / 2048, 0.6, 4.9), (1.0, 5.0, 5.0)])
async def test_the_pause_after_a_refresh_is_so_many_times_what_it_cost_within_limits(
    part_s: float, least_s: float, most_s: float
) -> None:
    clock, fleet = Labouring(part_s), Fleet()
    fleet.keep_accounts([AccountView(name="production", account_id="17893", up=True, listed=True)])
    page = Page(fleet=fleet, own=Own(version="1.2.3"), clock=clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(page.run())

        async def paused() -> bool:
            return bool(clock.paused_s)

        await eventually(paused)
        running.cancel()
    assert clock.paused_s == [pytest.approx(min(max(least_s, 75 * clock.worked_s), most_s))]
    assert least_s <= clock.paused_s[0] <= most_s


async def test_what_is_kept_ready_is_what_is_on_the_page() -> None:
    shown = Shown("production", "test")
    for account in ("production", "test"):
        shown.fleet.replace(account, [vm(account, vm_id=str(n), cpu=cpu()) for n in range(300)])
    await shown.text()
    without_own = Selection(collectors=frozenset(COLLECTORS) - {"exporter"})
    lines = [line for line in (await shown.text(without_own)).splitlines(keepends=True) if not line.startswith("#")]
    account_lines = [line for line in (await shown.text()).splitlines(keepends=True) if line.startswith(OF_ACCOUNTS)]
    plain, deflated = shown.page.size_bytes
    assert plain == sum(map(len, lines)) + sum(map(len, account_lines))
    assert 0 < deflated < plain / 5


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_a_large_plain_page_is_a_file_until_something_changes(*, openmetrics: bool) -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm("production", vm_id=str(n), cpu=cpu()) for n in range(4_000)])
    await shown.page.refresh()
    before = shown.page.size_bytes[0]

    async def asked() -> tuple[Exposition, bytes]:
        exposition = await shown.page.exposition(Selection(), openmetrics=openmetrics)
        assert exposition.file is not None
        file = await exposition.file.opened()
        return exposition, os.pread(file.fileno(), exposition.file.size_bytes, 0)

    exposition, held = await asked()
    assert held + b"".join(exposition.rendered) == b"".join(exposition.blocks)
    assert shown.page.size_bytes[0] == before + len(held)
    assert (await asked())[0].file is exposition.file
    shown.fleet.replace("production", [vm("production", vm_id="7", label="renamed", cpu=cpu())])
    await shown.page.refresh()
    assert shown.page.size_bytes[0] < before + len(held)
    assert b"renamed" not in held
    assert b"renamed" in (await asked())[1]


async def test_only_a_whole_plain_page_that_is_large_is_a_file() -> None:
    shown = Shown("production")
    shown.fleet.replace("production", [vm("production", vm_id=str(n), cpu=cpu()) for n in range(4_000)])
    await shown.page.refresh()
    a_part = Selection(collectors=frozenset({"inventory"}))
    assert (await shown.page.exposition(a_part, openmetrics=False)).file is None
    assert (await shown.page.exposition(Selection(), openmetrics=False, compressed=True)).file is None
    few = Shown("production")
    assert (await few.page.exposition(Selection(), openmetrics=False)).file is None


async def test_accounts_stand_in_the_order_of_the_configuration() -> None:
    shown = Shown("b", "a")
    await shown.text()
    shown.fleet.keep_accounts([AccountView(name=name, account_id=name) for name in ("c", "a", "b")])
    page = await shown.text()
    infos = [line.split('"')[1] for line in page.split("\n") if line.startswith("gigas_account_info")]
    assert infos == ["c", "a", "b"]


@pytest.mark.parametrize(("up", "outcome"), [(True, "ok"), (False, "failing"), (None, "failing")])
async def test_the_outcomes_of_a_listing_sum_to_the_fleet_whether_it_succeeds_or_fails(
    up: bool | None, outcome: str
) -> None:
    shown = Shown()
    shown.fleet.keep_accounts([AccountView(name="production", account_id="17893", up=up, listed=True)])
    shown.fleet.replace("production", [vm(vm_id=str(n)) for n in range(3)])
    page = Lines.of(await shown.text())
    listed = {
        labels["outcome"]: value
        for labels, value in page.each("gigas_exporter_vms", account="production", collector="inventory")
    }
    assert listed == dict.fromkeys(listed, 0.0) | {outcome: 3.0}
    assert sum(listed.values()) == 3
