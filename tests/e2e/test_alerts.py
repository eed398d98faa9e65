"""From the provider's API to a webhook: our rules in a real Prometheus, with a real Alertmanager behind it."""

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.processes import Process, answers, exporter, free_port, process
from tests.running import Provider, provider
from tests.tools import tool
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/gigas-exporter.rules.yml"
ALERTMANAGER = DEPLOY / "alertmanager/alertmanager.yml"
FASTER = 300
"""An hour of the rules passes in 12 s, and buckets of five minutes in one: all that is said of time is divided."""
LOCKED_TOO_LONG = "vector(4 * 3600)"
MONTHS_BUDGET = "vector(10e12)"
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
NOT_IN_THIS_FLEET = {
    "account:gigas_vm_lock_duration_seconds:p95_30d": "20 locks must have ended",
    "account:gigas_exporter_api_refused:ratio15m": "nothing has failed",
}
"""Recorded series that a fleet like this one does not have, and why."""


def faster(rules: str) -> str:
    """The rules, with every span of time divided, and so what may be sent in a month; a lock is stuck after 20
    (divided) minutes.
    """
    assert LOCKED_TOO_LONG in rules
    assert MONTHS_BUDGET in rules
    rules = rules.replace(LOCKED_TOO_LONG, "vector(20 * 60)").replace(MONTHS_BUDGET, f"{MONTHS_BUDGET} / {FASTER}")
    rules = re.sub(r"(\d+) \* (3600|60)\b", rf"(\1 * \2 / {FASTER})", rules)

    def shorter(found: re.Match[str]) -> str:
        return f"{max(100, 1000 * int(found[1]) * SECONDS[found[2]] // FASTER)}ms"

    document = yaml.safe_load(rules)
    for group in document["groups"]:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"(?<![\w.:])(\d+)([smhd])\b", shorter, rule["expr"])
            if "for" in rule:
                rule["for"] = re.sub(r"(\d+)([smhd])", shorter, rule["for"])
    return str(yaml.safe_dump(document))


