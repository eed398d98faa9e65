"""One collection, for a textfile collector or a look."""

import asyncio

import aiohttp

from exporter.app.core import Core
from exporter.app.ledgers import forget_unwatched, ledger_of
from exporter.app.watch import session_of
from exporter.clock import Clock
from exporter.gigas import GigasError
from exporter.metrics import Selection
from exporter.settings import AccountSettings, Settings

__all__ = ["collect_once"]


async def collect_once(settings: Settings, *, clock: Clock) -> tuple[bytes, dict[str, GigasError]]:
    """Look at everything once; return the exposition (text 0.0.4) and, by account, why one could not be listed.

    Raises LedgerHeld, LedgerRefused.
    """
    core = Core(clock=clock)
    core.know_accounts(settings)
    async with ledger_of(settings, clock=clock, observer=core.observer) as ledger:
        core.count(settings, ledger=ledger)
        await core.open_accounts()
        await forget_unwatched(ledger, clock=clock, observer=core.observer)
        async with session_of(settings) as session, asyncio.TaskGroup() as group:
            taking = group.create_task(core.intake.run())
            collecting = (_collect(core, account, settings, session) for account in settings.accounts)
            errors = await asyncio.gather(*collecting)
            taking.cancel()
    await core.page.refresh()
    names = [account.name for account in settings.accounts]
    failed = {name: error for name, error in zip(names, errors, strict=True) if error is not None}
    return b"".join((await core.page.exposition(Selection(), openmetrics=False)).blocks), failed


async def _collect(
    core: Core, account: AccountSettings, settings: Settings, session: aiohttp.ClientSession
) -> GigasError | None:
    watch = core.watch(account, settings, session)
    errors = [await listing.once() for listing in watch.listings.values()]
    await core.intake.settled()
    for look in watch.looks.values():
        errors.append(await look.once())
        await core.intake.settled()
        await look.back_once()
        await core.intake.settled()
    return next((error for error in errors if error is not None), None)
