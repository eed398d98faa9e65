"""Every expression of the dashboards, asked of a real Prometheus that has scraped a simulated fleet."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from grafana.asking import filled_in
from tests.grafana.pages import PAGES, Asked, asked, panels, variables
from tests.grafana.scraped import Scraped, scraped
from tests.waiting import eventually

MAY_BE_EMPTY = {
    "fleet: Locked, suspended, in error": "No rows:",
    "fleet: Changed status most often": "No rows:",
    "fleet: Locked most often": "No rows:",
    "fleet: How long locks took": "A gap:",
    "exporter: Requests per bucket": "A gap:",
    "vm: CPU": "Off:",
    "vm: Received, public": "None:",
    "vm: Sent, public": "None:",
    "vm: Received, private": "None:",
    "vm: Sent, private": "None:",
    "vm: Of what is included": "None:",
    "vm: Expected by its end": "None:",
}
"""Panels that a healthy fleet may leave empty, and the words with which their descriptions begin to say what that is.
In this test nothing is empty: something has happened to a VM.
"""
STEP_S = 2
GRAFANAS_OWN = {
    "__range": "900s",
    "__range_s": "900",
    "__rate_interval": "1m",
    "__interval": f"{STEP_S}s",
    "__interval_ms": f"{STEP_S * 1000}",
}
"""What Grafana puts in: the span that is shown, a window for rates, and the width of a step."""
EVERY = {"account": ".*", "job": ".+", "instance": ".+", "interface": ".*"}


def choices(name: str, vm_id: str) -> dict[str, str]:
    """The variables as they are when the dashboard is opened; the VM's page with a VM."""
    chosen = {
        each["name"]: each["current"]["value"] for each in variables(PAGES[name], "interval", "custom", "textbox")
    }
    of_vm = {"vm_id": vm_id, "account": "production"} if name == "vm" else {}
    return GRAFANAS_OWN | EVERY | chosen | of_vm


async def found(fleet: Scraped, query: Asked, values: Mapping[str, str]) -> list[Any]:
    """What it finds: now, or over the last quarter of an hour."""
    until_s = SystemClock().wall_s()
    expr = filled_in(query.expr, values)
    if query.instant:
        answer = await fleet.ask("query", {"query": expr, "time": f"{until_s:.3f}"})
    else:
        span = {"start": f"{until_s - 900:.3f}", "end": f"{until_s:.3f}", "step": f"{STEP_S}s"}
        answer = await fleet.ask("query_range", {"query": expr} | span)
    result: list[Any] = answer["result"]
    return [series for series in result if any(math.isfinite(float(value)) for _, value in points(series))]


def points(series: Mapping[str, Any]) -> list[Any]:
    listed: list[Any] = series.get("values") or [series["value"]]
    return listed


async def something_happens(fleet: Scraped) -> str:
    """A VM is locked, suspended, off and on again, and renamed, each for longer than a step of a graph. Its id."""
    vm_id = next(iter(await fleet.provider.vms()))

    async def becomes(metric: str, labels: str, value: int, **change: object) -> None:
        async def seen() -> bool:
            now = f'max({metric}{{vm_id="{vm_id}"{labels}}}) == {value}'
            query = f"count_over_time(({now})[1m:1s]) > {STEP_S}"
            return bool((await fleet.ask("query", {"query": query}))["result"])

        if change:
            await fleet.provider.steer(vm_id, **change)
        assert await eventually(seen, every_s=0.2)

    await becomes("gigas_vm_locked", "", 0)
    await becomes("gigas_vm_locked", "", 1, locked=True)
    await becomes("gigas_vm_locked", "", 0, locked=False)
    await becomes("gigas_vm_suspended", "", 1, suspended=True)
    await becomes("gigas_vm_status", ', status="offline"', 1, status="offline")
    await becomes("gigas_vm_status", ', status="online"', 1, status="online")
    await becomes("gigas_vm_info", ', vm="renamed"', 1, label="renamed")
    return vm_id


