"""The instant of its own that each VM has within a bucket's width."""

import hashlib

__all__ = ["phase_of"]

_BITS64 = 2**64
_GOLDEN = 11_400_714_819_323_198_485
"""2^64 over the golden ratio: its multiples lie more evenly than chance would have them (Fibonacci hashing). Ids are
mostly numbers given one after the other, and a few hundred VMs at random crowd some tenth of a width by a fifth."""


def phase_of(vm_id: str) -> float:
    """Return the VM's phase, from 0 up to 1: the same in every process, so that a restart moves nobody.

    >>> [round(phase_of(str(vm_id)), 3) for vm_id in (178931011513, 178931011514, 178931011515)]
    [0.433, 0.051, 0.669]
    """
    if vm_id.isdecimal():
        number = int(vm_id) * _GOLDEN
    else:
        number = int.from_bytes(hashlib.blake2b(vm_id.encode(), digest_size=8).digest(), "big")
    return (number % _BITS64 >> 11) / 2**53  # As many bits as a double holds: more would be rounded up to 1.
