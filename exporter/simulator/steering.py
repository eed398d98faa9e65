"""How a person or a test changes a VM at once, without an operation and its lock."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from exporter.simulator.world import Machine

__all__ = ["WrongSteeringError", "steer"]


class WrongSteeringError(ValueError):
    """Something that a VM cannot be steered to."""


def _flag(value: object) -> bool:
    if value not in (True, False):
        raise WrongSteeringError("is true or false")
    return bool(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WrongSteeringError("is a string")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WrongSteeringError("is a whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise WrongSteeringError("is made of numbers from 0 on")
    return float(value)


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _two_or_none(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise WrongSteeringError("is [in, out] or null")
    return _number(value[0]), _number(value[1])


def _plainly(field: str) -> Callable[[Machine, Any, float], None]:
    return lambda machine, value, _: setattr(machine, field, value)


def _locked(machine: Machine, value: Any, _: float) -> None:
    machine.locked, machine.locked_until_at = value, None


def _status(machine: Machine, value: Any, now_s: float) -> None:
    machine.set_status(value, now_s)


def _cpu(machine: Machine, value: Any, now_s: float) -> None:
    machine.forced_cpu.append((now_s, value))


def _traffic(machine: Machine, value: Any, now_s: float) -> None:
    machine.forced_traffic.append((now_s, value))


_STEERABLE: Mapping[str, tuple[Callable[[object], Any], Callable[[Machine, Any, float], None]]] = MappingProxyType(
    {
        "locked": (_flag, _locked),
        "suspended": (_flag, _plainly("suspended")),
        "error": (_flag, _plainly("error")),
        "cdrom": (_flag, _plainly("cdrom")),
        "status": (_text, _status),
        "label": (_text_or_none, _plainly("label")),
        "hostname": (_text, _plainly("hostname")),
        "memory": (_whole, _plainly("memory")),
        "cpus": (_whole, _plainly("cpus")),
        "cpu": (_number_or_none, _cpu),
        "traffic_bytes_per_second": (_two_or_none, _traffic),
    }
)
"""What can be steered: how a value is read, and what it does."""


def steer(machine: Machine, asked: Mapping[str, object], now_s: float) -> None:
    """Change all of it or nothing. What has ended stays as it was. Raises WrongSteeringError."""
    read = []
    for name, value in asked.items():
        if name not in _STEERABLE:
            raise WrongSteeringError(f"cannot steer {name}; known are {', '.join(_STEERABLE)}")
        check, change = _STEERABLE[name]
        try:
            read.append((change, check(value)))
        except WrongSteeringError as error:
            raise WrongSteeringError(f"{name} {error}") from None
    for change, value in read:
        change(machine, value, now_s)
