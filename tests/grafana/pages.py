"""The dashboards as they are committed, and what Grafana asks for them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana import DASHBOARDS, FOLDER

__all__ = ["GRAFANA", "PAGES", "Asked", "annotations", "asked", "panels", "variables"]

GRAFANA = Path(__file__).parents[2] / "grafana"
Json = dict[str, Any]
PAGES: dict[str, Json] = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in DASHBOARDS}


@dataclass(frozen=True)
class Asked:
    """An expression; `where`: dashboard and panel, annotation or variable; `shown`: the panel's kind."""

    where: str
    expr: str
    legend: str = ""
    instant: bool = False
    shown: str = ""


def panels(page: Json) -> list[Json]:
    """All but the headings."""
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def variables(page: Json, *kinds: str) -> list[Json]:
    return [each for each in page["templating"]["list"] if each["type"] in kinds]


def annotations(page: Json) -> list[Json]:
    listed: list[Json] = page["annotations"]["list"]
    return listed


def asked(name: str) -> Iterator[Asked]:
    """Every expression of every panel and annotation."""
    page = PAGES[name]
    for panel in panels(page):
        for target in panel["targets"]:
            yield Asked(
                f"{name}: {panel['title']}: {target['refId']}",
                target["expr"],
                target["legendFormat"],
                target.get("instant", False),
                panel["type"],
            )
    for annotation in annotations(page):
        yield Asked(f"{name}: annotation {annotation['name']}", annotation["expr"])
