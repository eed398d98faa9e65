"""Whether a record is made of what its own description says: JSON that somebody wrote need not be."""

import math
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import Struct

__all__ = ["mistyped"]


def mistyped(value: Any, hint: Any, where: str = "") -> Iterator[str]:
    """The parts that are of another type, each as `field: what`; `hint` is what the whole should be.

    >>> list(mistyped({"a": 1, "b": "2"}, Mapping[str, int | None]))
    ["b: is not what it should be, but '2'"]
    """
    hint = getattr(hint, "__supertype__", hint)  # What a NewType is.
    inside = typing.get_args(hint)
    match typing.get_origin(hint):
        case types.UnionType if type(value) in inside:
            yield from mistyped(value, type(value), where)
        case types.UnionType:
            if all(any(mistyped(value, each, where)) for each in inside):
                yield _other(value, where)
        case kind if kind is tuple and isinstance(value, tuple):
            yield from _mistyped_parts(value, inside, where)
        case kind if kind is Mapping and isinstance(value, Mapping):
            for key, part in value.items():
                yield from mistyped(part, inside[1], _below(where, key))
        case None if hint is float and type(value) in {int, float}:
            if not math.isfinite(value):
                yield _other(value, where)
        case None if type(value) is hint:
            yield from _mistyped_fields(value, where)
        case _:
            yield _other(value, where)


def _mistyped_parts(value: tuple[Any, ...], hints: tuple[Any, ...], where: str) -> Iterator[str]:
    if hints[-1] is Ellipsis:
        if set(map(type, value)) == {hints[0]} == {int}:
            return
        hints = (hints[0],) * len(value)
    if len(hints) != len(value):
        yield _other(value, where)
        return
    for number, (part, hint) in enumerate(zip(value, hints, strict=True)):
        yield from mistyped(part, hint, _below(where, number))


def _mistyped_fields(value: Any, where: str) -> Iterator[str]:
    for name, hint in _fields(value).items():
        part = getattr(value, name)
        if not (hint is int and type(part) is int):  # Most are, and need no more looking at.
            yield from mistyped(part, hint, _below(where, name))


def _fields(value: object) -> Mapping[str, Any]:
    """Those of a struct or a named tuple; others have none."""
    kind: Any = type(value)
    return _hints(kind) if issubclass(kind, Struct | tuple) else {}


_hints = cache(typing.get_type_hints)


def _below(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)


def _other(value: object, where: str) -> str:
    return f"{where or 'it'}: is not what it should be, but {value!r:.40}"
