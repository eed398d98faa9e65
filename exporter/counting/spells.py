"""Locks and suspensions: what begins, lasts and ends between looks at a list."""

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Spell", "observe", "unseen"]

_SET_S = 10.0
"""Two clocks that tell spans so different do not drift: one of them was set."""


class Spell(Struct, frozen=True, gc=False):
    """What is known of one machine's locks (or suspensions). Instants are UNIX seconds: `…_seen_at` of our clock,
    `looked_at` of the provider's.

    `looked_…`: of the last look that saw one, or its end. `since_seen_at`: when the present one was first seen, None
    while there is none. `begun`: how many were seen to begin. `lasted_s`: for how long one was seen, from look to look.
    """

    looked_seen_at: float
    looked_at: float
    since_seen_at: float | None = None
    begun: int = 0
    lasted_s: float = 0.0


def unseen(*, on: bool, seen_at: float, at: float) -> Spell:
    """Return the state at first sight: a lock that is there already was not seen to begin.

    >>> unseen(on=True, seen_at=5.0, at=7.0)
    Spell(looked_seen_at=5.0, looked_at=7.0, since_seen_at=5.0, begun=0, lasted_s=0.0)
    """
    return Spell(looked_seen_at=seen_at, looked_at=at, since_seen_at=seen_at if on else None)


def observe(spell: Spell, *, on: bool, seen_at: float, at: float) -> Spell:
    """Return the state after one more look. A lock seen before and after a time when nobody looked lasted through it.
    While there is none, a look changes nothing.

    >>> spell = observe(unseen(on=False, seen_at=0.0, at=7.0), on=True, seen_at=60.0, at=67.0)
    >>> observe(spell, on=True, seen_at=180.0, at=187.0).lasted_s
    120.0
    """
    locked = spell.since_seen_at is not None
    if on != locked:
        return Spell(seen_at, at, seen_at if on else None, spell.begun + on, spell.lasted_s)
    if not on:
        return spell
    passed_s, passed_there_s = seen_at - spell.looked_seen_at, at - spell.looked_at
    if abs(passed_s - passed_there_s) > _SET_S:
        passed_s = min(passed_s, passed_there_s)
    # A clock that was set back must not take time away.
    lasted_s = spell.lasted_s + max(0.0, passed_s)
    return replace(spell, looked_seen_at=seen_at, looked_at=at, lasted_s=lasted_s)
