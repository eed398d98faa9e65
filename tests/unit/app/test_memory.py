"""What the heap keeps free goes back to the system."""

import ctypes
import resource
from pathlib import Path

import pytest

from exporter.app.memory import give_back_what_is_free

BLOCK_BYTES = 100_000
"""Smaller than what the C library maps by itself and gives back at once."""
BLOCKS = 500
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
@pytest.mark.skipif(not _STATM.exists(), reason="needs Linux' /proc")
def test_what_is_free_between_what_is_kept_is_given_back() -> None:
    blocks = [bytes(bytearray(BLOCK_BYTES)) for _ in range(BLOCKS)]
    kept = blocks[9::10]
    del blocks
    before = resident_bytes()
    give_back_what_is_free()
    assert resident_bytes() < before - BLOCK_BYTES * BLOCKS / 2
    assert len(kept) == BLOCKS // 10
