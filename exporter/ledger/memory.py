"""A ledger that lasts as long as the process."""

from exporter.ledger.record import Batch, VmRecord

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Keeps the records themselves: they are frozen, so nothing is copied."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, VmRecord]] = {}

    async def load(self, account: str) -> tuple[VmRecord, ...]:
        return tuple(self._records.get(account, {}).values())

    async def commit(self, batch: Batch) -> None:
        for account, records in batch.changed.items():
            self._records.setdefault(account, {}).update((record.vm_id, record) for record in records)
        for account, gone in batch.gone.items():
            for vm_id in gone:
                self._records.get(account, {}).pop(vm_id, None)
