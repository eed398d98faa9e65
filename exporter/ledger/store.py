"""The ledger's file at work: who writes to it, what may go wrong, and how that heals."""

import contextlib
import gc
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from exporter.ledger import rows
from exporter.ledger.codec import NotDecoded
from exporter.ledger.errors import LedgerDamaged, LedgerNotOpened, LedgerUnusable
from exporter.ledger.file import Identity, begin, connect, identity_of, move_aside, reading, size_bytes, transaction
from exporter.ledger.lock import Lock
from exporter.ledger.migrations import STEPS, Step, migrate, version_of
from exporter.ledger.record import Batch, LedgerFailed, Remembered

__all__ = ["Store"]

_Done = TypeVar("_Done")

_KEPT_WAL_BYTES = 8 * 2**20
"""What may stay of SQLite's second file after a whole fleet was written at once, which makes tens of megabytes."""

_MANY_OBJECTS = 100_000
"""The garbage collector looks through so many in about 10 ms."""


class _Replaced(Exception):
    """The file is no longer the one that was written to."""

    def __str__(self) -> str:
        return "the file was removed or replaced; everything is written again"


class Store:
    """What `SqliteLedger` does, without waiting for it. Opened, used and closed in one thread.

    While nothing can be written, `problem` says why, and each write tries again from the beginning.
    """

    def __init__(self, path: Path, *, steps: Sequence[Step] = STEPS) -> None:
        self.problem: str | None = None
        self.moved_aside: Path | None = None
        self.size_bytes = 0
        self.generation = 0
        # By its own name, so that two links to one file have one lock.
        self._path = Path(os.path.realpath(path))
        self._steps = steps
        self._opened_s = 0.0
        self._lock: Lock | None = None
        self._connection: sqlite3.Connection | None = None
        # Of the file that was found sound, or begun.
        self._identity: Identity | None = None
        self._checked: dict[str, Remembered] = {}
        self._used: set[str] = set()

    def open(self, *, start_anew: bool, now_s: float) -> None:
        """Raises LedgerNotOpened."""
        self._opened_s = now_s
        try:
            with self._noting():
                self._hold()
            try:
                self._look()
                self._connect()
            except LedgerUnusable as refused:
                if not start_anew or self._lock is None:
                    raise
                self._move_aside(refused)
                self._connect()
            self.size_bytes = size_bytes(self._path)
        except BaseException:
            self.close()
            raise

    def load(self, account: str) -> Remembered:
        """Raises LedgerFailed."""
        try:
            known = self._checked.pop(account, None) or self._read(account)
        except (LedgerNotOpened, NotDecoded, sqlite3.Error) as error:
            raise LedgerFailed(self._line(error, "read")) from error
        self._used.add(account)
        if self._connection is not None:
            with contextlib.suppress(LedgerFailed):
                self._write(lambda connection: rows.touch(connection, account))
        return known

    def accounts(self) -> Sequence[str]:
        """Of which anything is known. Raises LedgerFailed."""
        return self._write(rows.accounts_in)

    def commit(self, batch: Batch) -> None:
        """Raises LedgerFailed."""
        self._used.update(batch.accounts, batch.changed, batch.listed)
        self._write(lambda connection: rows.write(connection, batch))
        self._checked.clear()

    def replace(self, accounts: Mapping[str, Remembered]) -> None:
        """Put all that is known of accounts in the place of what is there. Raises LedgerFailed."""

        def write(connection: sqlite3.Connection) -> None:
            for account, known in accounts.items():
                rows.replace(connection, account, known)

        self._used.update(accounts)
        self._write(write)
        self._checked.clear()

    def prune(self, before_s: float) -> Sequence[str]:
        """Drop the accounts that no process has used since then, nor this one at all; return which.

        Raises LedgerFailed.
        """

        def write(connection: sqlite3.Connection) -> Sequence[str]:
            for account in self._used:
                rows.touch(connection, account)
            return rows.drop_unused(connection, before_s, spared=self._used)

        dropped = self._write(write)
        for account in dropped:
            self._checked.pop(account, None)
        return dropped

    def close(self) -> None:
        self._disconnect()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _write(self, write: Callable[[sqlite3.Connection], _Done]) -> _Done:
        try:
            connection = self._connected()
            with transaction(connection):
                done = write(connection)
        except (OSError, sqlite3.Error, LedgerNotOpened, _Replaced) as error:
            self._disconnect()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._forget()  # It is looked at again before anything is written to it.
            self.problem = self._line(error)
            raise LedgerFailed(self.problem) from error
        self.problem = None
        self.size_bytes = size_bytes(self._path)
        return done

    def _connected(self) -> sqlite3.Connection:
        if self._identity is not None and identity_of(self._path) != self._identity:
            self._forget()
            raise _Replaced
        self._hold()
        if self._connection is None:
            if self._identity is None:
                self._look()
            self._connection = self._begun()
        return self._connection

    def _hold(self) -> None:
        """Raises LedgerHeld, OSError."""
        if self._lock is not None and self._lock.is_held():
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock.take(self._path)
        if self._lock is not None:
            self._lock.release()
        self._lock = lock

    def _look(self) -> None:
        """Read the file, if there is one. Raises LedgerRefused."""
        identity = identity_of(self._path)
        if identity is not None:
            with _uncollected(), reading(self._path, known=len(self._steps)) as connection:
                self._checked = self._sound(connection)
            self._identity = identity

    def _connect(self) -> None:
        """Make the file, or ready to write to it, if that can be done. Raises LedgerDamaged."""
        if self._lock is not None:
            with self._noting():
                self._connection = self._begun()

    def _move_aside(self, refused: LedgerUnusable) -> None:
        try:
            self.moved_aside = move_aside(self._path, at_s=self._opened_s)
        except OSError as error:
            raise refused from error
        self._identity = None

    def _sound(self, connection: sqlite3.Connection) -> dict[str, Remembered]:
        """Everything in it. Of an older version only the pages are looked at: its rows are read once they are ours."""
        (fault,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if fault != "ok":
            raise LedgerDamaged(self._path, " ".join(fault.split()))
        if version_of(connection) < len(self._steps):
            return {}
        return {account: rows.read(connection, account) for account in rows.accounts_in(connection)}

    def _begun(self) -> sqlite3.Connection:
        """A connection that has written: whether it can is known only then."""
        if self._identity is None:
            begin(self._path, steps=self._steps)
        connection = connect(self._path, "mode=rw")
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
            self._migrate(connection)
            with transaction(connection):
                connection.execute("UPDATE opening SET opened_s = ?", (self._opened_s,))
        except BaseException:
            connection.close()
            raise
        self._identity = identity_of(self._path)
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if version_of(connection) == len(self._steps):
            return
        try:
            with transaction(connection), _uncollected():
                migrate(connection, self._steps)
                self._checked = self._sound(connection)
        except NotDecoded as error:
            raise LedgerDamaged(self._path, str(error)) from error
        # An earlier version of ours looks at the file's first bytes before it opens it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _read(self, account: str) -> Remembered:
        with _uncollected():
            if self._connection is not None:
                return rows.read(self._connection, account)
            if self._identity is None:
                return Remembered()
            with reading(self._path, known=len(self._steps)) as connection:
                return rows.read(connection, account)

    def _forget(self) -> None:
        """What was written may be gone: it must all be written again."""
        if self._identity is not None:
            self._identity = None
            self._checked.clear()
            self.generation += 1

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """What goes wrong in the block is a problem, and no more."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            self.problem = self._line(error)

    def _line(self, error: Exception, verb: str = "written") -> str:
        if isinstance(error, LedgerNotOpened):
            return str(error)
        cause = error.strerror if isinstance(error, OSError) else None
        return f"{self._path}: cannot be {verb}: {cause or error}"


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look through everything that is being read again and again, in steps
    that hold the event loop.

    Its first look afterwards, through 10 000 VMs, held it for 200 ms. So it is spared a fleet: records have no cycles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > _MANY_OBJECTS:
            gc.freeze()
        if was_enabled:
            gc.enable()
