"""Records as JSON text, and back. Integers are of any size there: sums of quanta outgrow 64 bits.

A record is a mapping of its fields by name, so a field that is added with a default needs nothing here (rows that lack
it get the default) unless JSON does not give back what it was given; one that is removed is named in `gone`.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import astuple

from exporter.counting import Bucket, Grid, Horizon, Series, Spell, Window, horizon_of, runs_of
from exporter.ledger.record import AccountRecord, CpuAccount, InterfaceAccount, ListedVm, VmRecord

__all__ = [
    "NotDecoded",
    "account_from",
    "account_text",
    "listed_from",
    "listed_text",
    "vm_from",
    "vm_text",
]

_Record = TypeVar("_Record", bound=Struct)
_Unpacked = TypeVar("_Unpacked")
_Value = TypeVar("_Value")
_Ways = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""To JSON, and back."""


class NotDecoded(Exception):
    """A text that is no record of that kind."""


def _same(value: _Value) -> _Value:
    return value


class _Shape(Generic[_Record]):
    """How a struct is written. `others`: the fields that JSON would not give back; `gone`: fields of old rows."""

    def __init__(self, kind: type[_Record], *, gone: Iterable[str] = (), **others: _Ways) -> None:
        self._kind = kind
        self._names = tuple(kind.__struct_fields__)
        self._values = attrgetter(*self._names)
        self._gone = tuple(gone)
        self._packed = tuple((name, pack) for name, (pack, _) in others.items() if pack is not _same)
        self._unpacked = tuple((name, unpack) for name, (_, unpack) in others.items())

    def pack(self, record: _Record) -> _Record | dict[str, Any]:
        if not self._packed:  # The encoder writes it so by itself.
            return record
        packed = dict(zip(self._names, self._values(record), strict=True))
        for name, pack in self._packed:
            packed[name] = pack(packed[name])
        return packed

    def unpack(self, packed: dict[str, Any]) -> _Record:
        for name in self._gone:
            packed.pop(name, None)
        for name, unpack in self._unpacked:
            if name in packed:
                packed[name] = unpack(packed[name])
        try:
            return self._kind(**packed)
        except TypeError as error:
            raise TypeError(f"{self._kind.__name__}: {error}") from error

    def ways(self) -> _Ways:
        return self.pack, self.unpack


def _optional(ways: _Ways) -> _Ways:
    pack, unpack = ways
    return (
        lambda value: None if value is None else pack(value),
        lambda packed: None if packed is None else unpack(packed),
    )


def _mapping_of(ways: _Ways) -> _Ways:
    pack, unpack = ways
    return (
        lambda mapping: {key: pack(value) for key, value in mapping.items()},
        lambda packed: {key: unpack(value) for key, value in packed.items()},
    )


def _horizon(runs: Iterable[Iterable[Any]]) -> Horizon:
    return horizon_of(tuple((start, width, asked, tuple(values)) for start, width, asked, values in runs))


def _tuples(rows: Iterable[Iterable[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(tuple, rows))


_ROWS: _Ways = (_same, _tuples)
_BUCKET: _Ways = (astuple, lambda row: Bucket(*row))
_GRID = _Shape(Grid).ways()
_SPELL = _Shape(Spell).ways()
_WINDOW = _Shape(Window, values=(_same, tuple)).ways()
_LIST: _Ways = (lambda kept: _WINDOW[0](Window.woken(kept)), lambda packed: _WINDOW[1](packed).rested())
_SERIES = _Shape(Series, horizon=(runs_of, _horizon), newest=_optional(_BUCKET), marks=_ROWS).ways()
_CPU = _Shape(CpuAccount, series=_SERIES, list=_LIST, denied=_ROWS).ways()
_INTERFACE = _Shape(InterfaceAccount, receive=_SERIES, transmit=_SERIES, denied=_ROWS).ways()
_VM = _Shape(
    VmRecord,
    lock=_SPELL,
    suspension=_SPELL,
    cpu=_optional(_CPU),
    interfaces=_mapping_of(_INTERFACE),
    grid=_optional(_WINDOW),
    was_off_ms=_optional((_same, tuple)),
)
_ACCOUNT = _Shape(AccountRecord, grids=_mapping_of(_mapping_of(_GRID)), lateness=_mapping_of((_same, tuple)))

_encode = Encoder().encode
_decode = Decoder().decode


def vm_text(record: VmRecord) -> str:
    """A VM's record as text of one line. Its numbers are finite."""
    return _encode(_VM.pack(record)).decode()


def vm_from(text: str) -> VmRecord:
    """Raises NotDecoded, as those below."""
    return _unpacked(text, _VM.unpack)


def account_text(record: AccountRecord) -> str:
    return _encode(_ACCOUNT.pack(record)).decode()


def account_from(text: str) -> AccountRecord:
    return _unpacked(text, _ACCOUNT.unpack)


def listed_text(listed: ListedVm) -> str:
    return _encode(dict(listed)).decode()


def listed_from(text: str) -> ListedVm:
    return _unpacked(text, _mapping)


def _mapping(packed: Mapping[str, Any]) -> ListedVm:
    if any(isinstance(value, list | dict) for value in packed.values()):
        raise ValueError("holds more than plain values")
    return packed


def _unpacked(text: str, unpack: Callable[[Any], _Unpacked]) -> _Unpacked:
    try:
        return unpack(_decode(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotDecoded(str(error)) from error
