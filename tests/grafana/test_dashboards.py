"""The committed dashboards: as the code builds them, as Grafana's models know them, and as our conventions ask."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics import FAMILIES
from grafana import DASHBOARDS, FOLDER, text
from tests.grafana.pages import GRAFANA, PAGES, annotations, asked, panels, variables
from tests.grafana.scraped import RULES

WIDTH = 24
OF_ALL = pytest.mark.parametrize("name", PAGES)
EVERYBODYS = {"scrape_duration_seconds", "scrape_samples_post_metric_relabeling"}
"""Series that Prometheus makes of each target."""
OF_A_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}
"""Series of prometheus_client's own."""
GRAFANAS_OWN = {"__range", "__range_s", "__rate_interval", "__interval", "__interval_ms"}


def inside(value: Any) -> Iterator[Any]:
    """A document's every value, at any depth."""
    yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from inside(part)


@OF_ALL
def test_the_committed_dashboard_is_what_the_code_builds(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == text(DASHBOARDS[name]()), "run python -m grafana"


def test_every_committed_dashboard_is_built() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(DASHBOARDS)


@OF_ALL
def test_grafanas_models_read_a_dashboard_and_write_it_unchanged(name: str) -> None:
    # The one word that the SDK's models do not know, although Grafana's data source does, is the title of a mark.
    register_default_plugins()
    committed = json.loads((FOLDER / f"{name}.json").read_text())
    for annotation in annotations(committed):
        assert annotation.pop("titleFormat") == annotation["name"]
    written = json.loads(json.dumps(Dashboard.from_json(committed), cls=JSONEncoder))
    assert written == committed


@OF_ALL
def test_every_panel_and_target_has_an_identity_of_its_own(name: str) -> None:
    ids = [panel["id"] for panel in PAGES[name]["panels"]]
    titles = [panel["title"] for panel in PAGES[name]["panels"]]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    for panel in panels(PAGES[name]):
        refs = [target["refId"] for target in panel["targets"]]
        assert refs
        assert len(set(refs)) == len(refs), panel["title"]


def test_every_dashboard_has_an_address_and_a_title_of_its_own() -> None:
    for word in ("uid", "title", "description"):
        assert len({page[word] for page in PAGES.values()}) == len(PAGES)


@OF_ALL
def test_panels_neither_overlap_nor_leave_the_grid_nor_hang_below_a_gap(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in PAGES[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH, panel["title"]
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} over {taken[cell]}"
            taken[cell] = panel["title"]
    deepest = max(y for _, y in taken)
    gaps = [(x, y) for x, y in itertools.product(range(WIDTH), range(deepest + 1)) if (x, y) not in taken]
    assert not gaps


@OF_ALL
def test_every_panel_says_in_a_sentence_what_it_shows(name: str) -> None:
    for panel in panels(PAGES[name]):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]


@OF_ALL
def test_every_value_has_a_unit(name: str) -> None:
    # "short" and "none" say that there is none; a number without one would be said by the axis.
    for panel in panels(PAGES[name]):
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], panel["title"]
        if panel["type"] == "timeseries" and defaults["unit"] == "none":
            assert defaults["custom"]["axisLabel"], panel["title"]


@OF_ALL
def test_an_id_in_a_table_is_not_shown_as_a_number(name: str) -> None:
    # Grafana would write 178931011500 with any unit of numbers as "179 Bil".
    for panel in panels(PAGES[name]):
        if panel["type"] == "table":
            assert panel["fieldConfig"]["defaults"]["unit"] == "string", panel["title"]


@OF_ALL
def test_data_source_and_account_are_the_readers_choice_and_everything_obeys(name: str) -> None:
    page = PAGES[name]
    (source,) = variables(page, "datasource")
    assert source["query"] == "prometheus"
    assert page["templating"]["list"][0] is source, "what others depend on comes first"
    assert "account" in {each["name"] for each in variables(page, "query")}
    sources = [each["datasource"] for each in inside(page) if isinstance(each, dict) and "datasource" in each]
    assert len(sources) > len(panels(page))
    assert all(each == {"type": "prometheus", "uid": f"${{{source['name']}}}"} for each in sources)


@OF_ALL
def test_every_expression_about_an_account_asks_for_the_chosen_one(name: str) -> None:
    of_an_account = {family.name for family in FAMILIES if "account" in family.labels or "vm_id" in family.labels}
    of_an_account |= {family.name for family in FAMILIES if family.collector != "exporter"}
    for each in asked(name):
        for found in re.finditer(r"\b(gigas_\w+)(\{[^}]*\})?", each.expr):
            metric = re.sub(r"_(bucket|count|sum)$", "", found[1])
            if metric in of_an_account:
                assert re.search(r'account=~?"\$account"', found[2] or ""), f"{each.where}: {found[1]}"


@OF_ALL
def test_every_variable_that_is_asked_for_can_be_chosen_and_the_other_way_round(name: str) -> None:
    page = PAGES[name]
    chosen = {each["name"] for each in page["templating"]["list"]}
    expressions = [each.expr for each in asked(name)]
    expressions += [each["query"]["query"] for each in variables(page, "query")]
    wanted = set(re.findall(r"\$(\w+)", " ".join(expressions)))
    assert wanted - GRAFANAS_OWN <= chosen
    assert chosen <= wanted | {"datasource"}


