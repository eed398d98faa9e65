"""From the provider's API to a webhook: our rules in a real Prometheus, with a real Alertmanager behind it."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.processes import answers, exporter, free_port, process
from tests.running import Provider, provider
from tests.tools import tool
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "deploy/prometheus/gigas-exporter.rules.yml"
FASTER = 300
"""An hour of the rules passes in 12 s, and buckets of five minutes in one: all that is said of time is divided."""
LOCKED_TOO_LONG = "4 * 3600"
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def faster(rules: str) -> str:
    """The rules, with every span of time divided; a lock is stuck after 20 (divided) minutes."""
    assert LOCKED_TOO_LONG in rules
    rules = rules.replace(LOCKED_TOO_LONG, "20 * 60")
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

        found = await eventually(arrived, within_s=90, every_s=0.2)
        assert found is not None
        return found


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


def configure(folder: Path, *, webhook: str, target: int, alertmanager: int) -> None:
    """Write what the two servers read."""
    (folder / "rules.yml").write_text(faster(RULES.read_text()))
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "500ms"},
                "rule_files": ["rules.yml"],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
                "scrape_configs": [
                    {"job_name": "gigas", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]},
                ],
            }
        )
    )
    (folder / "alertmanager.yml").write_text(
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
            }
        )
    )


async def names(simulated: Provider) -> dict[str, str]:
    return {vm["label"]: vm_id for vm_id, vm in (await simulated.vms()).items()}


async def test_a_stuck_lock_and_a_hot_cpu_arrive_at_a_webhook_and_resolve(tmp_path: Path) -> None:
    prometheus = tool("prometheus", "prometheus")
    alertmanager = tool("prometheus-alertmanager", "prometheus-alertmanager")
    target, prometheus_port, alertmanager_port = free_port(), free_port(), free_port()
    async with provider(vms=14, step_s=1.0) as simulated, inbox() as (box, webhook):
        configure(tmp_path, webhook=webhook, target=target, alertmanager=alertmanager_port)
        async with (
            exporter(
                "run",
                GIGAS_EXPORTER_ACCOUNTS__0__ID="17893",
                GIGAS_EXPORTER_ACCOUNTS__0__NAME="production",
                GIGAS_EXPORTER_ACCOUNTS__0__API_KEY="demo-key",
                GIGAS_EXPORTER_API__URL=simulated.url,
                GIGAS_EXPORTER_WEB__LISTEN_ADDRESS=f"127.0.0.1:{target}",
                GIGAS_EXPORTER_COLLECT__INVENTORY__INTERVAL="200ms",
                GIGAS_EXPORTER_COLLECT__CPU__INTERVAL="200ms",
                GIGAS_EXPORTER_COLLECT__TRAFFIC__INTERVAL="200ms",
            ) as daemon,
            process(
                alertmanager,
                f"--config.file={tmp_path / 'alertmanager.yml'}",
                f"--storage.path={tmp_path / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                "--cluster.listen-address=",
            ) as alerting,
            process(
                prometheus,
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
            ) as scraping,
        ):
            alive = (daemon, alerting, scraping)
            await answers(f"http://127.0.0.1:{target}/-/ready", alive=alive)
            await answers(f"http://127.0.0.1:{prometheus_port}/-/ready", alive=alive)
            by_name = await names(simulated)
            locked, hot = by_name["database-5"], by_name["web-1"]
            await simulated.steer(locked, locked=True)
            await simulated.steer(hot, cpu=0.99)

            stuck = await box.holds("GigasVmLockStuck", locked, "firing")
            assert "database-5" in stuck["annotations"]["summary"]
            assert "production" in stuck["annotations"]["summary"]
            busy = await box.holds("GigasVmCpuHigh", hot, "firing")
            assert "web-1" in busy["annotations"]["summary"]
            assert busy["annotations"]["runbook_url"].endswith("GigasVmCpuHigh.md")
            assert ("GigasVmCpuHigh", locked) not in box.alerts
            # The simulation has one of each from its beginning.
            await box.holds("GigasVmLockStuck", by_name["stuck-2"], "firing")
            await box.holds("GigasVmSuspended", by_name["suspended-3"], "firing")
            await box.holds("GigasVmInError", by_name["error-7"], "firing")
            assert ("GigasVmOffline", by_name["offline-4"]) not in box.alerts

            await simulated.steer(locked, locked=False)
            await simulated.steer(hot, cpu=0.05)
            await box.holds("GigasVmLockStuck", locked, "resolved")
            await box.holds("GigasVmCpuHigh", hot, "resolved")

            await simulated.api_keys()
            unauthorized = await box.holds("GigasApiUnauthorized", None, "firing")
            assert unauthorized["labels"]["account"] == "production"
            text = await answers(f"http://127.0.0.1:{prometheus_port}/api/v1/query?query=up", alive=alive)
            assert json.loads(text)["data"]["result"][0]["value"][1] == "1"
        assert b"out of order" not in scraping.errors
        assert b"Error on ingesting" not in scraping.errors
        assert "demo-key" not in daemon.log()
