"""A large page as a file in memory: the kernel sends that as it is, where bytes would be copied once more to be put
together and once more to be sent.
"""

import asyncio
import errno
import io
import os
import sys
from collections.abc import Sequence

from exporter.clock import Stint

__all__ = ["PlainFile"]

_AT_ONCE = 128
"""Blocks that are written at once: a millisecond."""


class PlainFile:
    """Blocks one after the other, written when they are first wanted; gone with the last one who holds the file."""

    def __init__(self, blocks: Sequence[bytes]) -> None:
        self.size_bytes = 0
        """What it takes by now."""
        self._blocks = blocks
        self._writing = asyncio.Lock()
        self._file: io.FileIO | None = None

    async def opened(self, stint: Stint) -> io.FileIO:
        """The file, to be read from any offset. Raises OSError where there can be none."""
        async with self._writing:
            if self._file is None:
                self._file = await _written(self._blocks, stint)
                self.size_bytes = sum(map(len, self._blocks))
        return self._file


class _Shared(io.FileIO):
    """Closed when nobody holds it any more: those who send it end in any order."""

    def __del__(self) -> None:
        self.close()


async def _written(blocks: Sequence[bytes], stint: Stint) -> io.FileIO:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    file = _Shared(os.memfd_create("page"), "r+")
    for first in range(0, len(blocks), _AT_ONCE):
        some = blocks[first : first + _AT_ONCE]
        if os.writev(file.fileno(), some) < sum(map(len, some)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await stint.part_done()
    return file
