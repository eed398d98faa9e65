"""What is exported is what was: every metric of VMs against the simulation's truth, value by value."""

import math

import pytest

from tests.exposition import Page
from tests.recorded import BUSY, STAMPS, Scrapes, Series, Truth
from tests.running import Provider, Watched, daemon, provider
from tests.waiting import eventually

FLAGS = {
    "gigas_vm_error": "error",
    "gigas_vm_cdrom_attached": "cdrom",
    "gigas_vm_locked": "locked",
    "gigas_vm_suspended": "suspended",
}
NUMBERS = {
    "gigas_vm_cpus": ("cpus", 1),
    "gigas_vm_cpu_shares": ("cpu_shares", 1),
    "gigas_vm_memory_bytes": ("memory", 2**20),
    "gigas_vm_created_timestamp_seconds": ("created_at", 1),
    "gigas_vm_updated_timestamp_seconds": ("updated_at", 1),
}
INFO = (
    "hostname",
    "type",
    "cpu_type",
    "operating_system",
    "operating_system_distro",
    "hypervisor_id",
    "location_id",
    "template_id",
    "boot_type",
)


def statistics_on(page: Page) -> bool:
    """Whether a page has something of each VM that has statistics."""
    waiting = [page.value("gigas_exporter_vms", collector=name, outcome="waiting") for name in ("cpu", "traffic")]
    return waiting == [0, 0]


async def has_statistics(watched: Watched) -> Page | None:
    page = await watched.page()
    return page if statistics_on(page) else None


async def test_the_list_is_exported_as_it_is() -> None:
    async with provider(step_s=2.0) as simulated, daemon(simulated.url) as watched:
        page = await eventually(lambda: has_statistics(watched))
        vms = await simulated.vms()
        assert len(vms) == 14
        for vm_id, vm in vms.items():
            name = vm["label"] or vm["hostname"]
            where = {"account": "production", "vm_id": vm_id, "vm": name}
            for family, field in FLAGS.items():
                assert page.value(family, **where) == vm[field], (family, vm)
            for family, (field, unit) in NUMBERS.items():
                assert page.value(family, **where) == vm[field] * unit, (family, vm)
            info = {field: str(vm[field] if vm[field] is not None else "") for field in INFO}
            assert page.value("gigas_vm_info", **where, **info) == 1
            statuses = {labels["status"]: value for labels, value in page.each("gigas_vm_status", **where)}
            assert statuses == {each: each == vm["status"] for each in ("offline", "online", "recovery", "unbuilt")}
            assert page.value("gigas_vm_locks_total", **where) == 0
            assert page.value("gigas_vm_renames_total", **where) == 0
            since = page.value("gigas_vm_locked_since_timestamp_seconds", **where)
            assert (since is not None) == bool(vm["locked"])
            suspended = page.value("gigas_vm_suspended_since_timestamp_seconds", **where)
            assert (suspended is not None) == bool(vm["suspended"])
        counts = {labels["status"]: count for labels, count in page.each("gigas_vms", account="production")}
        assert counts == {
            status: sum(vm["status"] == status for vm in vms.values())
            for status in ("offline", "online", "recovery", "unbuilt")
        }
        for collector in ("inventory", "cpu", "traffic"):
            assert sum(count for _, count in page.each("gigas_exporter_vms", collector=collector)) == len(vms)
        assert page.value("gigas_up", account="production") == 1
        assert page.value("gigas_account_info", account="production", account_id="17893") == 1


def many_grew(scrapes: Scrapes) -> bool:
    """Whether of each family some series have moved on."""
    return all(sum(grown > 0 for grown in scrapes.growth(family).values()) > 5 for family in STAMPS)


async def quiet(simulated: Provider) -> None:
    """Turn every VM off: what was published late or corrected will be so soon, and nothing new comes."""
    for vm_id, vm in (await simulated.vms()).items():
        if vm["status"] != "unbuilt":
            await simulated.steer(vm_id, status="offline")


