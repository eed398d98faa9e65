"""`bw_stats`: buckets of both directions for each interface."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder

from exporter.gigas.answers.understanding import NotUnderstood, decoded, loads, number, text, truth
from exporter.gigas.answers.values import MOST_BUCKETS, Tally, Value

__all__ = ["BwStats", "InterfaceTraffic", "TrafficBucket", "read_bw_stats"]


class TrafficBucket(Struct, frozen=True, gc=False):
    """None for a direction that has nothing usable."""

    traffic_in: Value | None = None
    traffic_out: Value | None = None


class InterfaceTraffic(Struct, frozen=True, gc=False):
    """`buckets`: by their place in the window."""

    interface_id: str
    network_id: str
    public: bool | None
    buckets: Mapping[int, TrafficBucket]

    def placed(self, count: int) -> list[TrafficBucket]:
        """So many buckets, each in its place; where the answer has none, one with nothing in it."""
        if tuple(self.buckets) == _PLACES[:count]:  # As most answers tell them.
            return list(self.buckets.values())
        return [self.buckets.get(place, _NOTHING) for place in range(count)]


_PLACES = tuple(range(MOST_BUCKETS))
_NOTHING = TrafficBucket()


class BwStats(Struct, frozen=True, gc=False):
    """`duplicates`: interfaces that came twice; the first of each is kept."""

    date_from: float | None
    date_to: float | None
    interfaces: tuple[InterfaceTraffic, ...]
    refused: int = 0
    duplicates: int = 0

    @property
    def count(self) -> int:
        """For how many buckets there is room, up to the last that any interface has."""
        return 1 + max([max(interface.buckets, default=-1) for interface in self.interfaces], default=-1)


class _Interface(Struct, gc=False):
    interface_id: int | Annotated[str, Meta(min_length=1)]
    network_id: int | str
    is_public: bool
    data: dict[Annotated[int, Meta(ge=0, lt=MOST_BUCKETS)], TrafficBucket]


class _Told(Struct, gc=False):
    """The documented shape, which nearly every answer has."""

    date_from: int
    date_to: int
    traffic: list[list[_Interface]]


_TOLD = Decoder(_Told)


def read_bw_stats(body: bytes) -> BwStats:
    """Raises NotUnderstood."""
    told = decoded(_TOLD, body)
    if told is None:
        return _tolerant(loads(body))
    interfaces = [
        InterfaceTraffic(str(each.interface_id), str(each.network_id), each.is_public, each.data)
        for few in told.traffic
        for each in few
    ]
    kept = _first_of_each(interfaces)
    return BwStats(number(told.date_from), number(told.date_to), kept, duplicates=len(interfaces) - len(kept))


def _first_of_each(interfaces: Iterable[InterfaceTraffic]) -> tuple[InterfaceTraffic, ...]:
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
    interfaces = [_interface(each, tally) for each in _interfaces(told["traffic"])]
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


def _buckets(data: Any, tally: Tally) -> Iterator[tuple[int, TrafficBucket]]:
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
            yield index, TrafficBucket(tally.value(told.get("traffic_in")), tally.value(told.get("traffic_out")))
        else:
            tally.value("" if told is not None else None)
            yield index, TrafficBucket()
