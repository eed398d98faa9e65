"""`check` against simulated providers of either unit, over real sockets: what it says, and whether it is right."""

from typing import Any

import pytest

from exporter.app import Finding, findings
from exporter.clock import SystemClock
from tests.processes import finished
from tests.running import provider, settings_for
from tests.unit.simulator.served import Api, api

BYTES, PER_SECOND = "bytes", "bytes_per_second"
STEPS = [300.0, 2.0]
"""The provider's, and a test's: nothing knows how wide a bucket is."""
ACCOUNT = {"ACCOUNTS__0__ID": "17893", "ACCOUNTS__0__NAME": "production", "ACCOUNTS__0__API_KEY": "demo-key"}


async def found(simulated: Api, **variables: Any) -> list[Finding]:
    settings = settings_for(simulated.url, port=9877, **variables)
    return [finding async for finding in findings(settings, clock=SystemClock())]


def about(setting: str, told: list[Finding]) -> Finding:
    """The one finding that names it."""
    (finding,) = [finding for finding in told if setting in finding.text]
    return finding


async def of_traffic(simulated: Api, *, configured: str = BYTES) -> Finding:
    return about("collect.traffic.unit", await found(simulated, COLLECT__TRAFFIC__UNIT=configured))


async def of_cpu(simulated: Api, *, configured: str = "vm") -> Finding:
    return about("collect.cpu.percent_of", await found(simulated, COLLECT__CPU__PERCENT_OF=configured))


async def steer(simulated: Api, kind: str, **changes: object) -> None:
    """Change a VM, and let a window pass that shows it."""
    vm_id = await simulated.vm_id(kind)
    assert await simulated.status("PATCH", f"/simulator/vms/{vm_id}", json=changes) == 204
    simulated.clock.now_s += 13 * 10.0


@pytest.mark.parametrize("step_s", STEPS)
@pytest.mark.parametrize(("shown", "other"), [(BYTES, PER_SECOND), (PER_SECOND, BYTES)])
async def test_the_unit_of_traffic_is_found_and_a_wrong_setting_is_named(shown: Any, other: str, step_s: float) -> None:
    async with api(step_s=step_s, traffic_unit=shown) as simulated:
        right = await of_traffic(simulated, configured=shown)
        assert not right.wrong
        assert f"collect.traffic.unit: {shown} is right" in right.text
        assert f"{6 * step_s:g} s (-1day)" in right.text
        assert f"{step_s:g} s (-1H)" in right.text
        wrong = await of_traffic(simulated, configured=other)
        assert wrong.wrong
        assert wrong.text.startswith(f"account production: collect.traffic.unit is {other}, but the values say {shown}")
        assert wrong.text.endswith(f"set collect.traffic.unit: {shown}")


@pytest.mark.parametrize("shown", [BYTES, PER_SECOND])
async def test_it_is_found_at_any_moment_whatever_is_late_partial_or_not_filled_yet(shown: Any) -> None:
    async with api(traffic_unit=shown) as simulated:
        for _ in range(24):
            finding = await of_traffic(simulated, configured=shown)
            assert "is right" in finding.text, simulated.clock.now_s
            simulated.clock.now_s += 5.0  # half a step; a coarse bucket has six


async def test_longer_periods_tell_where_the_last_hour_was_idle() -> None:
    async with api(vms=1, traffic_unit=PER_SECOND) as simulated:
        await steer(simulated, "web", traffic_bytes_per_second=[0, 0])
        finding = await of_traffic(simulated)
        assert finding.wrong
        assert "of 240 s (-1M)" in finding.text
        assert "of 60 s (-1day)" in finding.text


async def test_without_traffic_it_cannot_be_told_and_nothing_is_wrong() -> None:
    async with api(vms=1, history_steps=2) as simulated:
        await steer(simulated, "web", traffic_bytes_per_second=[0, 0])
        finding = await of_traffic(simulated, configured=PER_SECOND)
        assert not finding.wrong
        assert "cannot tell whether collect.traffic.unit: bytes_per_second is right" in finding.text


@pytest.mark.parametrize("status", [400, 404])
async def test_a_provider_without_longer_periods_is_no_failure(status: int) -> None:
    # Of the only VM the second request for traffic is the one for a longer period.
    async with api(vms=1, faults=f"[{{kind: status, status: {status}, endpoint: bw_stats, every: 2}}]") as simulated:
        told = await found(simulated)
        assert not any(finding.wrong for finding in told)
        assert about("collect.traffic.unit", told).text.endswith(f"is right: -1day: HTTP {status}")


@pytest.mark.parametrize("resource", ["bw_stats", "cpu_stats"])
async def test_what_is_wrong_with_one_vm_is_said_and_the_others_tell(resource: str) -> None:
    async with api() as simulated:
        await steer(simulated, "web", cpus=16)
        vm_id = await simulated.vm_id("web")
        fault = {"kind": "status", "status": 404, "endpoint": resource, "vm": vm_id}
        assert await simulated.status("PUT", "/simulator/faults", json=[fault]) == 204
        told = await found(simulated)
        assert not any(finding.wrong for finding in told)
        assert f"account production: VM 'web-1': {resource}: HTTP 404" in [finding.text for finding in told]
        assert "is right" in about("collect.traffic.unit", told).text


