"""Which ledger: in memory, or a file that this process has for itself."""

import contextlib
import os
from collections.abc import AsyncIterator

from exporter.clock import Clock
from exporter.ledger import Ledger, LedgerFailed, LedgerHeld, MemoryLedger, SqliteLedger
from exporter.observe import Observer
from exporter.settings import Settings, ledger_path

__all__ = ["ledger_of", "ledger_when_free"]

_FORGOTTEN_AFTER_S = 90 * 86_400.0
"""An account that nobody has watched for so long is not remembered any more: files do not grow for ever."""
_TRIED_EVERY_S = 1.0


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
        with contextlib.suppress(LedgerFailed):  # The first commit says what is wrong.
            for account in await ledger.prune(before_s=clock.wall_s() - _FORGOTTEN_AFTER_S):
                observer.account_pruned(account)
        yield ledger
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def ledger_when_free(settings: Settings, *, clock: Clock, observer: Observer) -> AsyncIterator[Ledger]:
    """The same; while another process holds the file, wait for it."""
    async with contextlib.AsyncExitStack() as stack:
        while True:
            try:
                ledger = await stack.enter_async_context(ledger_of(settings, clock=clock, observer=observer))
            except LedgerHeld as held:
                observer.standing_by(str(held))
                await clock.sleep(_TRIED_EVERY_S)
            else:
                observer.active()
                yield ledger
                return
