"""`bw_stats`: buckets of both directions for each interface."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from exporter.gigas.answers.understanding import NotUnderstood, Number, decoded, loads, number, text, truth
from exporter.gigas.answers.values import MOST_BUCKETS, Tally, Value

__all__ = ["BwStats", "InterfaceTraffic", "read_bw_stats"]


class InterfaceTraffic(Struct, frozen=True, gc=False):
    """Both directions by the buckets' places in the window, up to the last that any interface of the answer has; None
    where there is nothing usable.
    """

    interface_id: str
    network_id: str
    public: bool | None
    traffic_in: tuple[float | None, ...]
    traffic_out: tuple[float | None, ...]


class BwStats(Struct, frozen=True, gc=False):
    """`duplicates`: interfaces that came twice; the first of each is kept."""

    date_from: float | None
    date_to: float | None
    interfaces: tuple[InterfaceTraffic, ...]
    refused: int = 0
    duplicates: int = 0

    @property
    def count(self) -> int:
        """How many buckets are told."""
        return len(self.interfaces[0].traffic_in) if self.interfaces else 0


class _Bucket(Struct, frozen=True, gc=False):
    traffic_in: Value | None = None
    traffic_out: Value | None = None


_NOTHING = _Bucket()
_PLACES = tuple(range(MOST_BUCKETS))


class _Interface(Struct, gc=False):
    interface_id: int | Annotated[str, Meta(min_length=1)]
    network_id: int | str
    is_public: bool | None
    data: dict[Annotated[int, Meta(ge=0, lt=MOST_BUCKETS)], _Bucket]


class _Told(Struct, gc=False):
    """The documented shape, which nearly every answer has."""

    date_from: Number
    date_to: Number
    traffic: list[list[_Interface]]


_TOLD = Decoder(_Told)


def read_bw_stats(body: bytes) -> BwStats:
    """Raises NotUnderstood."""
    told = decoded(_TOLD, body)
    if told is None:
        return _tolerant(loads(body))
    return _bw_stats(told.date_from, told.date_to, [_by_place(each) for few in told.traffic for each in few])


def _by_place(told: _Interface) -> InterfaceTraffic:
    buckets: Iterable[_Bucket] = told.data.values()
    if tuple(told.data) != _PLACES[: len(told.data)]:  # Most answers tell them in their places.
        buckets = [told.data.get(place, _NOTHING) for place in range(1 + max(told.data, default=-1))]
    return InterfaceTraffic(
        str(told.interface_id),
        str(told.network_id),
        told.is_public,
        tuple([bucket.traffic_in for bucket in buckets]),
        tuple([bucket.traffic_out for bucket in buckets]),
    )


def _bw_stats(
    date_from: float | None, date_to: float | None, told: Sequence[InterfaceTraffic], *, refused: int = 0
) -> BwStats:
    first: dict[str, InterfaceTraffic] = {}
    for interface in told:
        first.setdefault(interface.interface_id, interface)
    interfaces = tuple(first.values())
    counts = {len(interface.traffic_in) for interface in interfaces}
    if len(counts) > 1:
        interfaces = tuple([_filled_up(interface, max(counts)) for interface in interfaces])
    return BwStats(date_from, date_to, interfaces, refused, len(told) - len(first))


def _filled_up(interface: InterfaceTraffic, count: int) -> InterfaceTraffic:
    missing = (None,) * (count - len(interface.traffic_in))
    return replace(
        interface, traffic_in=(*interface.traffic_in, *missing), traffic_out=(*interface.traffic_out, *missing)
    )


def _tolerant(told: Any) -> BwStats:
    if not isinstance(told, dict):
        raise NotUnderstood("dict_type")
    if "traffic" not in told:
        raise NotUnderstood("traffic: missing")
    tally = Tally()
    interfaces = [_by_place(_interface(each, tally)) for each in _interfaces(told["traffic"])]
    return _bw_stats(number(told.get("date_from")), number(told.get("date_to")), interfaces, refused=tally.refused)


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


def _interface(told: Any, tally: Tally) -> _Interface:
    # Refused as a whole: an interface left out would look like one that is gone.
    if not isinstance(told, dict):
        raise NotUnderstood("traffic: dict_type")
    interface_id = text(told.get("interface_id"))
    if not interface_id:
        raise NotUnderstood("traffic.interface_id: string_type")
    return _Interface(
        interface_id,
        text(told.get("network_id")) or "",
        truth(told.get("is_public")),
        dict(_buckets(told.get("data"), tally)),
    )


def _buckets(data: Any, tally: Tally) -> Iterator[tuple[int, _Bucket]]:
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
            yield index, _Bucket(tally.value(told.get("traffic_in")), tally.value(told.get("traffic_out")))
        else:
            tally.value("" if told is not None else None)
            yield index, _NOTHING
