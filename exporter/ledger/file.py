"""The ledger's file: looked at before anything may change it, begun, moved aside.

Only its first bytes decide whether SQLite may open it at all, and only sound contents whether for writing. So a file
that is refused is as it was, to the byte.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from exporter.ledger.codec import NotDecoded
from exporter.ledger.errors import LedgerDamaged, LedgerForeign, LedgerNewer, LedgerUnreadable
from exporter.ledger.migrations import APPLICATION_ID, STEPS, Step, migrate, version_of

__all__ = [
    "Identity",
    "begin",
    "connect",
    "identity_of",
    "move_aside",
    "reading",
    "size_bytes",
    "transaction",
    "written_at",
]

Identity = tuple[int, int]
"""Device and inode: a file that has another was put in the place of the one that was."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION_ID_AT = slice(68, 72)
_BUSY_S = 5.0
"""How long a lock of another connection is waited for. Readers take none that a writer would meet."""
_CIRCUMSTANCES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""Errors of SQLite that tell nothing of what is in the file."""
_PRIMARY = 0xFF
"""The bits of an error's code that say which it is; the others say more."""


def identity_of(path: Path) -> Identity | None:
    """None where there is no file, or an empty one: both are where a new one is begun. Raises LedgerUnreadable."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerUnreadable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise LedgerUnreadable(path, "it is no regular file")
    return (found.st_dev, found.st_ino) if found.st_size else None


def size_bytes(path: Path) -> int:
    """Of the file and of what is not moved into it yet; 0 where there is none."""
    size = 0
    for each in (path, _side_files(path)[0]):
        with contextlib.suppress(OSError):
            size += each.stat().st_size
    return size


def written_at(path: Path) -> float:
    """When something was written last, in UNIX seconds; 0 where there is no file."""
    at = 0.0
    for each in (path, _side_files(path)[0]):
        with contextlib.suppress(OSError):
            at = max(at, each.stat().st_mtime)
    return at


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode`: parameters of SQLite. Transactions are begun by hand. Raises sqlite3.Error."""
    address = f"file:{quote(os.fsencode(path))}?{mode}"
    return sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is written in the block, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def reading(path: Path, *, known: int = len(STEPS)) -> Iterator[sqlite3.Connection]:
    """One snapshot of a ledger, which another process may be writing; of a version up to `known`.

    Raises LedgerRefused, also for what goes wrong in the block.
    """
    _look_at_header(path)
    # Of a file that nobody has open, a reader would make and leave files beside it; on a full disk it could not. An
    # empty file of that kind, which such a disk leaves, has nothing to tell.
    mode = "mode=ro" if _is_written(_side_files(path)[0]) else "mode=ro&immutable=1"
    try:
        with contextlib.closing(connect(path, mode)) as connection:
            connection.execute("BEGIN")
            version = version_of(connection)
            if version > known:
                raise LedgerNewer(path, version, known)
            if version < 1:
                raise LedgerDamaged(path, "it has no version")
            yield connection
    except NotDecoded as error:
        raise LedgerDamaged(path, str(error)) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code == sqlite3.SQLITE_CANTOPEN:
            said = "another process has it or was killed with it, and nothing can be made beside it"
            raise LedgerUnreadable(path, said) from error
        if code in _CIRCUMSTANCES:
            raise LedgerUnreadable(path, str(error)) from error
        raise LedgerDamaged(path, str(error)) from error


def _is_written(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


def _look_at_header(path: Path) -> None:
    if identity_of(path) is None:
        raise LedgerUnreadable(path, "there is none, or it is empty")
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise LedgerUnreadable(path, error.strerror or str(error)) from error
    if not header.startswith(_MAGIC):
        raise LedgerForeign(path, "nor of any program that uses SQLite")
    if len(header) < _HEADER_BYTES:
        raise LedgerDamaged(path, "it is cut off")
    if header[_APPLICATION_ID_AT] != APPLICATION_ID.to_bytes(4, "big"):
        raise LedgerForeign(path, "but another program's SQLite file")


def begin(path: Path, *, steps: Sequence[Step] = STEPS) -> None:
    """Make a new ledger where there is none. Raises OSError, sqlite3.Error.

    It gets its name when it is whole: a process that is killed leaves no half of one behind.
    """
    made = path.with_name(f"{path.name}.new")
    _remove(made, *_side_files(made))
    os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(connect(made, "mode=rw")) as connection:
            with transaction(connection):
                migrate(connection, steps)
            connection.execute("PRAGMA journal_mode = WAL")
        # What a file that was deleted has left would be taken for a part of this one.
        _remove(*_side_files(path))
        made.replace(path)
    except BaseException:
        _remove(made, *_side_files(made))
        raise
    _sync_folder(path)


def move_aside(path: Path, *, at_s: float) -> Path:
    """Give a file, and what belongs to it, another name; return that. Raises OSError."""
    aside = path.with_name(f"{path.name}.unusable-{at_s:.0f}")
    again = 1
    while aside.exists():
        again += 1
        aside = path.with_name(f"{path.name}.unusable-{at_s:.0f}-{again}")
    # The file comes last: without it, what it left beside it would be removed.
    for old, new in zip((*_side_files(path), path), (*_side_files(aside), aside), strict=True):
        with contextlib.suppress(FileNotFoundError):
            old.rename(new)
    _sync_folder(path)
    return aside


def _side_files(path: Path) -> tuple[Path, ...]:
    """What SQLite keeps beside a file; it belongs to that file alone."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """A new name is durable when its folder is."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
