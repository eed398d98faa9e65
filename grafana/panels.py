# ruff: noqa: FBT003 - the setters of the SDK take their one value so
"""What a panel can be here: a graph, numbers, a table, a timeline. Colours are names of Grafana's palette, which it
shades for a dark and for a light page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Protocol

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    MatcherConfig,
    Panel,
    RowPanel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.queries import Query

__all__ = [
    "BAD",
    "DATASOURCE",
    "NEUTRAL",
    "OK",
    "OUTCOMES",
    "WARN",
    "Column",
    "Said",
    "colored",
    "dashed",
    "facts",
    "graph",
    "numbers",
    "placed",
    "rows_of",
    "table_of",
    "timeline",
]

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OK, NEUTRAL, WARN, BAD = "green", "blue", "orange", "red"
WIDTH = 24
"""Of Grafana's grid."""
POINTS = 400
"""Of a line, at most: of a day every five minutes, as wide as a bucket. It bounds what a long range costs."""

Said = Mapping[str, tuple[str, str]]
"""What a value is called, and its colour."""
Steps = Sequence[tuple[str, float | None]]
"""Colours, and from which value on they hold; None: from the lowest."""
Override = tuple[MatcherConfig, list[DynamicConfigValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A table's column, called `title`. `said`: what its values are called; `link`: where a click on one leads."""

    title: str
    unit: str = "string"  # any other unit would show an id as a number: 179 Bil
    width: int | None = None
    said: Said = field(default_factory=dict)
    link: tuple[str, str] | None = None
    steps: Steps = ()
    decimals: int | None = None


class _Builder(Protocol):
    def build(self) -> Panel: ...


def _panel(builder: _Builder, title: str, description: str, size: tuple[int, int], queries: Sequence[Query]) -> Panel:
    """What every panel has. A table's queries are tables already."""
    panel = builder.build()
    panel.title, panel.description, panel.datasource = title, description, DATASOURCE
    panel.grid_pos = GridPos(w=size[0], h=size[1])
    panel.targets = [
        _target(ref, query, as_table=panel.type_val == "table").build()
        for ref, query in zip(ascii_uppercase, queries, strict=False)
    ]
    return panel


def _target(ref: str, query: Query, *, as_table: bool) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .ref_id(ref)
        .datasource(DATASOURCE)
        .editor_mode(QueryEditorMode.CODE)
        .expr(query.expr)
        .legend_format(query.legend)
        .format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
    )
    return target.instant() if query.instant or as_table else target.range()


def _steps(steps: Steps) -> dashboard_builders.ThresholdsConfig:
    return (
        dashboard_builders.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(color=color, value=value) for color, value in steps])
    )


def _mapping(said: Said) -> ValueMap:
    return ValueMap(
        options={
            value: ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(said.items())
        }
    )


def _color(mode: FieldColorModeId) -> dashboard_builders.FieldColor:
    return dashboard_builders.FieldColor().mode(mode)


def _by_name(name: str, **properties: object) -> Override:
    """Properties of the series or column of this name; a `custom_` in front stands for Grafana's `custom.`."""
    values = [
        DynamicConfigValue(id_val=key.replace("custom_", "custom."), value=value) for key, value in properties.items()
    ]
    return MatcherConfig(id_val="byName", options=name), values


def colored(**colors: str) -> list[Override]:
    """A fixed colour where the name of a line ends so; the others take theirs from the palette."""
    return [
        (
            MatcherConfig(id_val="byRegexp", options=f"/{name}$/"),
            [DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})],
        )
        for name, color in colors.items()
    ]


OUTCOMES = colored(ok=OK, idle=NEUTRAL, waiting="purple", stale=WARN, failing=BAD)
"""Of the collectors, for each VM."""


def dashed(name: str, color: str) -> Override:
    """A limit that others are compared with: no more than a dashed line."""
    return _by_name(
        name,
        color={"mode": "fixed", "fixedColor": color},
        custom_lineStyle={"fill": "dash", "dash": [8, 8]},
        custom_fillOpacity=0,
    )