class Inbox:
    """What has arrived at the webhook, by alert and VM."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[str, str | None], Mapping[str, Any]] = {}

    async def receive(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            self.alerts[alert["labels"]["alertname"], alert["labels"].get("vm_id")] = alert
        return web.Response()

    async def holds(self, name: str, vm_id: str | None, status: str) -> Mapping[str, Any]:
        async def arrived() -> Mapping[str, Any] | None:
            alert = self.alerts.get((name, vm_id))
            return alert if alert is not None and alert["status"] == status else None

        try:
            return await eventually(arrived, within_s=60, every_s=0.2)
        except AssertionError as error:
            raise AssertionError(
                f"{name} of {vm_id} is not {status}; there are {sorted(map(str, self.alerts))}"
            ) from error

    async def is_told(self, name: str, vm_id: str | None, *, naming: tuple[str, ...]) -> Mapping[str, Any]:
        """An alert that fires, in words that name what it is about, with the way to its runbook."""
        alert = await self.holds(name, vm_id, "firing")
        for word in naming:
            assert word in alert["annotations"]["summary"]
        assert "{{" not in "".join(alert["annotations"].values())
        assert alert["annotations"]["runbook_url"].endswith(f"{name}.md")
        return alert


@asynccontextmanager
async def inbox() -> AsyncIterator[tuple[Inbox, str]]:
    box = Inbox()
    application = web.Application()
    application.router.add_post("/", box.receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield box, f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


@dataclass
class Stage:
    """The servers that all scenarios share. `vms`: ids by name."""

    folder: Path
    simulated: Provider
    box: Inbox
    vms: Mapping[str, str]
    session: aiohttp.ClientSession
    target: int = field(default_factory=free_port)
    prometheus: int = field(default_factory=free_port)
    alertmanager: int = field(default_factory=free_port)

    def daemon(self) -> AbstractAsyncContextManager[Process]:
        """The exporter; the next one goes on where one before it has ended."""
        return exporter(
            "run",
            GIGAS_EXPORTER_ACCOUNTS__0__ID="17893",
            GIGAS_EXPORTER_ACCOUNTS__0__NAME="production",
            GIGAS_EXPORTER_ACCOUNTS__0__API_KEY="demo-key",
            GIGAS_EXPORTER_API__URL=self.simulated.url,
            GIGAS_EXPORTER_WEB__LISTEN_ADDRESS=f"127.0.0.1:{self.target}",
            GIGAS_EXPORTER_COLLECT__INVENTORY__INTERVAL="200ms",
            GIGAS_EXPORTER_COLLECT__CPU__INTERVAL="200ms",
            GIGAS_EXPORTER_COLLECT__TRAFFIC__INTERVAL="200ms",
            GIGAS_EXPORTER_STATE__PATH=str(self.folder / "ledger.db"),
        )

    def configure(self, webhook: str) -> None:
        """Write what the two servers read."""
        inhibitions = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]
        (self.folder / "rules.yml").write_text(faster(RULES.read_text()))
        (self.folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "500ms"},
                    "rule_files": ["rules.yml"],
                    "alerting": {
                        "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.alertmanager}"]}]}]
                    },
                    "scrape_configs": [
                        {"job_name": "gigas", "static_configs": [{"targets": [f"127.0.0.1:{self.target}"]}]},
                    ],
                }
            )
        )
        (self.folder / "alertmanager.yml").write_text(
            json.dumps(
                {
                    "route": {
                        "receiver": "test",
                        "group_by": ["..."],
                        "group_wait": "100ms",
                        "group_interval": "500ms",
                        "repeat_interval": "1h",
                    },
                    "receivers": [{"name": "test", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
                    "inhibit_rules": inhibitions,
                }
            )
        )

    async def ask(self, expr: str) -> list[dict[str, Any]]:
        """What Prometheus finds."""
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/query"
        async with self.session.get(url, params={"query": expr}) as response:
            found: list[dict[str, Any]] = (await response.json())["data"]["result"]
            return found

    async def is_held_back(self, name: str, vm_id: str | None) -> None:
        """Wait until Alertmanager has the alert and keeps it to itself since another one fires."""

        async def inhibited() -> bool:
            found = json.loads(await answers(f"http://127.0.0.1:{self.alertmanager}/api/v2/alerts"))
            return any(
                alert["status"]["inhibitedBy"]
                for alert in found
                if (alert["labels"]["alertname"], alert["labels"].get("vm_id")) == (name, vm_id)
            )

        assert await eventually(inhibited, within_s=30, every_s=0.2)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[Stage, Process, Process]]:
    """The stage, with the daemon and the Prometheus on it."""
    prometheus = tool("prometheus", "prometheus")
    alertmanager = tool("prometheus-alertmanager", "prometheus-alertmanager")
    async with (
        provider(vms=20, step_s=1.0) as simulated,
        inbox() as (box, webhook),
        aiohttp.ClientSession() as session,
    ):
        vms = {vm["label"]: vm_id for vm_id, vm in (await simulated.vms()).items()}
        at = Stage(folder, simulated, box, vms, session)
        at.configure(webhook)
        async with (
            at.daemon() as daemon,
            process(
                alertmanager,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{at.alertmanager}",
                "--cluster.listen-address=",
            ) as alerting,
        ):
            await answers(f"http://127.0.0.1:{at.target}/-/ready", alive=[daemon])
            await answers(f"http://127.0.0.1:{at.alertmanager}/-/ready", alive=[alerting])
            async with process(
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{at.prometheus}",
            ) as scraping:
                await answers(f"http://127.0.0.1:{at.prometheus}/-/ready", alive=[daemon, alerting, scraping])
                yield at, daemon, scraping


async def a_lock_sticks(at: Stage) -> None:
    vm_id = at.vms["database-5"]
    await at.simulated.steer(vm_id, locked=True)
    await at.box.is_told("GigasVmLockStuck", vm_id, naming=("production", "database-5"))
    await at.simulated.steer(vm_id, locked=False)
    await at.box.holds("GigasVmLockStuck", vm_id, "resolved")


async def a_cpu_runs_hot(at: Stage) -> None:
    vm_id = at.vms["web-1"]
    await at.simulated.steer(vm_id, cpu=0.995)
    await at.box.is_told("GigasVmCpuSaturated", vm_id, naming=("production", "web-1"))
    await at.box.is_told("GigasVmCpuHigh", vm_id, naming=("production", "web-1"))
    await at.simulated.steer(vm_id, cpu=0.05)
    await at.box.holds("GigasVmCpuSaturated", vm_id, "resolved")
    await at.box.holds("GigasVmCpuHigh", vm_id, "resolved")


async def traffic_spikes(at: Stage) -> None:
    vm_id = at.vms["idle-11"]
    await at.simulated.steer(vm_id, traffic_bytes_per_second=[1e3, 100e6])
    alert = await at.box.is_told("GigasVmPublicTrafficHigh", vm_id, naming=("production", "idle-11", "transmit"))
    assert alert["labels"]["direction"] == "transmit"
    await at.box.is_told("GigasPublicTrafficBudgetBurn", None, naming=("production", "times too fast"))
    await at.simulated.steer(vm_id, traffic_bytes_per_second=[1e3, 1e3])
    await at.box.holds("GigasPublicTrafficBudgetBurn", None, "resolved")
    await at.box.holds("GigasVmPublicTrafficHigh", vm_id, "resolved")


async def a_vm_is_suspended(at: Stage) -> None:
    vm_id = at.vms["batch-10"]
    await at.simulated.steer(vm_id, suspended=True)
    await at.box.is_told("GigasVmSuspended", vm_id, naming=("production", "batch-10"))
    await at.simulated.steer(vm_id, suspended=False)
    await at.box.holds("GigasVmSuspended", vm_id, "resolved")


async def the_simulation_has_some_from_its_beginning(at: Stage) -> None:
    for name, alert in (
        ("stuck-2", "GigasVmLockStuck"),
        ("suspended-3", "GigasVmSuspended"),
        ("error-7", "GigasVmInError"),
    ):
        await at.box.is_told(alert, at.vms[name], naming=("production", name))


async def every_rule_is_evaluated_and_gives_each_series_once(at: Stage) -> None:
    async def evaluated() -> bool:
        text = await answers(f"http://127.0.0.1:{at.prometheus}/api/v1/rules")
        rules = [rule for group in json.loads(text)["data"]["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
        recorded = {rule["name"] for rule in rules if rule["type"] == "recording"} - set(NOT_IN_THIS_FLEET)
        for name in recorded:
            found = await at.ask(name)
            assert found, f"{name} has nothing"
            labels = [tuple(sorted(each["metric"].items())) for each in found]
            assert name.startswith("gigas:threshold:") or all(len(each) > 1 for each in labels), f"{name}: {labels}"
        alerts = await at.ask("ALERTS")
        unnamed = [each["metric"] for each in alerts if not {"account", "instance"} & set(each["metric"])]
        assert not unnamed
        subjects = Counter(tuple(sorted({**each["metric"], "vm": ""}.items())) for each in alerts)
        assert set(subjects.values()) == {1}
        return True

    assert await eventually(evaluated, within_s=30, every_s=0.5)


async def a_key_is_revoked(at: Stage) -> None:
    await at.simulated.api_keys()
    alert = await at.box.is_told("GigasApiUnauthorized", None, naming=("production",))
    assert alert["labels"]["account"] == "production"
    await at.is_held_back("GigasVmLockStuck", at.vms["stuck-2"])
    assert [each["value"][1] for each in await at.ask("up")] == ["1"]
    await at.simulated.api_keys("demo-key")


async def the_daemon_is_killed(at: Stage, daemon: Process) -> None:
    daemon.signal(signal.SIGKILL)
    alert = await at.box.is_told("GigasExporterDown", None, naming=(f"127.0.0.1:{at.target}",))
    assert alert["labels"]["severity"] == "critical"
    await at.is_held_back("GigasAccountUnwatched", None)
    assert ("GigasAccountUnwatched", None) not in at.box.alerts
    async with at.daemon() as another:
        await at.box.holds("GigasExporterDown", None, "resolved")
        await at.box.holds("GigasApiUnauthorized", None, "resolved")
        assert "demo-key" not in another.log()


async def test_what_happens_to_a_fleet_arrives_at_a_webhook_resolves_and_holds_back_what_follows(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as (at, daemon, scraping):
        async with asyncio.TaskGroup() as scenarios:
            for happens in (
                a_lock_sticks,
                a_cpu_runs_hot,
                traffic_spikes,
                a_vm_is_suspended,
                the_simulation_has_some_from_its_beginning,
            ):
                scenarios.create_task(happens(at))
        await every_rule_is_evaluated_and_gives_each_series_once(at)
        # Nobody else has had an alert of these.
        told = {
            (name, vm_id) for name, vm_id in at.box.alerts if name in {"GigasVmCpuHigh", "GigasVmPublicTrafficHigh"}
        }
        assert told == {("GigasVmCpuHigh", at.vms["web-1"]), ("GigasVmPublicTrafficHigh", at.vms["idle-11"])}
        assert ("GigasVmOffline", at.vms["offline-4"]) not in at.box.alerts
        await a_key_is_revoked(at)
        await the_daemon_is_killed(at, daemon)
    for trouble in (b"out of order", b"Error on ingesting", b"Evaluating rule failed", b"level=error"):
        assert trouble not in scraping.errors
    assert "demo-key" not in daemon.log()
