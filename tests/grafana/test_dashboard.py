"""The dashboard: the committed file, its layout, and what each of its expressions finds in a real Prometheus."""

import itertools
import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.clock import SystemClock
from exporter.metrics import FAMILIES
from tests.grafana.scraped import Scraped, scraped
from tests.waiting import eventually

GRAFANA = Path(__file__).parents[2] / "grafana"
COMMITTED = GRAFANA / "dashboards/fleet.json"
DASHBOARD: dict[str, Any] = json.loads(COMMITTED.read_text())
WIDTH = 24
GRAFANAS_OWN = {"__range": "15m", "__rate_interval": "1m", "account": ".*"}
"""What Grafana puts in: the span that is shown, a window for rates, and every account."""


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each expression's target, with the title of its panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target


def variables(kind: str) -> list[dict[str, Any]]:
    return [each for each in DASHBOARD["templating"]["list"] if each["type"] == kind]


def chosen() -> dict[str, str]:
    """The variables as they are when the dashboard is opened."""
    return GRAFANAS_OWN | {
        each["name"]: each["current"]["value"] for each in (*variables("interval"), *variables("custom"))
    }


def filled_in(expr: str, values: dict[str, str]) -> str:
    """The expression as Grafana sends it; a variable that nobody has is an error."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)


def test_the_committed_dashboard_is_what_the_script_writes() -> None:
    assert COMMITTED.read_text() == runpy.run_path(str(GRAFANA / "build.py"))["as_text"](), "run grafana/build.py"


def test_every_panel_and_target_has_an_identity_of_its_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in DASHBOARD["panels"]:
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs), panel["title"]
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_neither_overlap_nor_leave_the_grid() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH, panel["title"]
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} over {taken[cell]}"
            taken[cell] = panel["title"]


def test_every_panel_and_target_asks_the_data_source_that_the_reader_has_chosen() -> None:
    (source,) = variables("datasource")
    sources = [panel["datasource"] for panel in DASHBOARD["panels"]]
    sources += [target["datasource"] for _, target in targets()]
    sources += [variable["datasource"] for variable in variables("query")]
    assert source["query"] == "prometheus"
    assert all(each == {"type": "prometheus", "uid": f"${{{source['name']}}}"} for each in sources)


def test_every_metric_of_the_dashboard_is_exposed() -> None:
    queries = [target["expr"] for _, target in targets()]
    queries += [variable["query"]["query"] for variable in variables("query")]
    named = set(re.findall(r"\bgigas_\w+", " ".join(queries)))
    assert named
    assert named <= {family.name for family in FAMILIES}


def test_an_id_in_the_table_is_not_shown_as_a_number() -> None:
    # Grafana would write 178931011500 with any unit of numbers as "179 Bil".
    (table,) = (panel for panel in DASHBOARD["panels"] if panel["type"] == "table")
    assert table["fieldConfig"]["defaults"]["unit"] == "string"


def test_what_is_provisioned_is_what_the_reader_is_told_to_copy() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/gigas-exporter.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    readme = (GRAFANA / "README.md").read_text()
    assert provider["options"]["path"] in readme
    assert source["url"].removeprefix("http://") in readme


@pytest.mark.e2e
async def test_every_expression_finds_something_in_a_scraped_fleet(tmp_path: Path) -> None:
    async with scraped(tmp_path) as prometheus:

        async def nothing_is_empty() -> bool:
            values = chosen()
            empty = [
                f"{title}: {target['expr']}"
                for title, target in targets()
                if not await found(prometheus, target, filled_in(target["expr"], values))
            ]
            assert not empty, "\n".join(empty)
            return True

        assert await eventually(nothing_is_empty, within_s=45, every_s=1)
        for choice in (*variables("interval"), *variables("custom")):
            for option in choice["options"]:
                values = chosen() | {choice["name"]: option["value"]}
                for _, target in targets():
                    await found(prometheus, target, filled_in(target["expr"], values))
        for variable in variables("query"):
            query = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert query is not None
            assert await prometheus.ask(f"label/{query[2]}/values", {"match[]": query[1]}) == ["production"]


async def found(prometheus: Scraped, target: dict[str, Any], expr: str) -> list[Any]:
    """What the target finds: now, or over the last quarter of an hour."""
    until_s = SystemClock().wall_s()
    if target.get("instant"):
        answer = await prometheus.ask("query", {"query": expr, "time": f"{until_s:.3f}"})
    else:
        span = {"start": f"{until_s - 900:.3f}", "end": f"{until_s:.3f}", "step": "5s"}
        answer = await prometheus.ask("query_range", {"query": expr} | span)
    result: list[Any] = answer["result"]
    return result


@pytest.mark.e2e
async def test_a_panel_of_top_vms_shows_no_more_than_chosen_and_each_by_one_name(tmp_path: Path) -> None:
    async with scraped(tmp_path) as prometheus:

        async def as_chosen() -> bool:
            for title, target in targets():
                if "$top" in target["expr"]:
                    lines = await found(prometheus, target, filled_in(target["expr"], chosen() | {"top": "2"}))
                    assert len(lines) == 2, title
                    assert all({"account", "vm_id", "vm"} == set(line["metric"]) for line in lines)
            return True

        assert await eventually(as_chosen, within_s=45, every_s=1)
