"""A large page as a file in memory: the kernel sends that as it is, where bytes would be copied once more to be put
together and once more to be sent.
"""

import asyncio
import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

__all__ = ["PlainFile"]

_AT_ONCE = 512
"""Blocks of one system call; Linux takes 1 024."""

_pool = ThreadPoolExecutor(1, thread_name_prefix="plain")
"""To write 35 MB takes 15 ms, and to give them back 3; on busy cores 30, for which the event loop was held."""


class PlainFile:
    """Blocks one after the other, written when they are first wanted; gone with the last one who holds the file."""

    def __init__(self, blocks: Sequence[bytes]) -> None:
        self.size_bytes = 0
        """What it takes by now."""
        self._blocks = blocks
        self._writing = asyncio.Lock()
        self._file: io.FileIO | None = None

    async def opened(self) -> io.FileIO:
        """The file, to be read from any offset. Raises OSError where there can be none."""
        async with self._writing:
            if self._file is None:
                self._file = await asyncio.get_running_loop().run_in_executor(_pool, _written, self._blocks)
                self.size_bytes = sum(map(len, self._blocks))
        return self._file


class _Shared(io.FileIO):
    """Closed when nobody holds it any more: those who send it end in any order."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        super().__init__(os.memfd_create("page"), "r+", closefd=False)
        self._descriptor = self.fileno()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, RuntimeError):  # It was never open; the process ends, which closes it.
            _pool.submit(os.close, self._descriptor)


def _written(blocks: Sequence[bytes]) -> io.FileIO:
    file = _Shared()
    for first in range(0, len(blocks), _AT_ONCE):
        some = blocks[first : first + _AT_ONCE]
        if os.writev(file.fileno(), some) < sum(map(len, some)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return file
