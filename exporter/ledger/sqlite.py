"""A ledger in a file, which a power cut or a kill cannot leave half written."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from exporter.ledger.record import Batch, Remembered
from exporter.ledger.store import Store

__all__ = ["SqliteLedger"]

_Done = TypeVar("_Done")


class SqliteLedger:
    """Everything that touches the disk, or makes text of records, is done in a thread of its own, one after the other.

    A file that cannot be written does not keep anybody from counting: it is opened with a `problem`, commits fail, and
    each tries again from the beginning.
    """

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._thread = thread

    @classmethod
    async def open(cls, path: Path, *, start_anew: bool, now_s: float) -> Self:
        """Have the file for this process alone; `start_anew` moves one aside that cannot be used.

        Raises LedgerHeld, LedgerRefused.
        """
        ledger = cls(Store(path), ThreadPoolExecutor(1, thread_name_prefix="ledger"))
        try:
            await ledger._run(ledger._store.open, start_anew=start_anew, now_s=now_s)
        except BaseException:
            await ledger.close()
            raise
        return ledger

    @property
    def problem(self) -> str | None:
        """Why it cannot be written, as a line; None while it can."""
        return self._store.problem

    @property
    def moved_aside(self) -> Path | None:
        """The new name of a file that could not be used."""
        return self._store.moved_aside

    @property
    def size_bytes(self) -> int:
        """How large the file was, with what is not moved into it yet, after the last commit; 0: there was none."""
        return self._store.size_bytes

    @property
    def generation(self) -> int:
        """Grows when what was committed may be gone (somebody removed the file, or put another in its place): whoever
        commits must then hand over everything again.
        """
        return self._store.generation

    async def load(self, account: str) -> Remembered:
        """Everything remembered of an account, also while nothing can be written. Raises LedgerFailed."""
        return await self._run(self._store.load, account)

    async def commit(self, batch: Batch) -> None:
        """Remember all of the batch, or none of it; it is on the disk when this returns. Raises LedgerFailed."""
        await self._run(self._store.commit, batch)

    async def accounts(self) -> Sequence[str]:
        """Of which anything is remembered. Raises LedgerFailed."""
        return await self._run(self._store.accounts)

    async def replace(self, accounts: Mapping[str, Remembered]) -> None:
        """Forget what is remembered of these accounts, and remember this instead. Raises LedgerFailed."""
        await self._run(self._store.replace, accounts)

    async def prune(self, *, before_s: float) -> Sequence[str]:
        """Drop the accounts that no process has loaded or committed since then; return which. Those of this process
        stay, even where nothing has been heard of them for as long. Raises LedgerFailed.
        """
        return await self._run(self._store.prune, before_s)

    async def close(self) -> None:
        """Let others have the file."""
        await self._run(self._store.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[..., _Done], *arguments: object, **named: object) -> _Done:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*arguments, **named))
