# ruff: noqa: INP001 - a script beside its output, not a package
"""Writes dashboards/fleet.json: `python grafana/build.py`. What is repeated in a dashboard is said once, here.

No panel draws a line for each VM of a fleet: a panel about VMs shows the `top` of them, chosen once for the whole
range, so that a line does not come and go as VMs overtake each other.
"""

import json
from pathlib import Path
from typing import Any

__all__ = ["FLEET", "fleet"]

FLEET = Path(__file__).parent / "dashboards" / "fleet.json"

Json = dict[str, Any]

_DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
_ACCOUNT = 'account=~"$account"'
_VM = "account, vm_id"
# One name a VM, also where two targets show two names during a rename: a join with two names would fail.
_NAME = f"* on ({_VM}) group_left (vm) topk by ({_VM}) (1, max by ({_VM}, vm) (gigas_vm_info{{{_ACCOUNT}}}))"
_LEGEND = "{{vm}} ({{account}}/{{vm_id}})"
_OK, _WARN, _BAD = "green", "orange", "red"


def _named(expr: str) -> str:
    return f"({expr})\n{_NAME}"


def _top(expr: str, over_range: str) -> str:
    """The VMs of `expr` that lead by `over_range` in the whole range shown."""
    return _named(f"{expr}\nand on ({_VM}) topk($top, {over_range})")


def _traffic(way: str, public: str) -> str:
    series = f'gigas_vm_network_{way}_bytes_total{{{_ACCOUNT}, public="{public}"}}'
    return _top(
        f"8 * sum by ({_VM}) (rate({series}[$window]))",
        f"sum by ({_VM}) (increase({series}[$__range] @ end()))",
    )


def _count(metric: str) -> str:
    return f"count(max by ({_VM}) ({metric}{{{_ACCOUNT}}}) == 1) or vector(0)"


def _target(ref: str, expr: str, legend: str, **more: object) -> Json:
    return {"datasource": _DATASOURCE, "editorMode": "code", "refId": ref, "expr": expr, "legendFormat": legend} | more


def _panel(kind: str, title: str, description: str, unit: str, targets: list[Json], **more: Any) -> Json:
    defaults = {"unit": unit} | more.pop("defaults", {})
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "targets": targets,
    } | more


def _steps(*steps: tuple[str, float | None]) -> Json:
    return {"thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}}


def _stat(title: str, description: str, expr: str, *steps: tuple[str, float | None]) -> Json:
    return _panel(
        "stat",
        title,
        description,
        "short",
        [_target("A", expr, title, instant=True, range=False)],
        defaults={"decimals": 0, "color": {"mode": "thresholds"}} | _steps(*steps),
        options={"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value"},
    )


def _colored(**colors: str) -> list[Json]:
    """A fixed color where the name of a line ends so; the others take theirs from the palette."""
    return [
        {
            "matcher": {"id": "byRegexp", "options": f"/{name}$/"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in colors.items()
    ]


# A legend beside the lines would take most of a narrow panel's width, and cut the names all the same.
_BELOW: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TABLE_BELOW: Json = _BELOW | {"displayMode": "table", "calcs": ["lastNotNull", "max"]}
_TABLE_BESIDE: Json = _TABLE_BELOW | {"placement": "right"}


def _graph(
    title: str,
    description: str,
    unit: str,
    targets: list[Json],
    *,
    legend: Json = _BELOW,
    stacked: bool = False,
    colors: list[Json] | None = None,
    **most: float,
) -> Json:
    custom: Json = {"lineWidth": 1, "fillOpacity": 60 if stacked else 10, "showPoints": "auto", "spanNulls": False}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    return _panel(
        "timeseries",
        title,
        description,
        unit,
        targets,
        interval="1m",
        defaults={"min": 0, "custom": custom, "color": {"mode": "palette-classic"}} | most,
        overrides=colors or [],
        options={"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
    )


def _matters() -> Json:
    """The VMs that somebody may have to look at: a row each, since when."""
    columns = {
        "A": ("Locked since", "gigas_vm_locked_since_timestamp_seconds{%s} * 1000", "dateTimeFromNow"),
        "B": ("Suspended since", "gigas_vm_suspended_since_timestamp_seconds{%s} * 1000", "dateTimeFromNow"),
        "C": ("In error", "gigas_vm_error{%s} == 1", "bool_yes_no"),
    }
    targets = [
        _target(ref, _named(f"max by ({_VM}) ({expr % _ACCOUNT})"), "", format="table", instant=True, range=False)
        for ref, (_, expr, _) in columns.items()
    ]
    return _panel(
        "table",
        "Locked, suspended, in error",
        "When the present lock or suspension was first seen. A VM that is none of these has no row.",
        "string",  # any other unit would show an id as a number: 179 Bil
        targets,
        overrides=[
            {
                "matcher": {"id": "byName", "options": title},
                "properties": [{"id": "unit", "value": unit}, {"id": "custom.width", "value": width}],
            }
            for title, unit, width in (
                ("Id", "string", 130),
                *((title, unit, 130) for title, _, unit in columns.values()),
            )
        ],
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {"vm": 0, "account": 1, "vm_id": 2},
                    "renameByName": {"vm": "VM", "account": "Account", "vm_id": "Id"}
                    | {f"Value #{ref}": title for ref, (title, _, _) in columns.items()},
                },
            },
        ],
        options={"showHeader": True, "cellHeight": "sm"},
    )


def _accounts() -> Json:
    states = {"0": {"text": "failing", "color": _BAD, "index": 0}, "1": {"text": "listed", "color": _OK, "index": 1}}
    return _panel(
        "stat",
        "Accounts",
        "Whether the last listing of each account succeeded. While one fails, the rest of this page shows its VMs as "
        "they were last listed.",
        "short",
        [_target("A", f"min by (account) (gigas_up{{{_ACCOUNT}}})", "{{account}}", instant=True, range=False)],
        defaults={"mappings": [{"type": "value", "options": states}], "color": {"mode": "thresholds"}}
        | _steps((_BAD, None), (_OK, 1)),
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background",
            "textMode": "value_and_name",
        },
    )


