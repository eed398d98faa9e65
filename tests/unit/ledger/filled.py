"""Records in which every field holds something of its type that is not its default."""

import types
import typing
from collections.abc import Mapping
from itertools import count
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct

from exporter.counting import Horizon, KeptWindow, Run, Window, horizon_of

__all__ = ["default_of", "filled"]

_Record = TypeVar("_Record")


def filled(kind: type[_Record], **chosen: Any) -> _Record:
    """A record made from its own description: a field that is added tomorrow is filled, too."""
    record = _filled(kind, count(1), chosen)
    assert isinstance(record, kind)
    return record


def default_of(each: Any) -> Any:
    """The default of a struct's field; nothing is equal to that of one that has none."""
    if each.default_factory is not NODEFAULT:
        return each.default_factory()
    return object() if each.default is NODEFAULT else each.default


def _filled(kind: Any, numbers: "count[int]", chosen: Mapping[str, Any] = types.MappingProxyType({})) -> Any:
    hints = typing.get_type_hints(kind)
    names = kind.__struct_fields__ if issubclass(kind, Struct) else list(hints)
    return kind(**{name: chosen[name] if name in chosen else _value(hints[name], numbers) for name in names})


def _value(hint: Any, numbers: "count[int]") -> Any:  # noqa: PLR0911 - one for each kind
    inside = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return _value(next(each for each in inside if each is not type(None)), numbers)
    match typing.get_origin(hint) or hint:
        case plain if plain in {int, float, str}:
            # Larger than what 64 bits hold, and no number that is a default.
            return plain(2**70 + next(numbers))
        case plain if plain is bool:
            return True
        case plain if plain is Horizon:
            return horizon_of(_runs(numbers))
        case plain if plain is KeptWindow:
            return filled(Window).rested()
        case plain if plain is tuple:
            return tuple(_value(each, numbers) for each in (inside[:1] * 3 if inside[-1] is Ellipsis else inside))
        case plain if plain is Mapping:
            return {f"key-{next(numbers)}": _value(inside[1], numbers) for _ in range(2)}
        case _:
            return _filled(hint, numbers)


def _runs(numbers: "count[int]") -> tuple[Run, ...]:
    starts = (2**71, 2**71 + 600_000, 2**71 + 1_500_000)
    return tuple((start, 300_000, 7, (2**70 + next(numbers), 2**70 + next(numbers))) for start in starts)
