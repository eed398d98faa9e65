"""What is asked of the garbage collector and of the C library's heap, so that the process is neither large nor held."""

import contextlib
import ctypes
import gc

__all__ = ["collect_garbage", "give_back_what_is_free", "share_one_heap", "spare_what_is_loaded"]

_NEVER = 10**6
_MIDDLE = 2
"""A fifth of what is usual."""
_ARENAS = -8
"""`M_ARENA_MAX` of glibc's mallopt."""


def spare_what_is_loaded() -> None:
    """Keep the garbage collector from what is loaded by now, which never becomes garbage, and from looking through all
    that is known again and again: that held the loop for 30 to 98 ms at 2 000 VMs. What has no cycles is freed without
    it, and cycles die young: of 4 000 requests ten objects are left for `collect_garbage`.
    Those of middle age are looked through five times as often, a fifth as many at a time: that held it for 9 ms. The
    values of answers that wait to be counted are in tuples, at which it looks once: lists made it look for 6 ms.
    """
    gc.collect()
    gc.freeze()
    young, _, _ = gc.get_threshold()
    gc.set_threshold(young, _MIDDLE, _NEVER)


def collect_garbage() -> None:
    """Look through all that is known, which holds the loop: once a day."""
    gc.collect()


def share_one_heap() -> None:
    """Let threads use the heap of the main one, where the C library has more: each keeps free what it once needed, 6 MB
    in all at 10 000 VMs, and there is nothing that threads would allocate at the same time. Before the first thread.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 1)


def give_back_what_is_free() -> None:
    """Give the system what the heap keeps free between what is kept, where the C library can (glibc): 22 of 207 MB at
    10 000 VMs, in 2 to 4 ms.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
