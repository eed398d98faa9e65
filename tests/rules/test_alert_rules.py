"""The alert rules and their examples, by the programs that they are for."""

import json
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import answers, free_port, process
from tests.tools import tool
from tests.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/gigas-exporter.rules.yml"
EXAMPLES = sorted((DEPLOY / "prometheus/tests").glob("*.test.yml"))
ALERTMANAGER = DEPLOY / "alertmanager/alertmanager.yml"


def run(*command: str | Path) -> str:
    """What the program says, if it succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_prometheus_takes_the_configuration_and_every_rule() -> None:
    promtool = tool("promtool", "prometheus")
    assert "1 rule files found" in run(promtool, "check", "config", DEPLOY / "prometheus/prometheus.yml")
    run(promtool, "check", "rules", "--lint-fatal", RULES)


@pytest.mark.parametrize("examples", EXAMPLES, ids=lambda path: path.name)
def test_every_example_of_the_rules_holds(examples: Path) -> None:
    run(tool("promtool", "prometheus"), "test", "rules", examples)


def test_alertmanager_takes_its_configuration() -> None:
    run(tool("amtool", "prometheus-alertmanager"), "check-config", ALERTMANAGER)


def test_every_alert_has_an_example_that_fires_and_one_that_does_not() -> None:
    shown: defaultdict[str, set[bool]] = defaultdict(set)
    for path in EXAMPLES:
        for example in yaml.safe_load(path.read_text())["tests"]:
            for case in example.get("alert_rule_test", ()):
                shown[case["alertname"]].add(bool(case["exp_alerts"]))
    alerts = {
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert dict(shown) == {alert: {True, False} for alert in alerts}


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[str]:
    """Alertmanager with our inhibitions; what it would send goes nowhere."""
    ours = yaml.safe_load(ALERTMANAGER.read_text())
    silent = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], "inhibit_rules": ours["inhibit_rules"]}
    (folder / "alertmanager.yml").write_text(json.dumps(silent))
    port = free_port()
    async with process(
        tool("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ) as server:
        await answers(f"http://127.0.0.1:{port}/-/ready", alive=[server])
        yield f"http://127.0.0.1:{port}"


@pytest.mark.e2e
async def test_an_account_that_fails_silences_what_follows_from_that_and_nothing_else(tmp_path: Path) -> None:
    amtool = tool("amtool", "prometheus-alertmanager")
    alerts = [
        ("GigasApiUnreachable", "account=a"),
        ("GigasVmStatisticsStale", "account=a", "vm_id=1", "collector=cpu"),
        ("GigasVmLockStuck", "account=a", "vm_id=2"),
        ("GigasVmOffline", "account=a", "vm_id=3"),
        ("GigasVmStatisticsStale", "account=b", "vm_id=1", "collector=cpu"),
        ("GigasCollectorFailing", "account=c", "collector=cpu"),
        ("GigasVmStatisticsStale", "account=c", "vm_id=1", "collector=cpu"),
        ("GigasVmStatisticsStale", "account=c", "vm_id=1", "collector=traffic"),
        ("GigasListingStale", "account=d"),
        ("GigasVmLockStuck", "account=d", "vm_id=1"),
        ("GigasVmStatisticsStale", "account=d", "vm_id=1", "collector=cpu"),
    ]
    async with alertmanager(tmp_path) as url:
        for name, *labels in alerts:
            run(amtool, f"--alertmanager.url={url}", "alert", "add", f"alertname={name}", *labels)

        async def inhibited() -> list[tuple[str, str, str | None]]:
            found: list[dict[str, Any]] = json.loads(await answers(f"{url}/api/v2/alerts"))
            assert len(found) == len(alerts)
            return sorted(
                (each["labels"]["alertname"], each["labels"]["account"], each["labels"].get("collector"))
                for each in found
                if each["status"]["inhibitedBy"]
            )

        async def as_promised() -> bool:
            assert await inhibited() == [
                ("GigasVmLockStuck", "a", None),
                ("GigasVmLockStuck", "d", None),
                ("GigasVmStatisticsStale", "a", "cpu"),
                ("GigasVmStatisticsStale", "c", "cpu"),
            ]
            return True

        assert await eventually(as_promised)
