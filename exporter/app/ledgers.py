"""Which ledger: in memory, or a file that this process has for itself."""

import contextlib
import os
from collections.abc import AsyncIterator

from exporter.clock import Clock
from exporter.intake import CommitFailed
from exporter.ledger import Ledger, LedgerFailed, MemoryLedger, SqliteLedger
from exporter.observe import Observer
from exporter.settings import Settings, ledger_path

__all__ = ["forget_unwatched", "ledger_of"]

_FORGOTTEN_AFTER_S = 90 * 86_400.0
"""An account that nobody has watched for so long is not remembered any more: files do not grow for ever."""


@contextlib.asynccontextmanager
async def ledger_of(settings: Settings, *, clock: Clock, observer: Observer) -> AsyncIterator[Ledger]:
    """The ledger, for as long as the block lasts. Raises LedgerHeld, LedgerRefused."""
    path = ledger_path(settings.state, settings.shard, os.environ)
    if path is None:
        yield MemoryLedger()
        return
    ledger = await SqliteLedger.open(path, start_anew=settings.state.start_anew, now_s=clock.wall_s())
    try:
        observer.ledger_opened(str(path), moved_to=None if ledger.moved_aside is None else str(ledger.moved_aside))
        if ledger.problem is not None:  # While the provider is silent, no commit would say it.
            observer.told(CommitFailed(ledger.problem, vms=0))
        yield ledger
    finally:
        await ledger.close()


async def forget_unwatched(ledger: Ledger, *, clock: Clock, observer: Observer) -> None:
    """Drop what is remembered of accounts that nobody watches. Those that are watched must have been loaded before:
    after a long absence they would be taken for such.
    """
    if isinstance(ledger, SqliteLedger):
        with contextlib.suppress(LedgerFailed):  # The next commit says what is wrong.
            for account in await ledger.prune(before_s=clock.wall_s() - _FORGOTTEN_AFTER_S):
                observer.account_pruned(account)
