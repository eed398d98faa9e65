"""A ledger that lasts as long as the process."""

from collections import defaultdict

from exporter.ledger.record import AccountRecord, Batch, ListedVm, Remembered, VmRecord

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Keeps the records themselves: they are frozen, so nothing is copied."""

    def __init__(self) -> None:
        self._accounts: dict[str, AccountRecord] = {}
        self._records: defaultdict[str, dict[str, VmRecord]] = defaultdict(dict)
        self._listed: defaultdict[str, dict[str, ListedVm]] = defaultdict(dict)

    @property
    def generation(self) -> int:
        return 0

    @property
    def size_bytes(self) -> int:
        return 0

    async def load(self, account: str) -> Remembered:
        return Remembered(
            account=self._accounts.get(account, AccountRecord()),
            vms=tuple(self._records[account].values()),
            listed=dict(self._listed[account]),
        )

    async def commit(self, batch: Batch) -> None:
        self._accounts.update(batch.accounts)
        for account, records in batch.changed.items():
            self._records[account].update((record.vm_id, record) for record in records)
        for account, listed in batch.listed.items():
            self._listed[account].update(listed)
        for account, gone in batch.gone.items():
            for vm_id in gone:
                self._records[account].pop(vm_id, None)
                self._listed[account].pop(vm_id, None)
