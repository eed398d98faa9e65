"""A script of faults: how it is written, and which fault strikes a request."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import yaml

from exporter.simulator.faults import FAULTS, Fault
from exporter.simulator.lives import chance

__all__ = ["Script", "load_faults"]

_HIGHEST_STATUS = 599


def load_faults(text: str) -> tuple[Fault, ...]:
    """Read a list of faults, YAML or JSON. Raises ValueError with a line that says what is wrong."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"faults: not valid YAML{f', line {mark.line + 1}' if mark else ''}") from error
    if not isinstance(told, list | None):
        raise ValueError("faults: not a list; write `- kind: status`")
    return tuple(_fault(position, each) for position, each in enumerate(told or []))


def _fault(position: int, told: object) -> Fault:
    if not isinstance(told, dict):
        raise ValueError(f"faults.{position}: not a mapping; write `kind: status`")
    known = [each.name for each in fields(Fault) if each.init]
    for key in told:
        if key not in known:
            raise ValueError(f"faults.{position}.{key}: no such key; known are {', '.join(known)}")
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in FAULTS:
        raise ValueError(f"faults.{position}.kind: no such kind; known are {', '.join(FAULTS)}")
    values: dict[str, Any] = {}
    for key, value in told.items():
        if value is None:
            continue
        try:
            values[key] = _READ[key](value)
        except ValueError as error:
            raise ValueError(f"faults.{position}.{key}: {error}") from None
    return Fault(**values)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("not a word")
    return str(value)


def _number(least: float, most: float = math.inf) -> Callable[[object], float]:
    def read(value: object) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not least <= value <= most
            or value == math.inf
        ):
            raise ValueError(f"not a number from {least:g}{f' to {most:g}' if most < math.inf else ' on'}")
        return value

    return read


def _whole(least: int, most: float = math.inf) -> Callable[[object], int]:
    read = _number(least, most)

    def whole(value: object) -> int:
        number = read(value)
        if number != int(number):
            raise ValueError("not a whole number")
        return int(number)

    return whole


def _retry_after(value: object) -> str:
    told = _text(value)
    kind, _, seconds = told.rpartition(":")
    if kind not in ("", "date") or not seconds.isdigit():
        raise ValueError("neither seconds nor `date:30`, a date so many seconds ahead")
    return told


_READ: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        "kind": _text,
        "endpoint": _text,
        "vm": _text,
        "account": _text,
        "since": _number(0),
        "until": _number(0),
        "probability": _number(0, 1),
        "every": _whole(1),
        "times": _whole(0),
        "status": _whole(200, _HIGHEST_STATUS),
        "retry_after": _retry_after,
        "seconds": _number(0),
        "per_second": _number(0),
        "burst": _number(1),
    }
)


@dataclass(slots=True)
class _Line:
    fault: Fault
    met: int = 0
    struck: int = 0


class Script:
    """The faults in force, and how often each has been met and has struck."""

    def __init__(self, faults: tuple[Fault, ...], *, seed: int) -> None:
        self._seed = seed
        self._lines = [_Line(fault) for fault in faults]

    def put(self, faults: tuple[Fault, ...]) -> None:
        """Replace them all; counts begin anew."""
        self._lines = [_Line(fault) for fault in faults]

    def find(self, *, endpoint: str, account: str | None, vm: str | None, after_s: float) -> Fault | None:
        """The first that strikes a request now. `after_s`: seconds since the start of the simulation."""
        for position, line in enumerate(self._lines):
            if _fits(line.fault, endpoint, account, vm, after_s) and self._strikes(position, line):
                return line.fault
        return None

    def _strikes(self, position: int, line: _Line) -> bool:
        fault = line.fault
        line.met += 1
        if fault.times is not None and line.struck >= fault.times:
            return False
        if fault.every is not None and line.met % fault.every:
            return False
        if fault.probability is not None and chance(self._seed, "fault", position, line.met)[0] >= fault.probability:
            return False
        line.struck += 1
        return True


def _fits(fault: Fault, endpoint: str, account: str | None, vm: str | None, after_s: float) -> bool:
    return (
        fault.endpoint in (None, endpoint)
        and fault.account in (None, account)
        and fault.vm in (None, vm)
        and (fault.since is None or after_s >= fault.since)
        and (fault.until is None or after_s < fault.until)
    )