@pytest.mark.parametrize("step_s", [1.0, 2.0])
async def test_counters_are_the_sums_of_the_buckets_until_their_timestamps(step_s: float) -> None:
    async with provider(step_s=step_s) as simulated, daemon(simulated.url) as watched:
        scrapes = Scrapes(step_s)

        async def seen() -> bool:
            page = await watched.page()
            scrapes.record(page)
            return statistics_on(page)

        await eventually(seen)
        start = min(first.until_at for first in scrapes.first(*STAMPS).values())

        async def moved_on() -> bool:
            scrapes.record(await watched.page())
            firsts = scrapes.first(BUSY)
            return all(
                newest.until_at >= firsts[series].until_at + 5 * step_s
                for series, newest in scrapes.newest(BUSY).items()
            )

        await eventually(moved_on, within_s=60)
        await quiet(simulated)

        async def true_at_last() -> bool:
            vms, page = await simulated.vms(since=str(start - 60)), await watched.page()
            scrapes.record(page)
            truth = Truth(vms, step_s)
            assert scrapes.untrue(truth) == {}
            ((where, value),) = page.each(BUSY, vm="young-8")
            young = Series(BUSY, where["vm_id"])
            until_at = page.one(STAMPS[BUSY], vm_id=young.vm_id)
            assert math.isclose(value, truth.between(young, -math.inf, until_at), rel_tol=1e-9), "since its birth"
            return many_grew(scrapes)

        await eventually(true_at_last, within_s=40, every_s=0.5)
        assert scrapes.wrong == []


async def test_ratios_and_rates_are_those_of_the_bucket_that_the_timestamp_names() -> None:
    async with provider(step_s=2.0, corrections=False) as simulated, daemon(simulated.url) as watched:
        page = await eventually(lambda: has_statistics(watched))
        vms = await simulated.vms()
        ratios = list(page.each("gigas_vm_cpu_usage_ratio"))
        assert len(ratios) > 5
        for labels, ratio in ratios:
            until_at = page.value(STAMPS[BUSY], vm_id=labels["vm_id"])
            assert ratio == pytest.approx(vms[labels["vm_id"]]["cpu"][f"{until_at:.12g}"], rel=1e-9)
        for family, way in (
            ("gigas_vm_network_receive_bytes_per_second", 0),
            ("gigas_vm_network_transmit_bytes_per_second", 1),
        ):
            rates = list(page.each(family))
            assert len(rates) > 5
            for labels, rate in rates:
                where = {"vm_id": labels["vm_id"], "interface_id": labels["interface_id"]}
                until_at = page.value("gigas_vm_network_timestamp_seconds", **where)
                truth = vms[labels["vm_id"]]["interfaces"][labels["interface_id"]]["traffic"]
                assert rate == pytest.approx(truth[f"{until_at:.12g}"][way] / 2.0, rel=1e-9)


async def test_vms_that_are_off_show_no_ratio_and_no_rate() -> None:
    async with provider() as simulated, daemon(simulated.url) as watched:
        page = await eventually(lambda: has_statistics(watched))
        off = {vm_id for vm_id, vm in (await simulated.vms()).items() if vm["status"] in {"offline", "unbuilt"}}
        assert len(off) == 2
        for family in ("gigas_vm_cpu_usage_ratio", "gigas_vm_network_receive_bytes_per_second"):
            assert off.isdisjoint(labels["vm_id"] for labels, _ in page.each(family))
        assert page.value("gigas_exporter_vms", collector="cpu", outcome="idle") == 2


async def test_a_young_vm_counts_everything_after_its_zero_was_seen() -> None:
    async with provider(step_s=2.0, corrections=False) as simulated, daemon(simulated.url) as watched:
        page = await eventually(lambda: has_statistics(watched))
        (young,) = (vm_id for vm_id, vm in (await simulated.vms()).items() if vm["label"] == "young-8")
        assert page.value(BUSY, vm_id=young) == 0
        until = await eventually(lambda: grown(watched, young), within_s=30)
        vms = await simulated.vms(since=str(until[1] - 60))
        true = math.fsum(2.0 * ratio for end, ratio in vms[young]["cpu"].items() if float(end) <= until[1])
        assert until[0] == pytest.approx(true, rel=1e-9)


async def grown(watched: Watched, vm_id: str) -> tuple[float, float] | None:
    page = await watched.page()
    value, until_at = page.value(BUSY, vm_id=vm_id), page.value(STAMPS[BUSY], vm_id=vm_id)
    return (value, until_at) if value and until_at else None