def _legend(kind: str) -> common_builders.VizLegendOptions:
    """`list`: below. `table`: below, with the newest and the highest value. `beside`: the same, at the right."""
    legend = common_builders.VizLegendOptions().show_legend(True)
    if kind == "list":
        return legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM).calcs([])
    beside = common.LegendPlacement.RIGHT if kind == "beside" else common.LegendPlacement.BOTTOM
    return (
        legend.display_mode(common.LegendDisplayMode.TABLE)
        .placement(beside)
        .calcs(["lastNotNull", "max"])
        .sort_by("Max")
        .sort_desc(True)
    )


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    size: tuple[int, int],
    legend: str = "list",
    stacked: bool = False,
    most: float | None = None,
    overrides: Sequence[Override] = (),
    axis: str = "",
    at_least: float | None = None,
    link: tuple[str, str] | None = None,
) -> Panel:
    """Lines over time. `most`: where the axis ends, if the values have an end; `at_least`: where it ends while all are
    lower, so that nothing does not look like a hundred. `link`: where a click on a line leads.
    """
    builder = (
        timeseries.Panel()
        .unit(unit)
        .min(0)
        .interval("1m")  # the collectors look no more often: a shorter step shows nothing more
        .max_data_points(POINTS)
        .color_scheme(_color(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(60 if stacked else 0)
        .show_points(common.VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(_legend(legend))
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if stacked:
        builder.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if most is not None:
        builder.max(most)
    if at_least is not None:
        builder.axis_soft_max(at_least)
    if axis:
        builder.axis_label(axis)
    if link is not None:
        builder.data_links([dashboard_builders.DashboardLink(link[0]).url(link[1])])
    for matcher, properties in overrides:
        builder.with_override(matcher, properties)
    return _panel(builder, title, description, size, queries)


def numbers(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    size: tuple[int, int] = (3, 4),
    steps: Steps = ((NEUTRAL, None),),
    said: Said | None = None,
    text: common.BigValueTextMode = common.BigValueTextMode.VALUE,
    filled: bool = False,
    decimals: int | None = None,
    none: str = "",
    overrides: Sequence[Override] = (),
) -> Panel:
    """The newest value of each series, in large. `filled`: the background has its colour. `none`: said of no series."""
    builder = (
        stat.Panel()
        .unit(unit)
        .color_scheme(_color(FieldColorModeId.THRESHOLDS))
        .thresholds(_steps(steps))
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .color_mode(common.BigValueColorMode.BACKGROUND if filled else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(text)
    )
    if said:
        builder.mappings([_mapping(said)])
    if decimals is not None:
        builder.decimals(decimals)
    if none:
        builder.no_value(none)
    for matcher, properties in overrides:
        builder.with_override(matcher, properties)
    instant = [Query(query.expr, query.legend, instant=True) for query in queries]
    return _panel(builder, title, description, size, instant)


def timeline(title: str, description: str, queries: Mapping[str, tuple[str, Said]], *, size: tuple[int, int]) -> Panel:
    """A row for each: its expression, and what its values are called."""
    builder = (
        statetimeline.Panel()
        .unit("string")
        .interval("1m")
        .color_scheme(_color(FieldColorModeId.FIXED))
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(common_builders.VizLegendOptions().show_legend(False).display_mode(common.LegendDisplayMode.LIST))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    )
    for name, (_, said) in queries.items():
        builder.with_override(*_by_name(name, mappings=[_mapping(said)]))
    return _panel(builder, title, description, size, [Query(expr, name) for name, (expr, _) in queries.items()])


def table_of(
    title: str,
    description: str,
    queries: Sequence[str],
    columns: Mapping[str, Column],
    *,
    size: tuple[int, int],
    sort: Sequence[str] = (),
    filtered: bool = False,
) -> Panel:
    """A row for each set of labels; `columns` in their order, by label or, of the queries, `A`, `B`. Other labels are
    left out. `sort`: the titles by which it is sorted, the largest first. `filtered`: the reader can filter.
    """
    builder = (
        table.Panel()
        .unit("string")
        .filterable(filtered)
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .sort_by([common_builders.TableSortByFieldState().display_name(each).desc(True) for each in sort])
    )
    for column in columns.values():
        builder.with_override(*_of_column(column))
    names = {_field(key, alone=len(queries) == 1): column.title for key, column in columns.items()}
    builder.transformations(
        [
            DataTransformerConfig(id_val="merge", options={}),
            DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(names)}}),
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {},
                    "indexByName": {name: index for index, name in enumerate(names)},
                    "renameByName": names,
                },
            ),
        ]
    )
    return _panel(builder, title, description, size, [Query(expr, "") for expr in queries])


def _field(key: str, *, alone: bool) -> str:
    """A single upper-case letter is a query's value, as Grafana calls it; anything else is a label."""
    if key not in ascii_uppercase:
        return key
    return "Value" if alone else f"Value #{key}"


def _of_column(column: Column) -> Override:
    properties: dict[str, object] = {"unit": column.unit}
    if column.width is not None:
        properties["custom_width"] = column.width
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.said:
        properties["mappings"] = [_mapping(column.said)]
    if column.steps:
        properties["thresholds"] = _steps(column.steps).build()
    if column.said or column.steps:
        properties["custom_cellOptions"] = {"type": "color-text"}
    if column.link:
        title, url = column.link
        properties["links"] = [{"title": title, "url": url, "targetBlank": False}]
    return _by_name(column.title, **properties)


def facts(title: str, description: str, expr: str, labels: Sequence[str], *, size: tuple[int, int]) -> Panel:
    """What these labels of one series say, a row each."""
    builder = (
        table.Panel()
        .unit("string")
        .filterable(False)
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .transformations(
            [
                DataTransformerConfig(id_val="labelsToFields", options={"mode": "rows", "keepLabels": list(labels)}),
                DataTransformerConfig(
                    id_val="organize",
                    options={
                        "excludeByName": {},
                        "indexByName": {},
                        "renameByName": {"label": "Field", "value": "As listed"},
                    },
                ),
            ]
        )
    )
    panel = _panel(builder, title, description, size, [])
    panel.targets = [_target("A", Query(expr, "", instant=True), as_table=False).build()]
    return panel


def rows_of(*rows: tuple[str, Sequence[Panel]]) -> list[Panel | RowPanel]:
    """Panels under headings; the first without one, if its heading is empty."""
    under: list[Panel | RowPanel] = []
    for heading, panels in rows:
        if heading:
            under.append(RowPanel(title=heading, grid_pos=GridPos(w=WIDTH, h=1), panels=[]))
        under += panels
    return under


def placed(panels: Sequence[Panel | RowPanel]) -> list[Panel | RowPanel]:
    """Each where the page is shortest, as far left as that goes, with a number; a heading below all before it."""
    filled = [0] * WIDTH
    for number, panel in enumerate(panels, start=1):
        at = panel.grid_pos
        assert at is not None  # noqa: S101 - set above, for each
        at.y, at.x = min((max(filled[x : x + at.w]), x) for x in range(WIDTH - at.w + 1))
        filled[at.x : at.x + at.w] = [at.y + at.h] * at.w
        panel.id_val = number
    return list(panels)