def _freshness() -> Json:
    def age(timestamp: str) -> str:
        newest = f"max by ({_VM}) ({timestamp}{{{_ACCOUNT}}})"
        online = f'max by ({_VM}) (gigas_vm_status{{{_ACCOUNT}, status="online"}}) == 1'
        return f"(time() - {newest} and on ({_VM}) {online})"

    targets = []
    for first, (name, metric) in enumerate(
        (("CPU", "gigas_vm_cpu_usage_timestamp_seconds"), ("traffic", "gigas_vm_network_timestamp_seconds"))
    ):
        targets += [
            _target("AC"[first], f"quantile(0.5, {age(metric)})", f"{name}, median"),
            _target("BD"[first], f"max({age(metric)})", f"{name}, oldest"),
        ]
    return _graph(
        "Age of the newest statistics of online VMs",
        "Time since the end of the newest complete chunk (CPU) or bucket (traffic). A VM coming online starts high.",
        "s",
        targets,
    )


def _vm_panels() -> list[tuple[Json, int, int]]:
    cpu = f"gigas_vm_cpu_usage_ratio{{{_ACCOUNT}}}"
    panels = [
        (
            _graph(
                "CPU usage, top VMs",
                "Usage of the whole VM in the newest complete chunk; the VMs with the highest average over the range.",
                "percentunit",
                [
                    _target(
                        "A",
                        _top(f"max by ({_VM}) ({cpu})", f"max by ({_VM}) (avg_over_time({cpu}[$__range] @ end()))"),
                        _LEGEND,
                    )
                ],
                legend=_TABLE_BESIDE,
                max=1,
            ),
            24,
            9,
        )
    ]
    for public, network in (("true", "public"), ("false", "private")):
        for way, word in (("receive", "Received"), ("transmit", "Sent")):
            graph = _graph(
                f"{word} over {network} networks, top VMs",
                "From the counters, averaged over the window chosen above; the VMs with the most over the range. "
                "Buckets are some minutes wide: a shorter window would show their steps. What is made good after an "
                "outage shows as a peak.",
                "bps",
                [_target("A", _traffic(way, public), _LEGEND)],
                legend=_TABLE_BELOW,
            )
            panels.append((graph, 12, 11))
    return panels


