"""One account as it is looked at."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zoneinfo import ZoneInfo

import aiohttp

from exporter import __version__
from exporter.clock import Clock
from exporter.collectors import ACCOUNT_COLLECTORS, VM_COLLECTORS, Options
from exporter.fleet import Fleet
from exporter.gigas import (
    AccountClient,
    ApiKey,
    ClientOptions,
    Credentials,
    Event,
    OpenIdLogin,
    SessionLogin,
    open_session,
)
from exporter.intake import Intake
from exporter.observe import Observer
from exporter.schedule import InventoryRound, Round, VmRound
from exporter.settings import AccountSettings, Settings

__all__ = ["Watch", "client_of", "collector_options", "session_of"]


def client_of(
    account: AccountSettings,
    settings: Settings,
    *,
    session: aiohttp.ClientSession,
    clock: Clock,
    on_event: Callable[[Event], None],
) -> AccountClient:
    """The client of one account."""
    return AccountClient(
        account=account.name,
        account_id=account.id,
        credentials=_credentials(account),
        options=_client_options(settings),
        session=session,
        clock=clock,
        random=random.Random(),  # noqa: S311 - jitter, not a secret
        on_event=on_event,
    )


def session_of(settings: Settings) -> aiohttp.ClientSession:
    """The connections that all accounts share."""
    return open_session(_client_options(settings))


@dataclass(frozen=True, slots=True)
class Watch:
    """The rounds of an account. `made_of`: the settings of which any change means building it anew."""

    made_of: tuple[object, ...]
    listings: Mapping[str, InventoryRound]
    looks: Mapping[str, VmRound]
    intervals_s: Mapping[str, float]

    @staticmethod
    def build(
        account: AccountSettings,
        settings: Settings,
        *,
        session: aiohttp.ClientSession,
        clock: Clock,
        fleet: Fleet,
        intake: Intake,
        observer: Observer,
    ) -> "Watch":
        """Join client, collectors and rounds."""
        client = client_of(account, settings, session=session, clock=clock, on_event=observer.told)
        options = collector_options(account, settings)
        intervals_s: dict[str, float] = {
            name: getattr(settings.collect, name).interval_s for name in (*ACCOUNT_COLLECTORS, *VM_COLLECTORS)
        }
        listings = {
            name: InventoryRound(
                client=client,
                collector=make(options),
                name=name,
                intake=intake,
                clock=clock,
                interval_s=intervals_s[name],
                on_event=observer.told,
            )
            for name, make in ACCOUNT_COLLECTORS.items()
        }
        looks = {
            name: VmRound(
                client=client,
                collector=make(options),
                name=name,
                fleet=fleet,
                intake=intake,
                clock=clock,
                interval_s=intervals_s[name],
                every_buckets=getattr(settings.collect, name).every_buckets,
                workers=_workers(settings.api.max_concurrency),
                on_event=observer.told,
            )
            for name, make in VM_COLLECTORS.items()
        }
        return Watch(made_of(account, settings), MappingProxyType(listings), MappingProxyType(looks), intervals_s)

    def rounds(self) -> Iterator[tuple[str, Round]]:
        """Every round by its collector's name."""
        yield from self.listings.items()
        yield from self.looks.items()


def made_of(account: AccountSettings, settings: Settings) -> tuple[object, ...]:
    """The settings that a watch is built from; what is only shown is not among them."""
    asked_with = account.model_copy(update={"labels": {}, "api_key_expires": None})
    collected = settings.collect.model_copy(update={"stale_after_s": 0.0})
    return asked_with, settings.api, collected, settings.shard


def _workers(max_concurrency: int) -> int:
    """How many VMs a collector looks at at the same time. The collectors of an account share its places: one that hangs
    in all of its own must leave some to the other, and one to the listing.
    """
    return max(1, (max_concurrency - 1) // len(VM_COLLECTORS))


def _credentials(account: AccountSettings) -> Credentials:
    if account.username is None:
        return ApiKey(account.secret())
    if account.auth == "oidc":
        return OpenIdLogin(account.username, account.secret(), account.totp_secret())
    return SessionLogin(account.username, account.secret())


def _client_options(settings: Settings) -> ClientOptions:
    api = settings.api
    return ClientOptions(
        url=api.url,
        timeout_s=api.timeout_s,
        page_size=api.page_size,
        max_concurrency=api.max_concurrency,
        requests_per_second=api.requests_per_second,
        user_agent=f"gigas-exporter/{__version__}",
    )


def collector_options(account: AccountSettings, settings: Settings) -> Options:
    """What the collectors of an account are told."""
    return Options(
        filters=account.filters,
        shard_index=settings.shard.index,
        shard_total=settings.shard.total,
        timezone=ZoneInfo(settings.api.timezone),
        memory_unit=settings.api.memory_unit,
        cpu_percent_of=settings.collect.cpu.percent_of,
        traffic_unit=settings.collect.traffic.unit,
    )
