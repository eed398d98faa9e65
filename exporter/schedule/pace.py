"""When to look at a VM again: soon after its next bucket can have been published, at an instant of its own.

A VM is due at the end of a bucket, plus a lag (how long after its end a bucket is published, as far as looks have
shown), plus its phase (a fixed share of the width, by hash: VMs whose buckets end together are looked at one after the
other). The lag is such that a small share of all looks come too early: each of those raises it by a step, each that
comes in time lowers it by so much less that the two balance at that share. A lag that differs from bucket to bucket
and from VM to VM is met so with few wasted requests and little age. A VM that is far later than the others as a habit
has a lag of its own: it delays no other. A large fleet learns by larger steps at first, and what it learns holds for
looks that are placed already (`put_off`).

Pure: instants are arguments, in the provider's time; what is returned is a delay.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Habit", "Learned", "Seen", "after_failure", "next_look", "put_off", "together_s"]

_SPREAD = 0.435
"""Phases fill this part of a width: less would crowd the looks, more would age what they find."""
_USUAL_LAG = 0.1
"""Where nothing is known."""
_LONGEST_LAG = 2.0
_EARLY = 0.045
"""This share of the looks may come too early. More would be too many requests, fewer would age all for a few."""
_RISE = 0.2
"""By so much the lag rises in a width in which every bucket is late: a provider that pauses once must not make looks
late for hours."""
_FEW = 5
"""A single VM is as good as so many: one bucket that is late is no reason to move the lag by a fifth of a width."""
_EAGER = 4
"""A fleet of which little is known is taken for one of a quarter of the VMs and looks that have told of the lag, …"""
_LEAST_EAGER = 200
"""… but not for less than that many: chance must not pass for knowledge. So the steps are largest at first."""
_WORTH = 0.01
"""A look that is placed already is put off by no less than this share of a width."""
_LONG_QUIET = 100
"""When so many looks in a row (or two widths of them) were in time, the lag is too long, and shrinks ever faster."""
_HABIT = 3
"""A VM has a lag of its own after so many late buckets in a row, …"""
_FAR = 0.3
"""… if they were late by so much more than the others': who is hardly later counts as one of them."""
_KEPT_LOOKS = 200
"""Then a lag of its own is forgotten. If it is still late, that costs a few early looks."""
_STUBBORN = 4
"""A VM that is hardly later, but so many times in a row, takes its turn after the last, …"""
_STUBBORN_LOOKS = 30
"""… for so many looks: else a few would pay for all that is too early. Not for more: chance makes rows, too."""
_LAST_PHASE = 1.25
"""By then it takes it. Such VMs are mostly those of the lowest phases."""
_SLACK = 0.05
"""A look that comes so much before its time counts as in time: two clocks are never quite of one opinion."""
_RETRY = 0.16
"""A bucket that was not published yet is looked for again after this share of its width, then twice that, …"""
_MOST_DOUBLINGS = 10
_COUNTING_NEEDS = 4
"""A window must hold so many times the buckets that pass between two looks. A bucket is settled at two thirds of the
window: it must be seen in the last third, one that is late, too (`counting.changes_for_ms`)."""
_TOGETHER = 600
_LEAST_TOGETHER_S = 0.05
_MOST_TOGETHER_S = 1.0
_OFF_WIDTHS = 3
"""A VM that is off is looked at once in so many widths: well within the shortest window."""
_UNKNOWN_WIDTH_S = 300.0
"""Where no answer has shown a width yet: what the provider's page documents."""
_FIRST_RETRY_S = 15.0
_LONGEST_RETRY_S = 45.0
"""After faults end, an account is asked again within a minute (contract), the time that a request takes included."""


class Habit(Struct, frozen=True, gc=False):
    """How the buckets of one VM are published, as far as looks have shown. Lags and ages are shares of a width.

    `lag`: its own; None where it has the account's. `there_age`: at what age its buckets are there; where its place is
    earlier, its turn is after the last. Both are kept for `kept_looks` more. `late`: so many buckets in a row were
    looked for too early. `missed_at`: the end of one that was, at the age `missed_age` and for the `misses`-th time in
    a row; it was `absent`, or empty. `zeros_hold`: the last zero that might have been an unfilled bucket turned out to
    be idleness. `placed`: the account's lag by which its next look is placed (None: that has another reason).
    """

    lag: float | None = None
    there_age: float = 0.0
    kept_looks: int = 0
    late: int = 0
    missed_at: float | None = None
    missed_age: float = 0.0
    misses: int = 0
    absent: bool = False
    zeros_hold: bool = False
    placed: float | None = None


class Learned(Struct, frozen=True, gc=False):
    """Of an account and collector: the width of its buckets, their usual lag, and how many looks in a row (at VMs that
    have no lag of their own) were in time. `told`: so many have told of the lag.
    """

    width_s: float | None = None
    lag: float = _USUAL_LAG
    quiet: int = 0
    told: int = 0


