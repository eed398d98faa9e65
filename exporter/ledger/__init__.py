"""What must survive about a VM: its counters, and which buckets they hold, together.

Intake is the only writer. A record is committed before what follows from it is published, so that nothing is ever
scraped that a crash could take back. `MemoryLedger` keeps records as long as the process lives.
"""

from exporter.ledger.memory import MemoryLedger
from exporter.ledger.record import Batch, CpuAccount, InterfaceAccount, Ledger, VmRecord

__all__ = ["Batch", "CpuAccount", "InterfaceAccount", "Ledger", "MemoryLedger", "VmRecord"]
