"""Values as integers, so that years of sums neither drift nor depend on their order."""

from collections.abc import Iterable

__all__ = ["LARGEST", "enter", "entered", "leave"]

_QUANTA_PER_UNIT = 2.0**40
"""Any double of 4 096 or more is a whole number of quanta: a double has 53 bits, 2**12 * 2**40 is the 53rd."""

LARGEST = 2.0**60
"""What a bucket may hold (contract); a larger value is refused before it gets here."""


def enter(value: float) -> int:
    """Return `value` in quanta, rounded to the nearest.

    >>> enter(0.1) + enter(0.2) == enter(0.3)
    True
    """
    return round(value * _QUANTA_PER_UNIT)


def entered(values: Iterable[float | None]) -> tuple[int | None, ...]:
    """Return values in quanta, as `enter` does with each; None stays None."""
    return tuple([None if value is None else _rounded(value * _QUANTA_PER_UNIT) for value in values])


_rounded = float.__round__
"""`round`, which looks first for what its argument would have it do: half of its time."""


def leave(quanta: int) -> float:
    """Return the double nearest to that many quanta.

    >>> leave(enter(130438.94177359999))
    130438.94177359999
    """
    return quanta / _QUANTA_PER_UNIT
