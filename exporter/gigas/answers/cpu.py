"""`cpu_stats`: a list of percentages without times."""

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder

from exporter.gigas.answers.understanding import NotUnderstood, decoded, loads, text
from exporter.gigas.answers.values import MOST_BUCKETS, Tally, Value

__all__ = ["CpuStats", "read_cpu_stats"]


class CpuStats(Struct, frozen=True, gc=False):
    """`values`: percent as sent, None where there is nothing usable; `refused`: how many of those were there."""

    time_units: str | None
    values: tuple[float | None, ...]
    refused: int = 0


class _Told(Struct, gc=False):
    """The documented shape, which nearly every answer has."""

    data: Annotated[tuple[Value | None, ...], Meta(max_length=MOST_BUCKETS)]
    time_units: str | None = None


_TOLD = Decoder(_Told)


def read_cpu_stats(body: bytes) -> CpuStats:
    """Raises NotUnderstood."""
    told = decoded(_TOLD, body)
    return _tolerant(loads(body)) if told is None else CpuStats(told.time_units, told.data)


def _tolerant(told: Any) -> CpuStats:
    if not isinstance(told, dict):
        raise NotUnderstood("dict_type")
    if "data" not in told:
        raise NotUnderstood("data: missing")
    tally = Tally()
    values = _values(told["data"], tally)
    if len(values) > MOST_BUCKETS:
        raise NotUnderstood("data: too_long")
    return CpuStats(text(told.get("time_units")), values, tally.refused)


def _values(data: Any, tally: Tally) -> tuple[float | None, ...]:
    """A list, a list in a list, or places with their values, as traffic has them."""
    match data:
        case None:
            return ()
        case list():
            return tuple(tally.value(each) for each in _flat(data))
        case dict():
            by_index = {index: value for key, value in data.items() if (index := tally.index(key)) is not None}
            return tuple(tally.value(by_index.get(index)) for index in range(max(by_index, default=-1) + 1))
        case _:
            raise NotUnderstood("data: list_type")


def _flat(data: list[Any]) -> Iterator[Any]:
    for each in data:
        if isinstance(each, list):
            yield from each
        else:
            yield each