def _own_panels() -> list[tuple[Json, int, int]]:
    outcomes = f'sum by (collector, outcome) (gigas_exporter_vms{{{_ACCOUNT}, collector=~"cpu|traffic"}}) > 0'
    requests = f"sum by (endpoint, code) (rate(gigas_exporter_api_requests_total{{{_ACCOUNT}}}[$__rate_interval]))"
    return [
        (_freshness(), 8, 8),
        (
            _graph(
                "VMs by outcome",
                "How the collectors fare: ok, waiting (nothing yet), failing, stale, idle (off).",
                "short",
                [_target("A", outcomes, "{{collector}} {{outcome}}")],
                colors=_colored(stale=_WARN, failing=_BAD),
            ),
            8,
            8,
        ),
        (
            _graph(
                "Requests to the provider",
                "By endpoint and HTTP status, or timeout, connection, invalid.",
                "reqps",
                [_target("A", requests, "{{endpoint}} {{code}}")],
            ),
            8,
            8,
        ),
    ]


def _panels() -> list[tuple[Json, int, int]]:
    """Each panel with its width (of 24) and height, in reading order."""
    statuses = f"sum by (status) (gigas_vms{{{_ACCOUNT}}})"
    return [
        (_accounts(), 6, 5),
        (_stat("VMs", "As last listed.", f"sum(gigas_vms{{{_ACCOUNT}}})", ("blue", None)), 3, 5),
        (
            _stat("Online", "As last listed.", f'sum(gigas_vms{{{_ACCOUNT}, status="online"}})', (_OK, None)),
            3,
            5,
        ),
        (
            _stat("Offline", "As last listed.", f'sum(gigas_vms{{{_ACCOUNT}, status="offline"}})', ("blue", None)),
            3,
            5,
        ),
        (_stat("Locked", "Busy with an operation.", _count("gigas_vm_locked"), (_OK, None), ("yellow", 1)), 3, 5),
        (
            _stat("Suspended", "By the provider, or by a user.", _count("gigas_vm_suspended"), (_OK, None), (_WARN, 1)),
            3,
            5,
        ),
        (_stat("In error", "So marked by the provider.", _count("gigas_vm_error"), (_OK, None), (_BAD, 1)), 3, 5),
        (
            _graph(
                "VMs by status",
                "As listed.",
                "short",
                [_target("A", statuses, "{{status}}")],
                stacked=True,
                colors=_colored(online=_OK, offline="blue", recovery=_WARN, unbuilt="purple"),
            ),
            12,
            9,
        ),
        (_matters(), 12, 9),
        *_vm_panels(),
        *_own_panels(),
    ]


def _placed(panels: list[tuple[Json, int, int]]) -> list[Json]:
    placed = []
    x = y = 0
    for number, (panel, width, height) in enumerate(panels, start=1):
        placed.append({"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}} | panel)
        x += width
        if x >= 24:  # noqa: PLR2004 - the width of Grafana's grid
            x, y = 0, y + height
    return placed


def _variables() -> list[Json]:
    def choice(kind: str, name: str, label: str, query: str, chosen: str, **more: object) -> Json:
        options = [{"text": each, "value": each, "selected": each == chosen} for each in query.split(",")]
        current = {"text": chosen, "value": chosen}
        return {
            "type": kind,
            "name": name,
            "label": label,
            "query": query,
            "current": current,
            "options": options,
        } | more

    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "current": {}},
        {
            "type": "query",
            "name": "account",
            "label": "Account",
            "datasource": _DATASOURCE,
            "query": {"query": "label_values(gigas_account_info, account)", "refId": "account"},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        },
        choice("interval", "window", "Window of rates", "15m,30m,1h,6h,1d", "15m", auto=False),
        choice("custom", "top", "VMs a panel", "5,10,20,50", "10", multi=False, includeAll=False),
    ]


def fleet() -> Json:
    """The dashboard, as Grafana 10 and 11 import it."""
    return {
        "uid": "gigas-fleet",
        "title": "Gigas fleet",
        "description": "Status, locks, CPU usage and traffic of the VMs that gigas-exporter watches.",
        "tags": ["gigas"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "panels": _placed(_panels()),
    }


def as_text() -> str:
    """The dashboard as it is committed."""
    return json.dumps(fleet(), indent=2) + "\n"


if __name__ == "__main__":
    FLEET.write_text(as_text(), encoding="utf-8")
