"""How VMs live: CPU and traffic of any bucket as pure functions of seed, VM and bucket."""

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["LIVES", "Life", "chance"]

_DAY_S = 86_400.0
_FOUR = struct.Struct(">4Q")

Life = Callable[[float, tuple[float, ...]], tuple[float, float, float]]
"""From an instant and four chances to: CPU ratio, bytes per second in, bytes per second out."""


def chance(*what: object) -> tuple[float, ...]:
    """Four numbers within [0, 1), the same for the same arguments everywhere."""
    digest = hashlib.blake2b("/".join(map(str, what)).encode(), digest_size=32).digest()
    return tuple((number >> 11) * 2.0**-53 for number in _FOUR.unpack(digest))


def _day(at_s: float) -> float:
    """The rhythm of a day: 0 at four in the morning, 1 at four in the afternoon (UTC)."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * (at_s % _DAY_S / _DAY_S - 4 / 24))


def _web(at_s: float, luck: tuple[float, ...]) -> tuple[float, float, float]:
    load = 0.1 + 0.5 * _day(at_s) + 0.15 * luck[0]
    return load, 2e5 * load * (0.7 + 0.6 * luck[1]), 2e6 * load * (0.7 + 0.6 * luck[2])


def _database(at_s: float, luck: tuple[float, ...]) -> tuple[float, float, float]:
    load = 0.3 + 0.1 * _day(at_s) + 0.1 * luck[0]
    return load, 8e5 * load * (0.9 + 0.2 * luck[1]), 9e5 * load * (0.9 + 0.2 * luck[2])


def _batch(_: float, luck: tuple[float, ...]) -> tuple[float, float, float]:
    busy = luck[3] < 0.2
    return (0.85 + 0.14 * luck[0], 5e6 * luck[1], 1e5 * luck[2]) if busy else (0.03 * luck[0] + 0.002, 0.0, 0.0)


def _idle(_: float, luck: tuple[float, ...]) -> tuple[float, float, float]:
    return 0.001 + 0.004 * luck[0], 40.0 * (luck[1] < 0.3), 40.0 * (luck[1] < 0.3) * luck[2]


LIVES: Mapping[str, Life] = MappingProxyType({"web": _web, "database": _database, "batch": _batch, "idle": _idle})
