"""The whole page of a small fleet with every kind of VM. `make golden` writes it anew: look at the difference."""

import asyncio
import subprocess
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from exporter.clock import SystemClock
from exporter.fleet import AccountView, Fleet, Outcome, SpellView, Vm
from exporter.metrics import COLLECTORS, Own, Page, Selection
from tests.builders import cpu, interface, vm
from tests.tools import tool

HERE = Path(__file__).parent
TEXT, OPENMETRICS = HERE / "page.txt", HERE / "page.openmetrics.txt"
MACHINE = ("process_", "python_")
"""Families of prometheus_client about the machine and the process that it runs on: they differ everywhere."""

PRODUCTION = AccountView(
    name="production",
    account_id="17893",
    labels={"team": "web", "note": 'a "quoted" word'},
    up=True,
    listed=True,
    credential_expires_at=1_811_808_000.0,
    broken=1,
)
FAILING = AccountView(name="failing", account_id="17894", up=False, listed=True)
NEVER_LISTED = AccountView(name="refused", account_id="17895", up=False)
NOT_LISTED_YET = AccountView(name="new", account_id="17896")

LISTED: dict[str, Any] = {
    "type": "standard",
    "cpu_type": "intel",
    "operating_system": "linux",
    "operating_system_distro": "debian",
    "hypervisor_id": "12",
    "location_id": "1",
    "template_id": "1789310154",
    "boot_type": "default",
    "cpus": 4,
    "cpu_shares": 2,
    "memory_bytes": 4 * 2**30,
    "created_at": 1_527_582_049.0,
    "updated_at": 1_700_000_000.0,
}
PRIVATE = interface(interface_id="46", network_id="709", public=False, receive_bytes=0.125, transmit_bytes=3e15)
SEEN_AT = 1_700_000_123.456


def without_statistics(snapshot: Vm, outcome: Outcome) -> Vm:
    return replace(snapshot, cpu_outcome=outcome, traffic_outcome=outcome)


def every_kind() -> list[Vm]:
    stale_cpu, stale_interface = cpu(ratio=None), interface(receive_bytes_per_s=None, transmit_bytes_per_s=None)
    stale = vm(vm_id="2", label="stale", cpu=stale_cpu, interfaces=(stale_interface,), **LISTED)
    failing = vm(vm_id="3", label="failing", cpu=cpu(ratio=1.0), interfaces=(interface(),), **LISTED)
    zero = interface(receive_bytes=0.0, transmit_bytes=0.0, receive_bytes_per_s=None, transmit_bytes_per_s=None)
    return [
        vm(vm_id="1", label="web-1", cpu=cpu(), interfaces=(interface(), PRIVATE), **LISTED),
        without_statistics(stale, Outcome.STALE),
        without_statistics(failing, Outcome.FAILING),
        vm(vm_id="4", label="locked", locked=True, lock=SpellView(SEEN_AT, 3, 1_234.5), cpu=cpu(ratio=0.0), **LISTED),
        vm(vm_id="5", label="suspended", suspended=True, suspension=SpellView(SEEN_AT, 1, 60.0), **LISTED),
        without_statistics(vm(vm_id="6", label="offline", status="offline", **LISTED), Outcome.IDLE),
        without_statistics(vm(vm_id="7", label="unbuilt", status="unbuilt", locked=True), Outcome.IDLE),
        vm(vm_id="8", label="in-error", error=True, cdrom_attached=True, **LISTED),
        vm(vm_id="9", label="rescued", status="recovery", **LISTED),
        vm(vm_id="10", label="moving", status="migrating", **LISTED),
        vm(vm_id="11", label="renamed", renames=2, **LISTED),
        vm(vm_id="12", label="young", cpu=cpu(busy_s=0.0, ratio=None), interfaces=(zero,), **LISTED),
        vm(vm_id="13", label="", hostname="without-a-label", **LISTED),
        without_statistics(vm(vm_id="14", label="of which nothing is known", hostname=""), Outcome.WAITING),
        vm(vm_id="15", label=' "quoted" back\\slash\ntwo lines ☕🚀 ', hostname="<b>&amp;</b>", **LISTED),
    ]


def own_families() -> Own:
    """Each with a sample, for one account."""
    own = Own(version="1.2.3")
    # In every place the same, whichever Python runs the test.
    own.gauge("gigas_exporter_build_info").clear()
    own.gauge("gigas_exporter_build_info").labels("1.2.3", "3.11.7").set(1)
    own.gauge("gigas_exporter_active").set(1)
    own.gauge("gigas_exporter_config_last_reload_successful").set(1)
    own.gauge("gigas_exporter_config_last_reload_success_timestamp_seconds").set(1_700_000_000)
    own.counter("gigas_exporter_api_requests_total").labels("production", "virtual_machines", "200").inc(7)
    own.counter("gigas_exporter_api_requests_total").labels("failing", "virtual_machines", "timeout").inc()
    own.histogram("gigas_exporter_api_request_duration_seconds").labels("virtual_machines").observe(0.3)
    own.counter("gigas_exporter_api_throttled_seconds_total").labels("production").inc(1.5)
    own.counter("gigas_exporter_internal_errors_total").labels("page").inc()
    own.counter("gigas_exporter_lost_seconds_total").labels("production", "cpu").inc(300)
    own.counter("gigas_exporter_refused_values_total").labels("production", "traffic").inc()
    for collector in COLLECTORS[:-1]:
        own.counter("gigas_exporter_duplicates_total").labels("production", collector)
        own.gauge("gigas_exporter_collector_success").labels("production", collector).set(1)
        own.gauge("gigas_exporter_collector_duration_seconds").labels("production", collector).set(0.25)
        last_success = own.gauge("gigas_exporter_collector_last_success_timestamp_seconds")
        last_success.labels("production", collector).set(1_700_000_000.5)
    return own


async def page_of_every_kind(*, openmetrics: bool) -> str:
    fleet = Fleet()
    fleet.keep_accounts([PRODUCTION, FAILING, NEVER_LISTED, NOT_LISTED_YET])
    fleet.replace("production", every_kind())
    fleet.replace("failing", [vm("failing", vm_id="1", label="last known", **LISTED)])
    page = Page(fleet=fleet, own=own_families(), clock=SystemClock())
    await page.refresh()
    whole = b"".join((await page.exposition(Selection(), openmetrics=openmetrics)).blocks).decode()
    return "".join(line for line in whole.splitlines(keepends=True) if not is_of_the_machine(line))


def is_of_the_machine(line: str) -> bool:
    return line.removeprefix("# HELP ").removeprefix("# TYPE ").removeprefix("# UNIT ").startswith(MACHINE)


@pytest.mark.parametrize("file", [TEXT, OPENMETRICS], ids=lambda file: file.name)
def test_the_page_is_the_golden_one(file: Path, request: pytest.FixtureRequest) -> None:
    page = asyncio.run(page_of_every_kind(openmetrics=file is OPENMETRICS))
    if request.config.getoption("--write-golden"):
        file.write_text(page)
    difference = unified_diff(file.read_text().split("\n"), page.split("\n"), "golden", "now", lineterm="")
    assert not "\n".join(difference), "make golden writes it anew"


def test_promtool_finds_nothing_to_say_of_the_golden_page() -> None:
    promtool = tool("promtool", "prometheus")
    checked = subprocess.run([promtool, "check", "metrics"], input=TEXT.read_bytes(), capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
