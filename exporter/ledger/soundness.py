"""What holds of every record: one that says otherwise was not written so by this program."""

from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from msgspec import Struct

from exporter.counting import Grid, Run, Series, Spell, Window
from exporter.ledger.record import AccountRecord, CpuAccount, ListedVm, VmRecord
from exporter.ledger.typed import mistyped

__all__ = ["faults"]


def faults(record: AccountRecord | VmRecord | ListedVm) -> list[str]:
    """What is wrong with a record, each as `field: what`.

    >>> faults({"label": "web-1", "cpus": 2})
    []
    """
    wrong = list(mistyped(record, type(record) if isinstance(record, Struct) else ListedVm))
    return wrong or [f"{where}: {what}" for where, part in _parts(record, "") for what in _impossible(part)]


def _parts(part: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The structs in a record, each with where it is."""
    if isinstance(part, Struct):
        yield where or "it", part
        inside = {name: getattr(part, name) for name in part.__struct_fields__}
    else:
        inside = dict(part) if isinstance(part, Mapping) else {}
    for name, value in inside.items():
        yield from _parts(value, f"{where}.{name}".lstrip("."))


@singledispatch
def _impossible(_: object) -> Iterator[str]:
    yield from ()


@_impossible.register
def _(record: VmRecord) -> Iterator[str]:
    if min(record.renames, record.status_changes, record.absences) < 0:
        yield "counts less than nothing"


@_impossible.register
def _(spell: Spell) -> Iterator[str]:
    if spell.begun < 0 or spell.lasted_s < 0:
        yield "counts less than nothing"


@_impossible.register
def _(window: Window) -> Iterator[str]:
    if window.width_ms <= 0:
        yield "has buckets without width"
    if any(value is not None and value < 0 for value in window.values):
        yield "has a bucket below nothing"


@_impossible.register
def _(cpu: CpuAccount) -> Iterator[str]:
    if wrong := list(mistyped(cpu.told, Window, "list")):
        yield from wrong
    else:
        yield from (f"its list {what}" for what in _impossible(cpu.told))


@_impossible.register
def _(grid: Grid) -> Iterator[str]:
    if grid.width_ms <= 0 or grid.count <= 0:
        yield "has buckets without width, or none"


@_impossible.register
def _(series: Series) -> Iterator[str]:
    if series.base < 0 or series.exposed < 0:
        yield "counts less than nothing"
    if series.settled_ms > series.left_ms:
        yield "has settled what is still in the window"
    if wrong := list(mistyped(series.runs, tuple[Run, ...], "horizon")):
        yield from wrong
        return
    if not all(width_ms > 0 and values for _, width_ms, _, values in series.runs):
        yield "has buckets without width, or none"
        return
    reached_ms = series.settled_ms
    for bucket in series.buckets():
        if bucket.value < 0:
            yield f"has a bucket below nothing at {bucket.start_ms}"
        if not reached_ms <= bucket.start_ms < bucket.end_ms:
            yield f"has a bucket out of order at {bucket.start_ms}"
        reached_ms = max(reached_ms, bucket.end_ms)
