"""What must survive about a VM: its counters, and which buckets they hold, together.

Intake is the only writer. A record is committed before what follows from it is published, so that nothing is ever
scraped that a crash could take back. `MemoryLedger` keeps records as long as the process lives; `SqliteLedger` in a
file (`store`: how it is written and heals; `file`, `lock`: how it is looked at, begun and held; `rows`, `codec`,
`migrations`: what is in it; `looking`, `archive`: for whoever looks at it or carries it elsewhere). Times are
arguments here, but for when an account was used last, which is SQLite's.
"""

from exporter.ledger.archive import archived, restored
from exporter.ledger.errors import ArchiveRefused, LedgerHeld, LedgerNotOpened, LedgerRefused
from exporter.ledger.looking import Found, Verdict, look, verify
from exporter.ledger.memory import MemoryLedger
from exporter.ledger.record import (
    AccountRecord,
    Batch,
    CpuAccount,
    InterfaceAccount,
    Ledger,
    LedgerFailed,
    ListedVm,
    Remembered,
    VmRecord,
)
from exporter.ledger.sqlite import SqliteLedger

__all__ = [
    "AccountRecord",
    "ArchiveRefused",
    "Batch",
    "CpuAccount",
    "Found",
    "InterfaceAccount",
    "Ledger",
    "LedgerFailed",
    "LedgerHeld",
    "LedgerNotOpened",
    "LedgerRefused",
    "ListedVm",
    "MemoryLedger",
    "Remembered",
    "SqliteLedger",
    "Verdict",
    "VmRecord",
    "archived",
    "look",
    "restored",
    "verify",
]
