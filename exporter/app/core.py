"""What every collection needs: from intake over the fleet to the page."""

import aiohttp

from exporter import __version__
from exporter.app.watch import Watch
from exporter.clock import Clock
from exporter.collectors import InventoryReading
from exporter.fleet import AccountView, Fleet
from exporter.intake import Intake, Taken
from exporter.ledger import Ledger
from exporter.metrics import Own, Page
from exporter.observe import Observer
from exporter.settings import AccountSettings, Settings

__all__ = ["Core"]


class Core:
    """Built once; the watches of its accounts come and go. Until there is a ledger (`count`), it only shows."""

    intake: Intake

    def __init__(self, *, clock: Clock) -> None:
        self.clock = clock
        self.own = Own(version=__version__)
        self.observer = Observer(own=self.own, clock=clock)
        self.fleet = Fleet()
        self.page = Page(fleet=self.fleet, own=self.own, clock=clock)
        self.watches: dict[str, Watch] = {}
        self._opened: set[str] = set()

    def know_accounts(self, settings: Settings) -> None:
        """Make the settings' accounts the ones that are shown."""
        before = {view.name for view in self.fleet.accounts()}
        self.observer.sharded(index=settings.shard.index, total=settings.shard.total)
        views = [self._view(account) for account in settings.accounts]
        self.fleet.keep_accounts(views)
        for view in views:
            self.observer.account_watched(view.name)
        for name in before - {view.name for view in views}:
            self.observer.account_forgotten(name)

    def count(self, settings: Settings, *, ledger: Ledger) -> None:
        """Begin to count, on top of what the ledger remembers."""
        self._ledger = ledger
        self.intake = Intake(
            ledger=ledger,
            fleet=self.fleet,
            clock=self.clock,
            stale_after_s=settings.collect.stale_after_s,
            on_event=self.observer.told,
            on_taken=self._taken,
        )

    async def can_open(self, settings: Settings) -> None:
        """Make sure that what is remembered of the settings' accounts can be had. Raises LedgerFailed."""
        for account in settings.accounts:
            key = self._view(account).key
            if key not in self._opened:
                await self._ledger.load(key)

    async def open_accounts(self) -> None:
        """Have what is remembered of the accounts that are shown. Raises LedgerFailed."""
        for view in self.fleet.accounts():
            await self.intake.open_account(view)
            self._opened.add(view.key)

    def watch(self, account: AccountSettings, settings: Settings, session: aiohttp.ClientSession) -> Watch:
        """Build what looks at an account, and let it hear of what intake takes."""
        watch = self.watches[account.name] = Watch.build(
            account,
            settings,
            session=session,
            clock=self.clock,
            fleet=self.fleet,
            intake=self.intake,
            observer=self.observer,
        )
        return watch

    def _taken(self, taken: Taken | InventoryReading) -> None:
        watch = self.watches.get(taken.account)
        if watch is None:
            return
        if isinstance(taken, InventoryReading):
            for look in watch.looks.values():
                look.listed(taken)
        else:
            watch.looks[taken.collector].taken(taken)

    def _view(self, account: AccountSettings) -> AccountView:
        """What the settings say of an account. When a login's token ends they do not say: what was told stays."""
        known = self.fleet.account(account.name)
        told_at = known.credential_expires_at if known is not None and account.username is not None else None
        return AccountView(
            name=account.name,
            account_id=account.id,
            labels=account.labels,
            credential_expires_at=account.api_key_expires or told_at,
        )
