"""When to look at a VM again: soon after its next bucket can have been published, at an instant of its own.

A VM is due at the end of a bucket, plus its lag (how long after its end a bucket is published, as far as looks have
shown), plus its phase (a fixed share of the width, by hash: VMs whose buckets end together are looked at one after the
other). The lag is the account's usual one, or the VM's own where that is longer: one VM that is late delays no other.

Pure: instants are arguments, in the provider's time; what is returned is a delay.
"""

import hashlib
import math
from dataclasses import dataclass, replace

__all__ = ["Habit", "Learned", "Seen", "after_failure", "next_look", "phase_of"]

_PHASES = 0.5
"""Phases fill half a width: less would crowd the looks, more would age what they find."""
_SHORTEST_LAG = 0.1
"""Where nothing is known, and the least that is learned: what is published sooner is looked at soon enough."""
_LONGEST_LAG = 2.0
_MARGIN = 0.1
"""A bucket that was not there at some age is next looked for at that age and so much."""
_MOST_LEARNED = 0.2
"""What one late bucket may add to a lag: a provider that pauses once must not make every look late for hours."""
_FORGOTTEN = 0.002
"""By this share of a width a lag shrinks in each width: one look in fifty or so is spent on trying less."""
_LATE_VM_SHARE = 0.1
"""How much a late bucket of one VM moves the account's usual lag: a VM that is always late alone does not."""
_SLACK = 0.1
"""A look that comes so much before its time counts as in time: two clocks are never quite of one opinion."""
_RETRY = 0.125
"""A bucket that was not published yet is looked for again after this share of its width, then twice that, …"""
_MOST_DOUBLINGS = 10
_OFF_WIDTHS = 3
"""A VM that is off is looked at once in so many widths: well within the shortest window."""
_UNKNOWN_WIDTH_S = 300.0
"""Where no answer has shown a width yet: what the provider's page documents."""
_FIRST_RETRY_S = 15.0
_LONGEST_RETRY_S = 45.0
"""After faults end, an account is asked again within a minute (contract), the time that a request takes included."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How the buckets of one VM are published, as far as looks have shown. Lags and ages are shares of a width.

    `missed_at`: the end of a bucket that was looked for too early, at the age `missed_age` and for the `misses`-th time
    in a row; it was `absent`, or empty. `zeros_hold`: the last zero that might have been an unfilled bucket turned out
    to be idleness.
    """

    lag: float = _SHORTEST_LAG
    missed_at: float | None = None
    missed_age: float = 0.0
    misses: int = 0
    absent: bool = False
    zeros_hold: bool = False


