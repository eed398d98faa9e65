"""Durations as Go and Prometheus write them."""

import re

__all__ = ["duration_s"]

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,  # Go takes the micro sign and the Greek letter.
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_536_000.0,
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_SECONDS_ALONE = re.compile(rf"\+?(?:{_NUMBER})")
_PART = re.compile(rf"({_NUMBER})({'|'.join(_SECONDS)})")
_PARTS = re.compile(rf"\+?(?:{_PART.pattern})+")


def duration_s(value: object) -> float:
    """Return seconds, infinitely many where the digits are too many. Raises ValueError.

    >>> [duration_s(value) for value in ("500ms", "30s", "1h30m", 15, "2.5")]
    [0.5, 30.0, 5400.0, 15.0, 2.5]
    """
    text = str(value).strip()
    if _PARTS.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if _SECONDS_ALONE.fullmatch(text):
        return float(text)
    raise ValueError("not a duration")
