"""Alerts, runbooks and what they name belong together; what a runbook tells to type works."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.metrics import FAMILIES
from tests.grafana.scraped import RULES, scraped
from tests.waiting import eventually

DOCS = Path(__file__).parents[2] / "docs"
ALERTING = DOCS / "alerting.md"
RUNBOOKS = sorted((DOCS / "runbooks").glob("*.md"))
PAGES = [ALERTING, *RUNBOOKS]
WHERE = "https://github.com/gigas-exporter/gigas-exporter/blob/main/"
SECTIONS = ["What it means", "Look", "Do", "When to silence", "When it ends"]
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
EXPOSED = {
    f"{family.name}{suffix}"
    for family in FAMILIES
    for suffix in (("_bucket", "_count", "_sum") if family.type == "histogram" else ("",))
}
FAMILY_NAMES = {family.name for family in FAMILIES}
UNANSWERED = re.compile(r"ALERTS|offset 1d|:rate1h|:ratio1h|code!~")
"""What has no answer in a fleet that is well, or that was not watched for an hour."""


def rules(kind: str) -> list[dict[str, Any]]:
    return [rule for group in GROUPS for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"] for rule in rules("alert")}
RECORDED = {rule["record"] for rule in rules("record")}


def fenced(page: Path, language: str) -> Iterator[str]:
    """The blocks of code of a page."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def metrics_in(expr: str) -> set[str]:
    """Names of ours in an expression or a command, recorded ones (with colons) included; files are not meant."""
    return set(re.findall(r"(?<![\w:/.])(?:\w+:)?gigas(?:_\w+|:\w+)[\w:]*", expr))


def anchors(page: Path) -> set[str]:
    """The headings of a page as addresses."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    url = rule["annotations"]["runbook_url"]
    assert url == f"{WHERE}docs/runbooks/{rule['alert']}.md"
    assert (DOCS.parent / url.removeprefix(WHERE)).is_file()


def test_no_runbook_is_about_an_alert_that_there_is_not() -> None:
    assert {page.stem for page in RUNBOOKS} == ALERTS


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_runbook_has_what_is_looked_for_at_night(page: Path) -> None:
    text = page.read_text()
    severities = {rule["labels"]["severity"] for rule in rules("alert") if rule["alert"] == page.stem}
    assert text.startswith(f"# {page.stem}\n\n{' '.join(severities).capitalize()}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert list(fenced(page, "promql"))
    assert any(command.startswith("curl ") for command in commands(page))


def test_the_page_on_alerting_tells_of_every_alert_with_its_severity() -> None:
    told = re.findall(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \|", ALERTING.read_text(), re.MULTILINE)
    assert all(name == target for name, target, _ in told)
    severities = {(rule["alert"], rule["labels"]["severity"]) for rule in rules("alert")}
    assert {(name, severity) for name, _, severity in told} == severities


def test_every_threshold_is_told_used_and_set_in_one_place() -> None:
    thresholds = {name for name in RECORDED if name.startswith("gigas:threshold:")}
    assert thresholds == {rule["record"] for rule in GROUPS[0]["rules"]}
    assert set(re.findall(r"^\| `(gigas:threshold:\w+)` \|", ALERTING.read_text(), re.MULTILINE)) == thresholds
    expressions = " ".join(rule["expr"] for group in GROUPS[1:] for rule in group["rules"])
    assert set(re.findall(r"scalar\((gigas:threshold:\w+)", expressions)) == thresholds


def test_every_inhibition_is_told() -> None:
    configuration = yaml.safe_load((DOCS.parent / "deploy/alertmanager/alertmanager.yml").read_text())
    held = {
        tuple(tuple(re.findall(r"Gigas\w+", " ".join(rule[side]))) for side in ("source_matchers", "target_matchers"))
        for rule in configuration["inhibit_rules"]
    }
    rows = re.findall(r"^\| (Gigas[\w, ]+) \| (Gigas[\w, ]+) \| ", ALERTING.read_text(), re.MULTILINE)
    assert {tuple(tuple(side.split(", ")) for side in row) for row in rows} == held
    assert {name for row in held for side in row for name in side} <= ALERTS


def test_every_metric_that_the_rules_use_is_exposed_or_recorded() -> None:
    used = set().union(*(metrics_in(rule["expr"]) for group in GROUPS for rule in group["rules"]))
    assert used <= EXPOSED | RECORDED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_metric_that_a_page_tells_to_ask_for_is_exposed_or_recorded(page: Path) -> None:
    blocks = [*fenced(page, "promql"), *fenced(page, "console")]
    told = set().union(*map(metrics_in, [*blocks, *re.findall(r"`([^`\n]+)`", page.read_text())]))
    assert told <= EXPOSED | RECORDED | FAMILY_NAMES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve()
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def commands(page: Path) -> list[str]:
    """What a page tells to type."""
    lines = "".join(fenced(page, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_a_rule_reads_only_what_its_group_has_recorded_before() -> None:
    # A group is evaluated in order: what is recorded later would be read as it was a minute ago.
    for group in GROUPS:
        names = [rule.get("record", rule.get("alert")) for rule in group["rules"]]
        for place, rule in enumerate(group["rules"]):
            later = set(names[place + 1 :]) & metrics_in(rule["expr"])
            assert not later, f"{names[place]} reads {later}"


@pytest.mark.e2e
async def test_what_the_runbooks_tell_to_ask_can_be_asked(tmp_path: Path) -> None:
    asked = {expr.strip(): page.stem for page in PAGES for expr in fenced(page, "promql")}
    curls = {line: page.stem for page in RUNBOOKS for line in commands(page) if line.startswith("curl ")}
    async with scraped(tmp_path) as prometheus:
        ports = {"localhost:9877": prometheus.exporter_url, "localhost:9090": prometheus.url}

        async def every_command_finds_something() -> bool:
            for line, name in curls.items():
                here = line
                for usual, url in ports.items():
                    here = here.replace(f"http://{usual}", url)
                shell = await asyncio.create_subprocess_shell(
                    f"set -o pipefail; {here}",
                    executable="/bin/bash",
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
                output, errors = await shell.communicate()
                assert shell.returncode == 0, f"{name}: {here}: {errors.decode()}"
                assert output, f"{name}: {here}"
            return True

        async def every_question_has_an_answer() -> bool:
            for expr, name in asked.items():
                answer = await prometheus.ask("query", {"query": expr})
                assert answer["result"] or UNANSWERED.search(expr), f"{name}: {expr}"
            return True

        assert await eventually(every_question_has_an_answer, within_s=30, every_s=1)
        assert await eventually(every_command_finds_something, within_s=30, every_s=1)