@OF_ALL
def test_colours_are_names_that_grafana_shades_for_dark_and_light_pages(name: str) -> None:
    for each in inside(PAGES[name]):
        if isinstance(each, str):
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(", each), each
    named = {"green", "blue", "orange", "red", "yellow", "purple"}
    colors = [each["color"] for each in inside(PAGES[name]) if isinstance(each, dict) and "color" in each]
    assert {color for color in colors if isinstance(color, str)} <= named
    assert {color["fixedColor"] for color in colors if isinstance(color, dict) and "fixedColor" in color} <= named


@OF_ALL
def test_no_panel_draws_a_line_for_each_vm_without_a_limit(name: str) -> None:
    # One VM, a sum over VMs, or those that lead; a table shows what somebody may have to look at, and can be filtered.
    for panel in panels(PAGES[name]):
        for target in panel["targets"]:
            expr = target["expr"]
            for metric in re.findall(r"\b(gigas_vm_\w+?)(?:_bucket)?\{", expr):
                limited = "$vm_id" in expr or "$top" in expr or metric == "gigas_vm_lock_duration_seconds"
                summed = re.match(r"(count|sum)\(|sum by \(account\) \(", expr) is not None
                filtered = panel["fieldConfig"]["defaults"].get("custom", {}).get("filterable") is True
                assert limited or summed or filtered, f"{panel['title']}: {metric}"


@OF_ALL
def test_a_vm_is_told_apart_by_account_and_id_and_named_last(name: str) -> None:
    for each in asked(name):
        grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", each.expr)
        assert all("account" in labels for labels in grouped if "vm_id" in labels), each.where
        if "gigas_vm_info" in each.expr and "group_left (vm)" in each.expr:
            assert each.expr.count("gigas_vm_info") == 1, each.where
            assert "* on (account, vm_id) group_left (vm)" in each.expr, each.where


@OF_ALL
def test_every_metric_of_a_dashboard_is_exposed_or_recorded(name: str) -> None:
    expressions = [each.expr for each in asked(name)]
    expressions += [each["query"]["query"] for each in variables(PAGES[name], "query")]
    words = " ".join(expressions)
    histograms = {family.name for family in FAMILIES if family.type == "histogram"}
    exposed = {family.name for family in FAMILIES} | EVERYBODYS | OF_A_PROCESS
    exposed |= {f"{histogram}_{part}" for histogram in histograms for part in ("bucket", "count", "sum")}
    named = set(re.findall(r"\b(?:gigas|process|scrape)_\w+", re.sub(r"[\w:]+:[\w:]+", "", words)))
    assert named
    assert named <= exposed
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text()))
    assert set(re.findall(r"\b\w+:[\w:]+", re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", words))) <= recorded


@OF_ALL
def test_a_recorded_series_is_never_needed(name: str) -> None:
    # The dashboards are of use to who does not load our rules.
    for each in asked(name):
        if "gigas:" in each.expr:
            assert " or vector(" in each.expr, each.where


@OF_ALL
def test_each_dashboard_leads_to_the_other_two_and_to_nothing_that_is_not_there(name: str) -> None:
    pages = {page["uid"]: page for page in PAGES.values()}
    page = PAGES[name]
    assert {urlsplit(link["url"]).path.removeprefix("/d/") for link in page["links"]} == set(pages) - {page["uid"]}
    assert all(link["keepTime"] for link in page["links"])
    urls = [each["url"] for each in inside(page) if isinstance(each, dict) and each.get("url")]
    for url in urls:
        split = urlsplit(url)
        target = pages[split.path.removeprefix("/d/")]
        known = {each["name"] for each in target["templating"]["list"]}
        given = {name.removeprefix("var-") for name in parse_qs(split.query) if name.startswith("var-")}
        given |= set(re.findall(r"\$\{(\w+):queryparam\}", url))
        assert "datasource" in given
        assert given <= known


def test_a_row_or_line_of_a_vm_leads_to_its_page_with_account_and_id() -> None:
    (vm,) = (page["uid"] for page in PAGES.values() if page["title"] == "Gigas VM")
    for panel in panels(PAGES["fleet"]):
        if any("group_left (vm)" in target["expr"] for target in panel["targets"]):
            urls = [each["url"] for each in inside(panel["fieldConfig"]) if isinstance(each, dict) and each.get("url")]
            assert urls, panel["title"]
            for url in urls:
                assert url.startswith(f"/d/{vm}?"), panel["title"]
                assert {"var-account", "var-vm_id"} <= set(parse_qs(urlsplit(url).query))
                assert "${__url_time_range}" in url


def test_what_is_provisioned_is_what_the_reader_is_told_to_copy() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/gigas-exporter.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    readme = (GRAFANA / "README.md").read_text()
    assert provider["options"]["path"] in readme
    assert source["url"].removeprefix("http://") in readme