@dataclass(frozen=True, slots=True)
class Learned:
    """Of an account and collector: the width of its buckets, their usual lag, and when that was last learned."""

    width_s: float | None = None
    lag: float = _SHORTEST_LAG
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look has shown: the end of the last bucket, its width, and whether it and the one before held anything."""

    asked_at: float
    end_at: float
    width_s: float
    filled: tuple[bool, bool]


def phase_of(vm_id: str) -> float:
    """The VM's phase, a share of the width: the same in every process, so that a restart moves nobody.

    >>> 0 <= phase_of("178931011513") < 0.5
    True
    """
    digest = hashlib.blake2b(vm_id.encode(), digest_size=8).digest()
    return _PHASES * int.from_bytes(digest, "big") / 2**64


def next_look(
    learned: Learned, habit: Habit, seen: Seen | None, *, running: bool, phase: float, interval_s: float
) -> tuple[Learned, Habit, float]:
    """Return what is known now and the seconds from `asked_at` to the next look, never less than `interval_s`.

    `seen` is None where the provider has no data.
    """
    if seen is not None:
        seen = _ended(seen)
        learned, habit = _resolved(_aged(learned, seen), habit, seen)
    if not running:
        return learned, _without_misses(habit), max(interval_s, _OFF_WIDTHS * (learned.width_s or _UNKNOWN_WIDTH_S))
    if seen is None:
        return learned, *_without_data(habit, learned.width_s, interval_s)
    habit, delay_s = _due(habit, seen, offset=max(learned.lag, habit.lag) + phase)
    return learned, habit, max(interval_s, delay_s)


def after_failure(failures: int, *, interval_s: float, phase: float) -> float:
    """Return the seconds until a VM is looked at again that could not be, after so many failures in a row.

    The phase spreads them: VMs that failed together must not come back together.
    """
    grown_s = min(interval_s, _FIRST_RETRY_S) * 2.0 ** min(max(0, failures - 1), _MOST_DOUBLINGS)
    return min(grown_s, _LONGEST_RETRY_S) * (1 - phase / 2)


def _due(habit: Habit, seen: Seen, *, offset: float) -> tuple[Habit, float]:
    """The seconds until the next look, where looks are made at `offset` widths after the end of a bucket."""
    last, before = seen.filled
    if not last and not before:  # Idle: nothing is expected of the last bucket, nor told about the lag.
        return habit, _until(seen, offset)
    # A last bucket that is empty while the one before is not may be unfilled: it is the one that is waited for.
    awaited = seen if not last else replace(seen, end_at=seen.end_at + seen.width_s)
    age = (awaited.asked_at - awaited.end_at) / awaited.width_s
    if age < offset - _SLACK:
        return _less_lag(habit) if last and not habit.misses else habit, (offset - age) * seen.width_s
    missed = replace(habit, missed_at=awaited.end_at, missed_age=age, misses=habit.misses + 1, absent=last)
    if not last and habit.zeros_hold:
        return replace(missed, misses=0), _until(awaited, offset)
    retry_s = min(_RETRY * 2.0 ** min(habit.misses, _MOST_DOUBLINGS), 1.0) * seen.width_s
    return missed, retry_s if last else min(retry_s, _until(awaited, offset))


def _less_lag(habit: Habit) -> Habit:
    return replace(habit, lag=max(_SHORTEST_LAG, habit.lag - _FORGOTTEN))


def _aged(learned: Learned, seen: Seen) -> Learned:
    """The usual lag, a little less for the time that has passed, however many VMs were looked at in it."""
    at = seen.asked_at if learned.at is None else max(learned.at, seen.asked_at)
    passed = 0.0 if learned.at is None else (at - learned.at) / seen.width_s
    return Learned(seen.width_s, max(_SHORTEST_LAG, learned.lag - _FORGOTTEN * passed), at)


def _without_data(habit: Habit, width_s: float | None, interval_s: float) -> tuple[Habit, float]:
    """Once a width; while no width is known, soon and then ever later: a VM that was just made has no data at first."""
    grown_s = interval_s * 2.0 ** min(habit.misses, _MOST_DOUBLINGS)
    delay_s = width_s if width_s is not None else min(grown_s, _UNKNOWN_WIDTH_S)
    return replace(_without_misses(habit), misses=habit.misses + 1), max(interval_s, delay_s)


def _without_misses(habit: Habit) -> Habit:
    return replace(habit, missed_at=None, missed_age=0.0, misses=0)


def _ended(seen: Seen) -> Seen:
    """Without a bucket that has not ended yet. What was before the one before it is not told; take it to be alike."""
    if seen.end_at <= seen.asked_at:
        return seen
    return Seen(seen.asked_at, seen.end_at - seen.width_s, seen.width_s, (seen.filled[1], seen.filled[1]))


def _resolved(learned: Learned, habit: Habit, seen: Seen) -> tuple[Learned, Habit]:
    """What has become of the bucket that was looked for too early, if there is one: late, idle, or still missing."""
    if habit.missed_at is None:
        return learned, replace(habit, misses=0)
    behind = round((seen.end_at - habit.missed_at) / seen.width_s)
    if behind < 0 or (behind == 0 and not seen.filled[0] and not habit.absent):
        return learned, habit
    if behind > 1:  # It is out of sight, so that nobody can tell.
        return learned, _without_misses(habit)
    if not seen.filled[behind] and not habit.absent:
        return learned, replace(_without_misses(habit), zeros_hold=True)
    late = habit.missed_age + _MARGIN
    own = min(late, max(learned.lag, habit.lag) + _MOST_LEARNED, _LONGEST_LAG)
    usual = learned.lag + _LATE_VM_SHARE * max(0.0, min(late, _LONGEST_LAG) - learned.lag)
    zeros_hold = habit.zeros_hold and habit.absent
    habit = replace(_without_misses(habit), lag=max(habit.lag, own), zeros_hold=zeros_hold)
    return replace(learned, lag=usual), habit


def _until(seen: Seen, offset: float) -> float:
    """The seconds until the next instant at `offset` after the end of a bucket, whichever bucket."""
    age = (seen.asked_at - seen.end_at) / seen.width_s
    widths = max(0, math.ceil(age + _SLACK - offset))
    return (offset + widths - age) * seen.width_s
