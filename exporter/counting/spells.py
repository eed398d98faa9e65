"""Locks and suspensions: what begins, lasts and ends between looks at a list."""

from dataclasses import dataclass, replace

__all__ = ["Spell", "observe", "unseen"]


@dataclass(frozen=True, slots=True)
class Spell:
    """What is known of one machine's locks (or suspensions). Instants are our wall clock, UNIX seconds.

    `since_seen_at`: when the present one was first seen, None while there is none. `begun`: how many were seen to
    begin. `lasted_s`: for how long one was seen, from look to look.
    """

    looked_seen_at: float
    since_seen_at: float | None = None
    begun: int = 0
    lasted_s: float = 0.0


def unseen(*, on: bool, seen_at: float) -> Spell:
    """Return the state at first sight: a lock that is there already was not seen to begin.

    >>> unseen(on=True, seen_at=5.0)
    Spell(looked_seen_at=5.0, since_seen_at=5.0, begun=0, lasted_s=0.0)
    """
    return Spell(looked_seen_at=seen_at, since_seen_at=seen_at if on else None)


def observe(spell: Spell, *, on: bool, seen_at: float) -> Spell:
    """Return the state after one more look. A lock seen before and after a time when nobody looked lasted through it.

    >>> spell = observe(unseen(on=False, seen_at=0.0), on=True, seen_at=60.0)
    >>> observe(spell, on=True, seen_at=180.0)
    Spell(looked_seen_at=180.0, since_seen_at=60.0, begun=1, lasted_s=120.0)
    """
    locked = spell.since_seen_at is not None
    if on != locked:
        return Spell(seen_at, seen_at if on else None, spell.begun + on, spell.lasted_s)
    # A wall clock that was set back must not take time away.
    passed_s = max(0.0, seen_at - spell.looked_seen_at)
    return replace(spell, looked_seen_at=seen_at, lasted_s=spell.lasted_s + passed_s * on)