class Seen(Struct, frozen=True, gc=False):
    """What a look has shown: the end of the last bucket, its width, and whether it and the one before held anything;
    `buckets`: for how many the answer has room.
    """

    asked_at: float
    end_at: float
    width_s: float
    filled: tuple[bool, bool]
    buckets: int = 0


def together_s(width_s: float | None) -> float:
    """Return how long a look that is due may wait for others, to be begun with them: a 600th of a bucket, or so.

    To wake for each look, and again for each answer, takes longer than the look.

    >>> [together_s(width_s) for width_s in (None, 2.0, 60.0, 300.0, 7200.0)]
    [0.05, 0.05, 0.1, 0.5, 1.0]
    """
    return min(max(_LEAST_TOGETHER_S, (width_s or 0.0) / _TOGETHER), _MOST_TOGETHER_S)


def next_look(
    learned: Learned,
    habit: Habit,
    seen: Seen | None,
    *,
    running: bool,
    phase: float,
    interval_s: float,
    vms: int,
    every_buckets: int = 1,
) -> tuple[Learned, Habit, float]:
    """Return what is known now and the seconds from `asked_at` to the next look, never less than `interval_s`.

    `seen` is None where the provider has no data. `vms`: how many are looked at. A VM is looked at once in
    `every_buckets`, or as often as exactness needs.
    """
    habit, missed = _fading(habit), habit.missed_at is not None
    if seen is not None:
        seen = _ended(seen)
        if learned.width_s != seen.width_s:
            learned = replace(learned, width_s=seen.width_s)
        learned, habit = _resolved(learned, habit, seen, vms=vms)
    if not running:
        return learned, _without_misses(habit), max(interval_s, _OFF_WIDTHS * (learned.width_s or _UNKNOWN_WIDTH_S))
    if seen is None:
        return learned, *_without_data(habit, learned.width_s, interval_s)
    lag = learned.lag if habit.lag is None else habit.lag
    every = max(1, min(every_buckets, seen.buckets // _COUNTING_NEEDS))
    is_last = habit.there_age > lag + _SPREAD * phase
    turn = min(1 + phase, _LAST_PHASE) if is_last else phase
    habit, delay_s = _due(habit, seen, offset=lag + _SPREAD * turn, every=every)
    if seen.filled[0] and habit.missed_at is None and not missed and habit.placed is not None:
        learned, habit = _in_time(learned, habit, is_last=is_last, vms=vms)
    placed = learned.lag if habit.missed_at is None and delay_s >= interval_s else None
    return learned, replace(habit, placed=placed), max(interval_s, delay_s)


def put_off(learned: Learned, habit: Habit) -> tuple[Habit, float]:
    """Return by how many seconds a look that was placed a width ago is due later, if the lag has risen since.

    >>> put_off(Learned(width_s=300.0, lag=0.25), Habit(placed=0.125))[1]
    37.5
    """
    if learned.width_s is None or habit.lag is not None or habit.placed is None:
        return habit, 0.0
    risen = learned.lag - habit.placed
    if risen < _WORTH:
        return habit, 0.0
    return replace(habit, placed=learned.lag), risen * learned.width_s


def after_failure(failures: int, *, interval_s: float, phase: float) -> float:
    """Return the seconds until a VM is looked at again that could not be, after so many failures in a row.

    The phase spreads them: VMs that failed together must not come back together.
    """
    grown_s = min(interval_s, _FIRST_RETRY_S) * 2.0 ** min(max(0, failures - 1), _MOST_DOUBLINGS)
    return min(grown_s, _LONGEST_RETRY_S) * (1 - phase / 4)


def _due(habit: Habit, seen: Seen, *, offset: float, every: int) -> tuple[Habit, float]:
    """The seconds until the next look, where looks are made at `offset` widths after the end of a bucket."""
    last, before = seen.filled
    if not last and not before:  # Idle: nothing is expected of the last bucket, nor told about the lag.
        return habit, _until(seen, offset, every)
    # A last bucket that is empty while the one before is not may be unfilled: it is the one that is waited for.
    awaited_at = seen.end_at + seen.width_s if last else seen.end_at
    age = (seen.asked_at - awaited_at) / seen.width_s
    if age < offset - _SLACK:
        return habit, _skipping(offset - age, every if last else 1) * seen.width_s
    missed = replace(habit, missed_at=awaited_at, missed_age=age, misses=habit.misses + 1, absent=last)
    if not last and habit.zeros_hold and every == 1:  # Else the next look could not tell whether it held again.
        return replace(missed, misses=0), _until(seen, offset, every)
    retry_s = min(_RETRY * 2.0 ** min(habit.misses, _MOST_DOUBLINGS), 1.0) * seen.width_s
    return missed, retry_s if last else min(retry_s, _until(seen, offset, every))


def _until(seen: Seen, offset: float, every: int) -> float:
    """The seconds until the next instant at `offset` after the end of a bucket, whichever bucket."""
    age = (seen.asked_at - seen.end_at) / seen.width_s
    widths = max(0, math.ceil(age + _SLACK - offset))
    return _skipping(offset + widths - age, every) * seen.width_s


def _skipping(widths: float, every: int) -> float:
    """The widths until the next look and as many more as `every` allows in all."""
    return widths + max(0, math.ceil(every + _SLACK - widths) - 1)


def _fading(habit: Habit) -> Habit:
    """One look less that a lag of its own is kept for."""
    if not habit.kept_looks:
        return habit
    return replace(habit, kept_looks=habit.kept_looks - 1) if habit.kept_looks > 1 else _as_others(habit)


def _as_others(habit: Habit) -> Habit:
    return replace(habit, lag=None, there_age=0.0, kept_looks=0, late=0)


def _in_time(learned: Learned, habit: Habit, *, is_last: bool, vms: int) -> tuple[Learned, Habit]:
    """A bucket was there when it was looked for. Who has a lag of its own tells nothing of the others'; who takes its
    turn after the last would have been too early in its place.
    """
    if habit.lag is not None:
        return learned, habit if habit.lag >= learned.lag + _FAR / 2 else _as_others(habit)
    if is_last:
        return _longer(learned, vms=vms, told=learned.told), habit
    quiet = learned.quiet + 1
    fall = _step(vms, learned.told) * _EARLY / (1 - _EARLY) * max(1.0, quiet / max(_LONG_QUIET, 2 * vms))
    learned = Learned(learned.width_s, max(0.0, learned.lag - fall), quiet, learned.told + 1)
    return learned, replace(habit, late=0) if habit.late else habit


def _late(learned: Learned, habit: Habit, *, found_age: float, vms: int) -> tuple[Learned, Habit]:
    """A bucket was looked for too early. It came some time between the last look in vain and the one that found it."""
    found_age, late = min(found_age, habit.missed_age + 1), habit.late + 1
    is_far = (habit.missed_age + found_age) / 2 > learned.lag + _FAR
    came_age = min(_LONGEST_LAG, habit.missed_age + (found_age - habit.missed_age) / 4)
    if habit.lag is not None or (is_far and late >= _HABIT):
        lag = max(habit.lag or 0.0, came_age)
        return learned, replace(habit, lag=lag, there_age=0.0, kept_looks=_KEPT_LOOKS, late=late)
    # Those that are far later get a lag of their own soon: the others' must not run ahead of that.
    learned = replace(_longer(learned, vms=vms, told=math.inf if is_far else learned.told), quiet=0)
    if late < _STUBBORN:
        return learned, replace(habit, late=late)
    return learned, replace(habit, there_age=came_age, kept_looks=_STUBBORN_LOOKS, late=late)


def _longer(learned: Learned, *, vms: int, told: float) -> Learned:
    return replace(learned, lag=min(_LONGEST_LAG, learned.lag + _step(vms, told)), told=learned.told + 1)


def _step(vms: int, told: float) -> float:
    """By how much one look moves the lag."""
    return _RISE / max(_FEW, min(vms, max(_LEAST_EAGER, (vms + told) / _EAGER)))


def _without_data(habit: Habit, width_s: float | None, interval_s: float) -> tuple[Habit, float]:
    """Once a width; while no width is known, soon and then ever later: a VM that was just made has no data at first."""
    grown_s = interval_s * 2.0 ** min(habit.misses, _MOST_DOUBLINGS)
    delay_s = width_s if width_s is not None else min(grown_s, _UNKNOWN_WIDTH_S)
    return replace(_without_misses(habit), misses=habit.misses + 1), max(interval_s, delay_s)


def _without_misses(habit: Habit) -> Habit:
    return replace(habit, missed_at=None, missed_age=0.0, misses=0, placed=None)


def _ended(seen: Seen) -> Seen:
    """Without a bucket that has not ended yet. What was before the one before it is not told; take it to be alike."""
    if seen.end_at <= seen.asked_at:
        return seen
    return replace(seen, end_at=seen.end_at - seen.width_s, filled=(seen.filled[1], seen.filled[1]))


def _resolved(learned: Learned, habit: Habit, seen: Seen, *, vms: int) -> tuple[Learned, Habit]:
    """What has become of the bucket that was looked for too early, if there is one: late, idle, or still missing."""
    if habit.missed_at is None:
        return learned, replace(habit, misses=0) if habit.misses else habit
    behind = round((seen.end_at - habit.missed_at) / seen.width_s)
    if behind < 0 or (behind == 0 and not seen.filled[0] and not habit.absent):
        return learned, habit
    if behind > 1:  # It is out of sight, so that nobody can tell.
        return learned, _without_misses(habit)
    if not seen.filled[behind] and not habit.absent:
        return learned, replace(_without_misses(habit), zeros_hold=True)
    found_age = (seen.asked_at - habit.missed_at) / seen.width_s
    learned, late = _late(learned, habit, found_age=found_age, vms=vms)
    return learned, replace(_without_misses(late), zeros_hold=habit.zeros_hold and habit.absent)