async def test_a_lock_lasts_from_when_it_was_seen_until_it_is_seen_no_more() -> None:
    """By listings 300 ms apart."""
    async with provider() as simulated, daemon(simulated.url) as watched:
        await eventually(lambda: has_statistics(watched))
        first, *_ = await simulated.vms()
        from_s = (await simulated.truth())["now"]
        await simulated.steer(first, locked=True, suspended=True)
        page = await eventually(lambda: shows(watched, "gigas_vm_locked", 1, vm_id=first))
        seen_s = (await simulated.truth())["now"]
        for since in ("gigas_vm_locked_since_timestamp_seconds", "gigas_vm_suspended_since_timestamp_seconds"):
            assert from_s - 0.01 <= page.one(since, vm_id=first) <= seen_s
        assert page.one("gigas_vm_locks_total", vm_id=first) == 1
        await eventually(lambda: lasted(watched, first, 1.0))
        await simulated.steer(first, locked=False, suspended=False)
        until_s = (await simulated.truth())["now"]
        page = await eventually(lambda: shows(watched, "gigas_vm_locked", 0, vm_id=first))
        lasted_s = page.one("gigas_vm_locked_seconds_total", vm_id=first)
        assert until_s - from_s - 1.0 <= lasted_s <= until_s - from_s
        for since in ("gigas_vm_locked_since_timestamp_seconds", "gigas_vm_suspended_since_timestamp_seconds"):
            assert page.value(since, vm_id=first) is None


async def shows(watched: Watched, family: str, value: float, **where: str) -> Page | None:
    page = await watched.page()
    return page if page.value(family, **where) == value else None


async def lasted(watched: Watched, vm_id: str, least_s: float) -> bool:
    return (await watched.page()).one("gigas_vm_locked_seconds_total", vm_id=vm_id) >= least_s


async def test_a_rename_and_a_vm_that_goes_are_seen() -> None:
    async with provider() as simulated, daemon(simulated.url) as watched:
        await eventually(lambda: has_statistics(watched))
        first, second, *_ = await simulated.vms()
        await simulated.steer(first, label="renamed")
        await simulated.remove(second)
        await eventually(lambda: shows(watched, "gigas_vm_renames_total", 1, vm_id=first, vm="renamed"))

        async def gone() -> bool:
            page = await watched.page()
            assert {labels["vm"] for labels, _ in page.each("gigas_vm_info", vm_id=first)} == {"renamed"}
            return not any(vm_id == second for vm_id in page.vm_ids())

        await eventually(gone)


async def test_the_requests_that_are_counted_are_those_that_the_provider_was_asked() -> None:
    async with provider() as simulated, daemon(simulated.url) as watched:
        await eventually(lambda: has_statistics(watched))
        least = (await simulated.requests())["endpoints"]
        page = await watched.page()
        most = (await simulated.requests())["endpoints"]
        counted = {endpoint: page.one("gigas_exporter_api_requests_total", endpoint=endpoint) for endpoint in least}
        assert set(counted) == {"virtual_machines", "cpu_stats", "bw_stats"}
        for endpoint, count in counted.items():
            # The provider has counted a request before we have its answer, for as many as are under way.
            assert least[endpoint] - 32 <= count <= most[endpoint]
        answered = page.one("gigas_exporter_api_request_duration_seconds_count", endpoint="virtual_machines")
        assert answered == counted["virtual_machines"]


async def test_a_session_ends_when_the_provider_says() -> None:
    credentials = {"USERNAME": "demo", "PASSWORD": "demo-password", "ID": "17893", "NAME": "production"}
    accounts = {f"ACCOUNTS__0__{name}": value for name, value in credentials.items()}
    async with provider(token_lifetime_s=1000.0) as simulated, daemon(simulated.url, **accounts) as watched:
        page = await eventually(lambda: has_statistics(watched))
        ends_at = page.one("gigas_account_credential_expiry_timestamp_seconds", account="production")
        assert 900 < ends_at - (await simulated.truth())["now"] <= 1000


async def test_secrets_that_the_provider_gives_away_reach_no_page() -> None:
    async with provider() as simulated, daemon(simulated.url) as watched:
        await eventually(lambda: has_statistics(watched))
        pages = await watched.text() + await watched.text("/")
        for vm in (await simulated.vms()).values():
            assert vm["initial_password"] not in pages
        assert "demo-key" not in pages
