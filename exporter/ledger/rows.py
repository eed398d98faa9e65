"""Records as rows of a ledger's tables. Transactions are the caller's.

Each row has a seal over its key and its text, so that a bit that fell over is noticed: a digit that is another one is
valid JSON on a valid page.
"""

import enum
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from exporter.clock import let_others_run
from exporter.ledger.codec import (
    NotDecoded,
    account_from,
    account_text,
    listed_from,
    listed_text,
    vm_from,
    vm_text,
)
from exporter.ledger.record import AccountRecord, Batch, ListedVm, Remembered, VmRecord

__all__ = [
    "Kind",
    "Row",
    "accounts_in",
    "count_in",
    "drop_unused",
    "read",
    "remembered",
    "replace",
    "rows_in",
    "rows_of",
    "sealed",
    "touch",
    "write",
]

_AT_A_TIME = 50
"""Some 0.1 ms each."""
_TOUCHED_EVERY_S = 3_600
"""How exactly it is known when an account was used last: to write it with each batch would be a page more each time."""


class Kind(enum.StrEnum):
    """What a row holds. That of an account has no VM's id."""

    ACCOUNT = "account"
    VM = "vm"
    LISTED = "listed"


class Row(NamedTuple):
    """A record as it is written."""

    account: str
    kind: str
    vm_id: str
    text: str
    seal: int

    @property
    def name(self) -> str:
        """For a line that says what is wrong with it."""
        return f"account {self.account!r}, {self.kind}" + (f" {self.vm_id!r}" if self.vm_id else "")

    def record(self) -> AccountRecord | VmRecord | ListedVm:
        """What it says. Raises NotDecoded."""
        if self.seal != _seal(*self[:4]):
            raise NotDecoded(f"{self.name}: is not what was written")
        try:
            return self._decoded()
        except NotDecoded as error:
            raise NotDecoded(f"{self.name}: {error}") from error

    def _decoded(self) -> AccountRecord | VmRecord | ListedVm:
        match self.kind:
            case Kind.ACCOUNT if not self.vm_id:
                return account_from(self.text)
            case Kind.VM:
                record = vm_from(self.text)
                if record.vm_id != self.vm_id:
                    raise NotDecoded("is the record of another VM")
                return record
            case Kind.LISTED:
                return listed_from(self.text)
            case _:
                raise NotDecoded("is of no known kind")


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Everything that a batch holds."""
    for account in {*batch.accounts, *batch.changed, *batch.listed}:
        touch(connection, account)
    _put(connection, rows_of(batch))
    for account, gone in batch.gone.items():
        keys = ((account, kind.value, vm_id) for vm_id in gone for kind in (Kind.VM, Kind.LISTED))
        connection.executemany("DELETE FROM records WHERE (account, kind, vm_id) = (?, ?, ?)", keys)


def replace(connection: sqlite3.Connection, account: str, known: Remembered) -> None:
    """Put all that is known of an account in the place of what is there."""
    _remove(connection, account)
    whole = Batch(accounts={account: known.account}, changed={account: known.vms}, listed={account: known.listed})
    write(connection, whole)


def touch(connection: sqlite3.Connection, account: str) -> None:
    """Note that an account is used now."""
    connection.execute(
        "INSERT INTO used VALUES (?, CAST(strftime('%s', 'now') AS INTEGER)) ON CONFLICT (account) DO UPDATE"
        " SET used_s = excluded.used_s WHERE used_s NOT BETWEEN excluded.used_s - ? AND excluded.used_s",
        (account, _TOUCHED_EVERY_S),
    )


def drop_unused(connection: sqlite3.Connection, before_s: float, *, spared: Collection[str]) -> tuple[str, ...]:
    """Remove the accounts that were not used since then; return which."""
    found = connection.execute("SELECT account FROM used WHERE used_s < ?", (before_s,)).fetchall()
    dropped = tuple(account for (account,) in found if account not in spared)
    for account in dropped:
        _remove(connection, account)
    return dropped


def accounts_in(connection: sqlite3.Connection) -> list[str]:
    """The accounts, sorted."""
    return [account for (account,) in connection.execute("SELECT DISTINCT account FROM records ORDER BY account")]


def count_in(connection: sqlite3.Connection, kind: Kind) -> int:
    """How many rows of that kind there are in all."""
    found: tuple[int] = connection.execute("SELECT count(*) FROM records WHERE kind = ?", (kind.value,)).fetchone()
    return found[0]


def read(connection: sqlite3.Connection, account: str) -> Remembered:
    """Everything that is known of an account. Raises NotDecoded."""
    return remembered(rows_in(connection, account))


def rows_in(connection: sqlite3.Connection, account: str) -> Iterator[Row]:
    """The rows of an account, in the order of their keys."""
    return map(
        Row._make, connection.execute("SELECT * FROM records WHERE account = ? ORDER BY kind, vm_id", (account,))
    )


def remembered(rows: Iterable[Row]) -> Remembered:
    """One account's rows. Raises NotDecoded."""
    known, vms, listed = AccountRecord(), list[VmRecord](), dict[str, ListedVm]()
    for row in _giving_way(rows):
        match row.record():
            case AccountRecord() as account:
                known = account
            case VmRecord() as record:
                vms.append(record)
            case vm:
                listed[row.vm_id] = vm
    return Remembered(account=known, vms=tuple(vms), listed=listed)


def rows_of(batch: Batch) -> Iterator[Row]:
    """What a batch holds, made one by one."""
    for account, known in batch.accounts.items():
        yield sealed(account, Kind.ACCOUNT.value, "", account_text(known))
    for account, records in batch.changed.items():
        for record in records:
            yield sealed(account, Kind.VM.value, record.vm_id, vm_text(record))
    for account, listed in batch.listed.items():
        for vm_id, vm in listed.items():
            yield sealed(account, Kind.LISTED.value, vm_id, listed_text(vm))


def sealed(account: str, kind: str, vm_id: str, text: str) -> Row:
    """A row as it is to be written."""
    return Row(account, kind, vm_id, text, _seal(account, kind, vm_id, text))


def _seal(*written: object) -> int:
    return zlib.crc32("\0".join(map(str, written)).encode())


def _put(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    connection.executemany(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, kind, vm_id) DO UPDATE"
        " SET record = excluded.record, seal = excluded.seal",
        _giving_way(rows),
    )


def _giving_way(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, with a pause for the event loop now and then: without it 10 000 of them held it for 50 to 200 ms."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % _AT_A_TIME == 0:
            let_others_run()


def _remove(connection: sqlite3.Connection, account: str) -> None:
    connection.execute("DELETE FROM records WHERE account = ?", (account,))
    connection.execute("DELETE FROM used WHERE account = ?", (account,))
