"""What Prometheus answers to a dashboard."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from grafana.asking import filled_in
from tests.grafana.scraped import Scraped

__all__ = ["Range", "answered"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """What the page shows. `began_s`: when the fleet did, which stands for the month's begin."""

    from_s: float
    to_s: float
    step_s: float
    began_s: float

    def values(self) -> dict[str, str]:
        """What Grafana puts in for its own variables."""
        span_s, step_s = round(self.to_s - self.from_s), round(self.step_s)
        return {
            "__range": f"{span_s}s",
            "__range_s": str(span_s),
            "__interval": f"{step_s}s",
            "__interval_ms": str(step_s * 1000),
            "__rate_interval": "1m",
        }


async def answered(fleet: Scraped, panel: Json, values: Mapping[str, str], shown: Range) -> Json:
    """The panel with an answer to each of its targets."""
    if "timeFrom" in panel:
        shown = replace(shown, from_s=shown.began_s)
    answers = []
    for target in panel.get("targets", []):
        query = {"query": filled_in(target["expr"], {**values, **shown.values()})}
        if target.get("instant"):
            answer = await fleet.ask("query", query | {"time": f"{shown.to_s:.3f}"})
        else:
            bounds = {"start": f"{shown.from_s:.3f}", "end": f"{shown.to_s:.3f}", "step": f"{shown.step_s:g}"}
            answer = await fleet.ask("query_range", query | bounds)
        answers.append(answer["result"])
    return panel | {"answers": answers}
