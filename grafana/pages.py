# ruff: noqa: FBT003 - the setters of the SDK take their one value so
"""A dashboard around its panels: what the reader chooses, where else it leads, what is marked in time."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    RowPanel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.panels import DATASOURCE, placed

__all__ = [
    "EXPORTER",
    "FLEET",
    "VM_PAGE",
    "accounts",
    "chosen",
    "from_series",
    "interval",
    "marked",
    "page",
    "source",
    "typed",
    "vm_url",
]

FLEET, VM_PAGE, EXPORTER = "gigas-fleet", "gigas-vm", "gigas-exporter"
"""The dashboards' addresses in Grafana."""

_LABEL_VALUES, _QUERY_RESULT = 1, 3
"""Kinds of a variable's query, as Grafana's Prometheus data source numbers them."""

_LINKS = {
    FLEET: ("Fleet", f"/d/{FLEET}?${{datasource:queryparam}}&${{account:queryparam}}"),
    # Not the account: that page shows one, and all accounts are none of them.
    VM_PAGE: ("VM", f"/d/{VM_PAGE}?${{datasource:queryparam}}"),
    EXPORTER: ("Exporter", f"/d/{EXPORTER}?${{datasource:queryparam}}&${{account:queryparam}}"),
}


class _Marks(AnnotationQuery):
    """The SDK's model lacks the title of a mark, without which a reader who points at one learns nothing."""

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self.name}


def marked(name: str, expr: str, color: str) -> AnnotationQuery:
    """A mark on every graph, for as long as the expression gives a positive number."""
    return _Marks(name=name, datasource=DATASOURCE, enable=True, icon_color=color, expr=expr)


def source() -> VariableModel:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus").build()


def vm_url(account: str, vm_id: str) -> str:
    """The page of a VM, told by what Grafana puts in for these words."""
    return (
        f"/d/{VM_PAGE}?${{datasource:queryparam}}&var-account=${{{account}}}&var-vm_id=${{{vm_id}}}"
        "&${__url_time_range}"
    )


def from_series(
    name: str, label: str, query: str, *, several: bool = True, every: str | None = None, regex: str = ""
) -> VariableModel:
    """A choice among what Prometheus has: one, or `several` or all. `every`: a pattern that stands for all of them."""
    kind = _QUERY_RESULT if query.startswith("query_result") else _LABEL_VALUES
    builder = (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"qryType": kind, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .regex(regex)
    )
    if several:
        builder.multi(True).include_all(True).current(VariableOption(text=["All"], value=["$__all"], selected=True))
    if every is not None:
        builder.all_value(every)
    return builder.build()


def accounts() -> VariableModel:
    """One account, several, or all."""
    return from_series("account", "Account", "label_values(gigas_account_info, account)", every=".*")


def _options(values: Sequence[str], first: str) -> list[VariableOption]:
    return [VariableOption(text=value, value=value, selected=value == first) for value in values]


def interval() -> VariableModel:
    """Buckets are some minutes wide: a shorter window would show their steps."""
    values = ("15m", "30m", "1h", "6h", "1d")
    return (
        builders.IntervalVariable("window")
        .label("Window of rates")
        .values(",".join(values))
        .options(_options(values, "15m"))
        .current(VariableOption(text="15m", value="15m", selected=True))
        .build()
    )


def chosen(name: str, label: str, values: Sequence[str], first: str) -> VariableModel:
    return (
        builders.CustomVariable(name)
        .label(label)
        .values(",".join(values))
        .options(_options(values, first))
        .current(VariableOption(text=first, value=first, selected=True))
        .build()
    )


def typed(name: str, label: str, default: str, description: str) -> VariableModel:
    """What the reader writes."""
    current = VariableOption(text=default, value=default, selected=True)
    return (
        builders.TextBoxVariable(name)
        .label(label)
        .description(description)
        .default_value(default)
        .current(current)
        .options([current])
        .build()
    )


def page(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[VariableModel],
    panels: Sequence[Panel | RowPanel],
    *,
    marks: Sequence[AnnotationQuery] = (),
) -> Dashboard:
    """The dashboard, with links to the other two."""
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["gigas"])
        .editable()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("1m")
    )
    for other, (name, url) in _LINKS.items():
        if other != uid:
            builder.link(
                builders.DashboardLink(name)
                .type(DashboardLinkType.LINK)
                .icon("dashboard")
                .tooltip(f"Open the dashboard {name}")
                .url(url)
                .keep_time(True)
            )
    dashboard = builder.build()
    dashboard.templating.list_val = list(variables)
    dashboard.annotations.list_val = list(marks)
    dashboard.panels = placed(panels)
    return dashboard