def called(query: Asked, series: Mapping[str, Any]) -> str:
    """What a reader tells a series by: its legend, or in a table its labels."""
    labels = series["metric"]
    if query.shown == "table" or not query.legend:
        assert labels, query.where
        assert "__name__" not in labels, query.where
        return str(sorted(labels.items()))
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels[name[1]], query.legend)


@pytest.mark.e2e
async def test_every_expression_finds_series_that_can_be_told_apart(tmp_path: Path) -> None:
    async with scraped(tmp_path) as fleet:
        vm_id = await something_happens(fleet)

        async def all_found() -> bool:
            empty = []
            for name in PAGES:
                for query in asked(name):
                    lines = await found(fleet, query, choices(name, vm_id))
                    if not lines:
                        empty.append(f"{query.where}: {query.expr}")
                    told = [called(query, line) for line in lines]
                    assert all(told), query.where
                    assert len(set(told)) == len(told), query.where
            assert not empty, "\n".join(empty)
            return True

        assert await eventually(all_found, within_s=60, every_s=2)
        await no_two_lines_of_a_panel_have_one_name(fleet, vm_id)
        await every_choice_can_be_made(fleet, vm_id)
        await what_is_offered_is_there(fleet, vm_id)


async def no_two_lines_of_a_panel_have_one_name(fleet: Scraped, vm_id: str) -> None:
    for name in PAGES:
        told: dict[str, list[str]] = {}
        for query in asked(name):
            if query.shown in {"timeseries", "stat", "state-timeline"}:
                lines = await found(fleet, query, choices(name, vm_id))
                told.setdefault(query.where.rpartition(":")[0], []).extend(called(query, line) for line in lines)
        for panel, names in told.items():
            assert len(set(names)) == len(names), f"{panel}: {names}"


async def every_choice_can_be_made(fleet: Scraped, vm_id: str) -> None:
    """Prometheus takes the expressions with every option; of VMs that lead no more are shown than chosen."""
    for name, page in PAGES.items():
        for choice in variables(page, "interval", "custom"):
            for option in choice["options"]:
                values = choices(name, vm_id) | {choice["name"]: option["value"]}
                for query in asked(name):
                    if f"${choice['name']}" in query.expr:
                        await found(fleet, query, values)
    for query in asked("fleet"):
        if "$top" in query.expr:
            lines = await found(fleet, query, choices("fleet", vm_id) | {"top": "2"})
            assert 1 <= len(lines) <= 2, query.where
            assert all({"account", "vm_id", "vm"} == set(line["metric"]) for line in lines), query.where


async def what_is_offered_is_there(fleet: Scraped, vm_id: str) -> None:
    """The variables' own queries, read as Grafana reads them."""
    fleets = await fleet.provider.vms()
    values = choices("vm", vm_id)
    for name, page in PAGES.items():
        for variable in variables(page, "query"):
            query = variable["query"]["query"]
            label = re.fullmatch(r"label_values\((\w+(?:\{.*\})?), (\w+)\)", query)
            if label is not None:
                filled = filled_in(label[1], choices(name, vm_id))
                assert await fleet.ask(f"label/{label[2]}/values", {"match[]": filled}), variable["name"]
                continue
            result = re.fullmatch(r"query_result\((.+)\)", query)
            assert result is not None
            series = (await fleet.ask("query", {"query": filled_in(result[1], values)}))["result"]
            pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
            offered = [pattern.search(as_grafana_writes(each)) for each in series]
            assert all(offered)
            assert {each["value"] for each in offered if each} == set(fleets)
            assert f"renamed {vm_id}" in {each["text"] for each in offered if each}


def as_grafana_writes(series: Mapping[str, Any]) -> str:
    """As its data source does for `query_result`: the labels as Prometheus sends them, nothing escaped."""
    labels = ",".join(f'{name}="{value}"' for name, value in series["metric"].items())
    at_s, value = series["value"]
    return f"{{{labels}}} {value} {at_s * 1000}"


def test_a_panel_that_may_be_empty_says_what_that_means() -> None:
    told = {f"{name}: {panel['title']}": panel["description"] for name in PAGES for panel in panels(PAGES[name])}
    for title, words in MAY_BE_EMPTY.items():
        assert words in told[title], title
