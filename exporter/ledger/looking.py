"""A ledger looked at without a word to the process that writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.ledger import rows
from exporter.ledger.codec import NotDecoded
from exporter.ledger.file import reading, size_bytes, written_at
from exporter.ledger.migrations import version_of
from exporter.ledger.record import Remembered
from exporter.ledger.soundness import faults

__all__ = ["Found", "Verdict", "look", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A ledger's file and everything in it. `written_at`: UNIX seconds."""

    version: int
    size_bytes: int
    written_at: float
    accounts: Mapping[str, Remembered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a thorough look has found, with a line for each fault."""

    accounts: int
    vms: int
    faults: tuple[str, ...]


def look(path: Path) -> Found:
    """Raises LedgerRefused."""
    with reading(path) as connection:
        return Found(
            version=version_of(connection),
            size_bytes=size_bytes(path),
            written_at=written_at(path),
            accounts={account: rows.read(connection, account) for account in rows.accounts_in(connection)},
        )


def verify(path: Path) -> Verdict:
    """Look at every page and every record. Raises LedgerRefused where there is nothing to look at."""
    wrong: list[str] = []
    vms = 0
    with reading(path) as connection:
        pages = [line for (line,) in connection.execute("PRAGMA integrity_check")]
        wrong += [" ".join(line.split()) for line in pages if line != "ok"]
        accounts = rows.accounts_in(connection)
        for row in (row for account in accounts for row in rows.rows_in(connection, account)):
            try:
                wrong += [f"{row.name}: {fault}" for fault in faults(row.record())]
            except NotDecoded as error:
                wrong.append(str(error))
            vms += row.kind == rows.Kind.VM
    return Verdict(accounts=len(accounts), vms=vms, faults=tuple(wrong))
