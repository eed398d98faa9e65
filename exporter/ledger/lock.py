"""One process a ledger: a lock on a file beside it, which the kernel releases however the process ends."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from exporter.ledger.errors import LedgerHeld

__all__ = ["Lock"]

_LONGEST_PID = 20


class Lock:
    """The file holds the number of the process that has the lock, for whoever does not get it. It is not removed: of
    two processes, one could have the lock on the file that was, the other on the one that is.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, ledger: Path) -> Self:
        """Raises LedgerHeld; OSError where there can be no such file."""
        path = ledger.with_name(f"{ledger.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(descriptor, _LONGEST_PID).strip()
            os.close(descriptor)
            raise LedgerHeld(ledger, int(written) if written.isdigit() else None) from None
        except BaseException:
            os.close(descriptor)
            raise
        # A full disk has no room for the number; the lock holds all the same.
        with contextlib.suppress(OSError):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    def is_held(self) -> bool:
        """Whether the file is still the one that another process would ask for: somebody may have removed it."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def release(self) -> None:
        os.close(self._descriptor)
