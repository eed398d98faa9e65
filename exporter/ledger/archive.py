"""A ledger as lines of JSON, to be kept or carried elsewhere: first one that says how much follows, then a record each.

The same records make the same lines. Nothing in them is of the file they were in.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.ledger import rows
from exporter.ledger.codec import NotDecoded
from exporter.ledger.errors import ArchiveRefused
from exporter.ledger.file import reading
from exporter.ledger.migrations import STEPS
from exporter.ledger.record import Batch, Remembered
from exporter.ledger.soundness import faults

__all__ = ["archived", "restored"]

_FORMAT = "gigas-exporter ledger"
_VERSION = len(STEPS)
"""Records mean the same as those in tables of that version."""


def archived(path: Path) -> Iterator[str]:
    """The lines of one state of the ledger, which another process may be writing. Raises LedgerRefused."""
    with reading(path) as connection:
        accounts = rows.accounts_in(connection)
        records = len(accounts) + sum(rows.count_in(connection, kind) for kind in (rows.Kind.VM, rows.Kind.LISTED))
        yield _line(format=_FORMAT, version=_VERSION, records=records)
        for account in accounts:
            known = rows.read(connection, account)
            whole = Batch(
                accounts={account: known.account}, changed={account: known.vms}, listed={account: known.listed}
            )
            for row in rows.rows_of(whole):
                yield _line(account=row.account, kind=row.kind, vm_id=row.vm_id, record=json.loads(row.text))


def restored(lines: Iterable[str]) -> Mapping[str, Remembered]:
    """What was archived, by account. Raises ArchiveRefused, unless it is all there and sound."""
    numbered = enumerate(lines, start=1)
    expected = _expected(next(numbered, (1, ""))[1])
    found: dict[tuple[str, str, str], rows.Row] = {}
    for number, line in numbered:
        row = _row(line, number)
        if (key := row[:3]) in found:
            raise ArchiveRefused(f"line {number}: {row.name} comes a second time")
        found[key] = row
    if len(found) != expected:
        raise ArchiveRefused(f"it is not whole: {len(found)} of {expected} records are there")
    by_account: dict[str, list[rows.Row]] = {}
    for row in found.values():
        by_account.setdefault(row.account, []).append(row)
    return {account: rows.remembered(of_it) for account, of_it in by_account.items()}


def _line(**values: object) -> str:
    """In ASCII, for it may go to a terminal of any encoding."""
    return json.dumps(values, separators=(",", ":"))


def _expected(line: str) -> int:
    """How many records the first line promises."""
    match _parsed(line):
        case {"format": str(known), "version": int(version), "records": int(records)} if known == _FORMAT:
            if version != _VERSION:
                said = f"it is of version {version}, this program knows {_VERSION}; use the one that exported it"
                raise ArchiveRefused(said)
            return records
        case _:
            raise ArchiveRefused("it is no export of a ledger")


def _row(line: str, number: int) -> rows.Row:
    match _parsed(line):
        case {"account": str(account), "kind": str(kind), "vm_id": str(vm_id), "record": record}:
            row = rows.sealed(account, kind, vm_id, json.dumps(record))
        case _:
            raise ArchiveRefused(f"line {number}: is no record")
    try:
        wrong = faults(row.record())
    except NotDecoded as error:
        raise ArchiveRefused(f"line {number}: {error}") from error
    if wrong:
        raise ArchiveRefused(f"line {number}: {row.name}: {wrong[0]}")
    return row


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
