"""The page is ready before it is asked for, and each family stands on it once."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import SystemClock
from exporter.fleet import AccountView, Fleet
from exporter.metrics import FAMILIES, Own, Page, Selection
from tests.builders import cpu, interface, vm


class Shown:
    """A fleet with its page."""

    def __init__(self, *accounts: str) -> None:
        self.fleet = Fleet()
        self.page = Page(fleet=self.fleet, own=Own(version="1.2.3"), clock=SystemClock())
        self.fleet.keep_accounts([AccountView(name=name, account_id=name, up=True, listed=True) for name in accounts])

    async def text(self, selection: Selection | None = None, *, openmetrics: bool = False) -> str:
        await self.page.refresh()
        return b"".join(self.page.exposition(selection or Selection(), openmetrics=openmetrics).blocks).decode()


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