@pytest.mark.parametrize("resource", ["bw_stats", "cpu_stats"])
async def test_statistics_that_no_vm_has_are_a_failure(resource: str) -> None:
    async with api(faults=f"[{{kind: status, status: 404, endpoint: {resource}}}]") as simulated:
        told = await found(simulated)
        assert told[-1] == Finding(f"account production: {resource}: HTTP 404", wrong=True)


async def test_an_account_without_running_vms_is_no_failure() -> None:
    async with api() as simulated:
        told = await found(simulated, ACCOUNTS__0__FILTERS='{"status": ["offline"]}', **ACCOUNT)
        assert told[-1] == Finding("account production: no VM is online, so no statistics were read")


async def test_a_refused_credential_is_a_failure_and_the_next_account_is_checked() -> None:
    second = {"ACCOUNTS__1__ID": "17894", "ACCOUNTS__1__NAME": "test", "ACCOUNTS__1__API_KEY": "demo-key"}
    async with api(accounts=("17893", "17894")) as simulated:
        told = await found(simulated, **(ACCOUNT | {"ACCOUNTS__0__API_KEY": "wrong"}), **second)
        assert [finding.text.split(":")[0] for finding in told if finding.wrong] == ["account production"]
        assert "is right" in about("collect.traffic.unit", told).text


async def test_a_large_account_costs_a_dozen_requests() -> None:
    async with api(vms=150) as simulated:
        assert "is right" in (await of_traffic(simulated)).text
        asked = (await simulated.get("/simulator/requests"))["endpoints"]
        assert asked == {"virtual_machines": 1, "bw_stats": 5 + 3, "cpu_stats": 3}


async def test_the_busiest_of_the_largest_vms_are_compared() -> None:
    async with api() as simulated:
        await steer(simulated, "idle", cpus=16, traffic_bytes_per_second=[1e9, 1e9])
        told = await found(simulated)
        assert "VM 'idle-11'" in told[1].text


async def test_vms_of_several_cores_are_looked_at_however_busy_those_of_one_are() -> None:
    async with api(vms=5, cpu_percent_of="core") as simulated:
        for kind in ("web", "stuck", "suspended"):
            await steer(simulated, kind, cpus=1, traffic_bytes_per_second=[1e9, 1e9])
        await steer(simulated, "database", cpus=4, cpu=0.9)
        assert "360.0 % on VM 'database-5' of 4 cores" in (await of_cpu(simulated)).text


@pytest.mark.parametrize("configured", ["vm", "core"])
async def test_more_than_all_cores_can_do_is_of_neither(configured: str) -> None:
    async with api(vms=1) as simulated:
        await steer(simulated, "web", cpus=2, cpu=5.0)
        finding = await of_cpu(simulated, configured=configured)
        assert not finding.wrong
        assert finding.text.endswith("500.0 % on VM 'web-1' of 2 cores is more than either allows")


@pytest.mark.parametrize(("configured", "wrong"), [("vm", True), ("core", False)])
async def test_more_than_a_whole_vm_is_percent_of_a_core(configured: str, *, wrong: bool) -> None:
    async with api(cpu_percent_of="core") as simulated:
        await steer(simulated, "web", cpus=16, cpu=0.9)
        finding = await of_cpu(simulated, configured=configured)
        assert finding.wrong is wrong
        assert "1440.0 % on VM 'web-1' of 16 cores" in finding.text
        assert finding.text.endswith("set collect.cpu.percent_of: core") is wrong


@pytest.mark.parametrize("configured", ["vm", "core"])
async def test_a_saturated_vm_of_several_cores_supports_the_whole_vm_and_proves_nothing(configured: str) -> None:
    async with api() as simulated:
        await steer(simulated, "web", cpus=16, cpu=1.0)
        finding = await of_cpu(simulated, configured=configured)
        assert not finding.wrong
        assert f"cannot tell whether collect.cpu.percent_of: {configured} is right" in finding.text
        assert "supports vm" in finding.text


@pytest.mark.parametrize("shown", ["vm", "core"])
async def test_usage_below_a_whole_vm_tells_nothing(shown: Any) -> None:
    async with api(vms=1, cpu_percent_of=shown) as simulated:
        await steer(simulated, "web", cpus=2, cpu=0.25)
        finding = await of_cpu(simulated)
        assert not finding.wrong
        assert finding.text.endswith("on VM 'web-1' of 2 cores, may be of either")


async def test_one_core_tells_nothing() -> None:
    async with api(vms=1, cpu_percent_of="core") as simulated:
        await steer(simulated, "web", cpus=1, cpu=0.9)
        finding = await of_cpu(simulated)
        assert not finding.wrong
        assert "no VM of several cores" in finding.text


@pytest.mark.e2e
async def test_the_command_fails_with_a_line_for_each_setting_that_is_contradicted() -> None:
    variables = {f"GIGAS_EXPORTER_{name}": value for name, value in ACCOUNT.items()}
    async with provider(step_s=300.0, traffic_unit=PER_SECOND) as simulated:
        variables["GIGAS_EXPORTER_API__URL"] = simulated.url
        code, output, errors = await finished("check", **variables)
        assert (code, len(errors.splitlines())) == (1, 1)
        assert errors.startswith("gigas-exporter: account production: collect.traffic.unit is bytes, but ")
        assert errors.endswith("; set collect.traffic.unit: bytes_per_second\n")
        assert "collect.traffic.unit" not in output
        code, output, errors = await finished("check", "--collect.traffic.unit", PER_SECOND, **variables)
        assert (code, errors) == (0, "")
        assert "collect.traffic.unit: bytes_per_second is right" in output
