"""Numbers as they rest in memory between two answers, of which there is one in minutes."""

import marshal
from functools import lru_cache
from typing import Any

__all__ = ["rested", "woken"]

_BY_VALUE = 2
"""The version of marshal that writes equal parts alike; later ones depend on which of them are one object."""


def rested(parts: tuple[Any, ...]) -> bytes:
    """Tuples of integers (of any size), and None, as bytes for this process alone: a third of what they take as
    objects, of which a full window has 80 a VM; and nothing for the garbage collector to look through, whose full
    collections held the event loop for 45 ms at 1 000 VMs with an object for each bucket.

    >>> woken(rested((5, (None, 2**70))))
    (5, (None, 1180591620717411303424))
    """
    # Copied: marshal grows what it returns by a kilobyte and cuts it, which leaves holes between what is kept.
    return bytes(memoryview(marshal.dumps(parts, _BY_VALUE)))


@lru_cache(64)  # An answer looks at each of a VM's series some five times.
def woken(kept: bytes) -> Any:
    """What was given to `rested`."""
    return marshal.loads(kept)  # noqa: S302 - of this process
