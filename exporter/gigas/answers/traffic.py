"""`bw_stats`: buckets of both directions for each interface."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from exporter.gigas.answers.understanding import NotUnderstood, loads, number, text, truth
from exporter.gigas.answers.values import MOST_BUCKETS, Tally, Value

__all__ = ["BwStats", "InterfaceTraffic", "read_bw_stats"]


class InterfaceTraffic(NamedTuple):
    """`buckets`: place in the window to (in, out), None for a direction that has nothing usable."""

    interface_id: str
    network_id: str
    public: bool | None
    buckets: Mapping[int, tuple[float | None, float | None]]


class BwStats(NamedTuple):
    """`duplicates`: interfaces that came twice; the first of each is kept."""

    date_from: float | None
    date_to: float | None
    interfaces: tuple[InterfaceTraffic, ...]
    refused: int = 0
    duplicates: int = 0


class _Bucket(TypedDict):
    traffic_in: NotRequired[Value | None]
    traffic_out: NotRequired[Value | None]


class _Interface(TypedDict):
    interface_id: int | str
    network_id: int | str
    is_public: bool
    data: dict[Annotated[int, Field(ge=0, lt=MOST_BUCKETS)], _Bucket]


class _Told(TypedDict):
    """The documented shape, which nearly every answer has."""

    date_from: int
    date_to: int
    traffic: list[list[_Interface]]


_TOLD = TypeAdapter(_Told)


def read_bw_stats(body: bytes) -> BwStats:
    """Raises NotUnderstood."""
    try:
        told = _TOLD.validate_json(body)
    except ValidationError:
        told = None
    if told is None:
        return _tolerant(loads(body))
    interfaces = tuple(_documented(each) for few in told["traffic"] for each in few)
    kept = _first_of_each(interfaces)
    return BwStats(number(told["date_from"]), number(told["date_to"]), kept, duplicates=len(interfaces) - len(kept))


def _documented(told: _Interface) -> InterfaceTraffic:
    return InterfaceTraffic(
        str(told["interface_id"]),
        str(told["network_id"]),
        told["is_public"],
        {index: (bucket.get("traffic_in"), bucket.get("traffic_out")) for index, bucket in told["data"].items()},
    )


def _first_of_each(interfaces: tuple[InterfaceTraffic, ...]) -> tuple[InterfaceTraffic, ...]:
    first: dict[str, InterfaceTraffic] = {}
    for interface in interfaces:
        first.setdefault(interface.interface_id, interface)
    return tuple(first.values())


def _tolerant(told: Any) -> BwStats:
    if not isinstance(told, dict):
        raise NotUnderstood("dict_type")
    if "traffic" not in told:
        raise NotUnderstood("traffic: missing")
    tally = Tally()
    interfaces = tuple(_interface(each, tally) for each in _interfaces(told["traffic"]))
    kept = _first_of_each(interfaces)
    return BwStats(
        number(told.get("date_from")),
        number(told.get("date_to")),
        kept,
        refused=tally.refused,
        duplicates=len(interfaces) - len(kept),
    )


def _interfaces(traffic: Any) -> Iterator[Any]:
    """Interfaces in lists, in one list, or `{}` where there is no data."""
    if traffic is None or traffic == {}:
        return
    if not isinstance(traffic, list):
        raise NotUnderstood("traffic: list_type")
    for each in traffic:
        if isinstance(each, list):
            yield from each
        elif each != {}:
            yield each


def _interface(told: Any, tally: Tally) -> InterfaceTraffic:
    # Refused as a whole: an interface left out would look like one that is gone.
    if not isinstance(told, dict):
        raise NotUnderstood("traffic: dict_type")
    interface_id = text(told.get("interface_id"))
    if not interface_id:
        raise NotUnderstood("traffic.interface_id: string_type")
    return InterfaceTraffic(
        interface_id,
        text(told.get("network_id")) or "",
        truth(told.get("is_public")),
        dict(_buckets(told.get("data"), tally)),
    )


def _buckets(data: Any, tally: Tally) -> Iterator[tuple[int, tuple[float | None, float | None]]]:
    match data:
        case None:
            return
        case dict():
            keyed = [(index, told) for key, told in data.items() if (index := tally.index(key)) is not None]
            keyed.sort(key=lambda each: each[0])
        case list() if len(data) <= MOST_BUCKETS:
            keyed = list(enumerate(data))
        case _:
            raise NotUnderstood("traffic.data: dict_type")
    for index, told in keyed:
        if isinstance(told, dict):
            yield index, (tally.value(told.get("traffic_in")), tally.value(told.get("traffic_out")))
        else:
            tally.value("" if told is not None else None)
            yield index, (None, None)
