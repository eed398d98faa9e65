"""Durations as Go and Prometheus write them."""

import math
import re

__all__ = ["duration_s"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def duration_s(value: object) -> float:
    """Return seconds. Raises ValueError.

    >>> [duration_s(value) for value in ("500ms", "30s", "1h30m", 15, "2.5")]
    [0.5, 30.0, 5400.0, 15.0, 2.5]
    """
    if isinstance(value, bool):
        raise ValueError("not a duration")
    text = str(value).strip()
    if _WHOLE.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    seconds = float(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("not a duration")
    return seconds
