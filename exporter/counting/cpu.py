"""Lists of CPU chunks carry no times: where does the last chunk end?"""

import re
from collections.abc import Sequence
from functools import lru_cache

from exporter.counting.window import Window

__all__ = ["end_hint", "place", "width_of_time_units"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_ENGLISH = ("second", "sec", "minute", "min", "hour", "hr", "day", "week")
_SPANISH = {"segundo": "s", "minuto": "m", "hora": "h", "día": "d", "dia": "d", "semana": "w"}
_UNIT = re.compile(r"(\d+(?:[.,]\d+)?)?[\s_-]*([a-zí]+)")
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

_REACH = 3
"""By how many chunks the clock may be wrong about the end of a list, as it is for a moment when a chunk ends."""
_SEVERAL = 3
"""So many different values that agree are no chance."""
_FARTHEST = 64
"""How far ends are tried: the shortest lists have a dozen chunks."""


@lru_cache(64)
def width_of_time_units(text: str | None) -> float | None:
    """Return the seconds that `time_units` names, in whatever spelling, or None if it names none.

    >>> [width_of_time_units(text) for text in ("5 minutes", "1 day", "Minute", "5min", "90", "00:05:00", "often")]
    [300.0, 86400.0, 60.0, 300.0, 90.0, 300.0, None]
    """
    folded = (text or "").strip().lower()
    if clock := _CLOCK.fullmatch(folded):
        hours, minutes, seconds = map(int, clock.groups())
        return float(hours * 3600 + minutes * 60 + seconds) or None
    if _NUMBER.fullmatch(folded):
        return float(folded) or None
    found = _UNIT.search(folded)
    initial = _initial(found[2]) if found else None
    if found is None or initial is None:
        return None
    count = float(found[1].replace(",", ".")) if found[1] else 1.0
    return count * _SECONDS[initial] or None


def _initial(word: str) -> str | None:
    singular = word.removesuffix("s") if len(word) > 1 else word
    if singular in _SECONDS:
        return singular
    return singular[0] if singular in _ENGLISH else _SPANISH.get(singular)


def end_hint(*, now_ms: int, width_ms: int, grid: Window | None) -> int:
    """Return where a list asked for at `now_ms` (the provider's time) should end: on the grid that a traffic window of
    the same width has shown, else on multiples of the width; with the chunk that is running if that window had it.

    >>> end_hint(now_ms=3_723, width_ms=300, grid=None)
    3600
    >>> end_hint(now_ms=3_723, width_ms=300, grid=Window(20, 300, (1, 2), asked_ms=700))
    3620
    """
    if grid is None or grid.width_ms != width_ms:
        return now_ms // width_ms * width_ms
    ended_ms = grid.end_ms + (now_ms - grid.end_ms) // width_ms * width_ms
    return ended_ms + width_ms if grid.end_ms > grid.asked_ms else ended_ms


def place(values: Sequence[int | None], *, width_ms: int, hint_ms: int, before: Window | None, asked_ms: int) -> Window:
    """Return the list as a window. The clock says that it ends at `hint_ms`; the list before says whether that is so.

    Taken is the end nearest to the hint at which the two lists agree where they overlap. Where values do not change
    (idle, saturated) they agree everywhere and the hint decides; where they agree nowhere, it does too. Ends stay on
    the grid of the list before: chunks that were counted keep their bounds.

    >>> before = Window(0, 10, (1, 2, 3, 4), asked_ms=40)
    >>> place((2, 3, 4, 5), width_ms=10, hint_ms=40, before=before, asked_ms=51).end_ms
    50
    """
    end_ms = hint_ms
    if before is not None and before.width_ms == width_ms:
        shift = round((hint_ms - before.end_ms) / width_ms)
        end_ms = before.end_ms + _moved(before.values, values, shift) * width_ms
    return Window(end_ms - width_ms * len(values), width_ms, tuple(values), asked_ms)


def _moved(before: Sequence[int | None], values: Sequence[int | None], shift: int) -> int:
    """By how many chunks `values` ends after `before`: `shift`, unless another number fits where that one does not.

    Far from the clock's word it takes several different values: a clock that jumped, or a list that does not move on.
    """
    for moved in _nearest_first(len(before), len(values), shift):
        pairs = _overlap(before, values, moved)
        # A few may differ: the newest chunks are corrected now and then.
        common = {old for old, new in pairs if old == new}
        if sum(old == new for old, new in pairs) * 2 <= len(pairs):
            continue
        if moved == shift or len(common) >= _SEVERAL:
            return moved
        if abs(moved - shift) <= _REACH and (len(common) > 1 or _stand_once(common, before, values)):
            return moved
    return shift


@lru_cache(64)  # Most lists are of one length and move by one chunk.
def _nearest_first(before: int, values: int, shift: int) -> tuple[int, ...]:
    """The ends to try: those near the hint, and those at which lists of such lengths overlap at all."""
    overlapping = range(max(1 - before, -_FARTHEST), min(values, _FARTHEST))
    ends = {*range(shift - _REACH, shift + _REACH + 1), *overlapping}
    return tuple(sorted(ends, key=lambda moved: abs(moved - shift)))


def _overlap(before: Sequence[int | None], values: Sequence[int | None], moved: int) -> list[tuple[int, int]]:
    """The chunks that both lists have filled, if the second ends so many after the first."""
    first = len(before) - len(values) + moved
    return [
        (old, new)
        for index, new in enumerate(values)
        if 0 <= first + index < len(before) and (old := before[first + index]) and new
    ]


def _stand_once(common: set[int], before: Sequence[int | None], values: Sequence[int | None]) -> bool:
    """Whether what agrees stands nowhere else in either list: else it may agree by chance."""
    return all(list(each).count(value) == 1 for value in common for each in (before, values))
