"""A process that commits again and again, to be killed: `python -m tests.unit.ledger.committing FILE`.

After each commit it writes a line with its number, which every record of that commit has as its `renames`.
"""

import asyncio
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from exporter.ledger import Batch, SqliteLedger, VmRecord
from tests.unit.ledger.filled import filled

__all__ = ["numbered"]

VMS = 100


def numbered(number: int, vms: int = VMS) -> Sequence[VmRecord]:
    """Records that all say the same number."""
    return [filled(VmRecord, vm_id=str(vm), renames=number) for vm in range(vms)]


async def main(path: Path) -> None:
    """Commit until killed."""
    ledger = await SqliteLedger.open(path, start_anew=False, now_s=1.0)
    for number in count(1):
        await ledger.commit(Batch(changed={"production": numbered(number)}))
        print(number, flush=True)  # noqa: T201 - whoever kills it reads this


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
