"""The alert rules and their examples, by the programs that they are for."""

import itertools
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Example:
    """A case of promtool's, with what it says to show, as in `a law in words [GigasVmOffline: fires, gap]`.

    `fires`: the alert is there. `nearly`: so is what would fire it if there were a little more of it, and it does not.
    `gap`: scrapes are missed, or series are not there from the beginning, and what is expected is not lost for that.
    `absent`: it fires since something is not there at all.
    """

    case: Mapping[str, Any]

    def shows(self) -> Iterator[tuple[str, str]]:
        """Each alert, and what is shown of it."""
        tags = re.search(r" \[([^]]+)\]$", self.case["name"])
        for tag in tags[1].split("; ") if tags else ():
            alerts, kinds = tag.split(": ")
            yield from itertools.product(alerts.split(", "), kinds.split(", "))

    def expected(self, alert: str) -> Iterator[Sequence[object]]:
        """What is asked for of an alert, each time: nothing, or something."""
        for test in self.case.get("alert_rule_test", ()):
            if test["alertname"] == alert:
                yield test["exp_alerts"]
        for test in self.case.get("promql_expr_test", ()):
            for names in re.findall(r'alertname=~?"([^"]+)"', test["expr"]):
                if re.fullmatch(names, alert):
                    yield [each for each in test["exp_samples"] if is_about(alert, each["labels"])]

    def has_a_gap(self) -> bool:
        return any(re.search(r"stale|_", each["values"]) for each in self.case["input_series"])


def is_about(alert: str, labels: str) -> bool:
    """Whether a sample is of that alert: what is counted over all of a name has no name any more."""
    return f'alertname="{alert}"' in labels or "alertname" not in labels


CASES = [Example(case) for path in EXAMPLES for case in yaml.safe_load(path.read_text())["tests"]]
WRITTEN = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"] for rule in WRITTEN if "alert" in rule}
EXPRESSIONS = [rule["expr"] for rule in WRITTEN]


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_has_examples_that_fire_that_nearly_fire_and_in_which_data_is_missing(alert: str) -> None:
    shown = {kind for example in CASES for name, kind in example.shows() if name == alert}
    assert shown - {"absent"} == {"fires", "nearly", "gap"}


@pytest.mark.parametrize("example", CASES, ids=lambda example: example.case["name"])
def test_an_example_shows_what_it_says(example: Example) -> None:
    for alert, kind in example.shows():
        assert alert in ALERTS
        expected = list(example.expected(alert))
        assert expected, f"nothing is asked for of {alert}"
        if kind in {"fires", "absent"}:
            assert any(expected)
        elif kind == "gap":
            assert example.has_a_gap()
        else:
            assert kind == "nearly"


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_missing_data_neither_hides_an_alert_nor_fires_it(alert: str) -> None:
    shown = [example for example in CASES if {(alert, "gap"), (alert, "absent")} & set(example.shows())]
    assert any(any(example.expected(alert)) for example in shown)


def test_the_account_that_is_well_has_all_that_the_alerts_read() -> None:
    # It is silent through all that can be missing: that says something of an alert only if its series are there.
    (well,) = [
        case for case in (example.case for example in CASES) if case["name"].startswith("an account that is well")
    ]
    there = {series["series"].partition("{")[0] for series in well["input_series"]}
    read = {
        name for expr in EXPRESSIONS for name in re.findall(r"(?<![\w:])(?:up|process_\w+|gigas_\w+)(?![\w:])", expr)
    }
    assert read - there == {"gigas_vm_locked_since_timestamp_seconds"}, "of a VM that is not locked there is none"


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


def labels_of(alert: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The labels of an alert, as pairs."""
    for label in (f"alertname={alert[0]}", *alert[1:]):
        name, _, value = label.partition("=")
        yield name, value


@pytest.mark.e2e
async def test_an_account_that_fails_silences_what_follows_from_that_and_nothing_else(tmp_path: Path) -> None:
    amtool = tool("amtool", "prometheus-alertmanager")
    held = [
        ("GigasVmStatisticsStale", "account=a", "vm_id=1", "collector=cpu"),
        ("GigasVmLockStuck", "account=a", "vm_id=2"),
        ("GigasDataStale", "account=a", "collector=cpu"),
        ("GigasLooksLate", "account=a", "collector=cpu"),
        ("GigasVmStatisticsStale", "account=c", "vm_id=1", "collector=cpu"),
        ("GigasDataStale", "account=c", "collector=cpu"),
        ("GigasVmLockStuck", "account=d", "vm_id=1"),
        ("GigasVmStatisticsStale", "account=e", "vm_id=1", "collector=traffic"),
        ("GigasLooksLate", "account=f", "collector=cpu"),
        ("GigasLedgerNotWritten", "job=gigas", "instance=a"),
        ("GigasAccountUnwatched", "account=g"),
        ("GigasVmOffline", "account=g", "vm_id=1"),
        ("GigasPublicTrafficBudgetBurn", "account=g", "burn=fast"),
    ]
    told = [
        ("GigasApiUnreachable", "account=a"),
        ("GigasVmOffline", "account=a", "vm_id=3"),
        ("GigasVmStatisticsStale", "account=b", "vm_id=1", "collector=cpu"),
        ("GigasCollectorFailing", "account=c", "collector=cpu"),
        ("GigasVmStatisticsStale", "account=c", "vm_id=1", "collector=traffic"),
        ("GigasListingStale", "account=d"),
        ("GigasVmStatisticsStale", "account=d", "vm_id=1", "collector=cpu"),
        ("GigasDataStale", "account=e", "collector=traffic"),
        ("GigasApiRateLimited", "account=f"),
        ("GigasDataStale", "account=f", "collector=cpu"),
        ("GigasExporterDown", "job=gigas", "instance=a"),
        ("GigasLedgerNotWritten", "job=gigas", "instance=b"),
    ]
    async with alertmanager(tmp_path) as url:
        for name, *labels in [*held, *told]:
            run(amtool, f"--alertmanager.url={url}", "alert", "add", f"alertname={name}", *labels)

        async def as_promised() -> bool:
            found: list[dict[str, Any]] = json.loads(await answers(f"{url}/api/v2/alerts"))
            assert len(found) == len(held) + len(told)
            inhibited = [each["labels"] for each in found if each["status"]["inhibitedBy"]]
            assert sorted(map(sorted, (labels.items() for labels in inhibited))) == sorted(
                map(sorted, map(labels_of, held))
            )
            return True

        assert await eventually(as_promised)
