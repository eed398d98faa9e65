"""What can be asked about one account. Nothing here, or below, can change a VM."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from random import Random
from typing import Any, Generic, TypeVar

import aiohttp
from yarl import URL

from exporter.clock import Clock, Stint
from exporter.gigas.answers import (
    BrokenMachine,
    BwStats,
    CpuStats,
    Keep,
    KnownMachines,
    read_bw_stats,
    read_cpu_stats,
    read_machines,
)
from exporter.gigas.asking import Answer, Asker, Understand
from exporter.gigas.auth import Authentication, KeySource, Source
from exporter.gigas.credentials import ApiKey, Credentials, SessionLogin
from exporter.gigas.errors import ListingInconsistent
from exporter.gigas.events import Event, Throttled
from exporter.gigas.limits import Limiter
from exporter.gigas.logins import OpenIdWay, SessionWay
from exporter.gigas.options import ClientOptions
from exporter.gigas.paging import Page, Pages, take_pages, total_of
from exporter.gigas.provider_clock import ProviderClock
from exporter.gigas.requests import Get, asking, under
from exporter.gigas.retry import backoff_s
from exporter.gigas.tokens import Login, TokenSource
from exporter.gigas.transport import Exchange, Transport

__all__ = ["AccountClient", "Listing"]

T = TypeVar("T")
Asked = Coroutine[Any, Any, Answer[T]]
"""What asks when it is awaited. Each coroutine around another is a hundredth of a poll."""

_LISTINGS = 3
"""How often a list that does not add up is listed: VMs come and go, but not all the time."""
_LIST = "virtual_machines"
_PLACES_PER_PAGE = 4
"""Pages of a list that are asked for at the same time take a quarter of the account's places at most: while they hang,
the rest is for the VMs."""
_MOST_PAGES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What was kept of a complete list. `broken`: VMs that are there and could not be understood. Times: of the first
    page.
    """

    machines: tuple[T, ...]
    broken: tuple[BrokenMachine, ...]
    duplicates: int
    asked_at: float
    asked_seen_at: float


@lru_cache(256)  # So many accounts and periods.
def _asking_for(machines: str, period: str) -> URL:
    return asking(machines, period=period)


async def _cpu(exchange: Exchange) -> CpuStats:
    return read_cpu_stats(exchange.body)


async def _traffic(exchange: Exchange) -> BwStats:
    return read_bw_stats(exchange.body)


async def _none_more() -> AbstractContextManager[None]:
    return nullcontext()


class AccountClient:
    """Asks about one account, with its credentials and within its limits. Every method raises GigasError."""

    def __init__(
        self,
        *,
        account: str,
        account_id: str,
        credentials: Credentials,
        options: ClientOptions,
        session: aiohttp.ClientSession,
        clock: Clock,
        random: Random,
        on_event: Callable[[Event], None],
    ) -> None:
        self.account = account
        self.account_id = account_id
        self._base = options.url.rstrip("/")
        self._account = under(self._base, "account", account_id)
        self._machines = under(self._account, "virtual_machine")
        self._page_size = options.page_size
        self._pages_at_once = max(1, min(options.max_concurrency // _PLACES_PER_PAGE, _MOST_PAGES_AT_ONCE))
        self._clock = clock
        self._random = random
        limiter = self._limiter = Limiter(
            max_concurrency=options.max_concurrency,
            requests_per_second=options.requests_per_second,
            clock=clock,
            random=random,
            on_wait=lambda waited_s: on_event(Throttled(account, waited_s)),
        )
        asker = Asker(
            account=account,
            transport=Transport(account=account, options=options, session=session, clock=clock),
            limiter=limiter,
            place=limiter.place,
            attempts=options.attempts,
            provider_clock=ProviderClock(),
            clock=clock,
            random=random,
            on_event=on_event,
        )
        self._asker = asker
        self._authentication = Authentication(self._source(credentials, asker))

    @property
    def share(self) -> float:
        """Which part of `max_concurrency` those may use who look at VMs: as the provider bears it at present, as far as
        its answers tell, and less the one place that is left to listings.
        """
        return self._limiter.share

    @property
    def credential_expires_at(self) -> float | None:
        """UNIX seconds at which the present token ends; None for an API key, and before the first login."""
        return self._authentication.expires_at

    async def list_machines(
        self, filters: Mapping[str, str], keep: Keep[T], *, known: KnownMachines[T] | None = None
    ) -> Listing[T]:
        """List the VMs that pass the provider's own filters, and keep of each what is wanted. A list that does not add
        up is listed again. `known`: what was kept of earlier lists, for as long as this is listed in the same way.
        """
        known = known or KnownMachines()
        problem: str | None = None
        repeated: frozenset[str] | None = None
        for listing in range(1, _LISTINGS + 1):
            pages, (asked_at, asked_seen_at) = await self._pages(filters, keep, known)
            problem, before = pages.problem, repeated
            repeated = None if problem is None else pages.repeated
            if problem is None or (repeated is not None and repeated == before):
                return Listing(pages.kept, pages.broken, pages.duplicates, asked_at, asked_seen_at)
            if listing < _LISTINGS:
                await self._clock.sleep(backoff_s(listing, chance=self._random.random()))
        raise ListingInconsistent(self.account, _LIST, f"the pages do not add up: {problem}, {_LISTINGS} times")

    def cpu_stats(self, machine_id: str, period: str) -> Asked[CpuStats]:
        """Ask for the CPU usage of a VM."""
        return self._of_machine(machine_id, "cpu_stats", period, _cpu)

    def bw_stats(self, machine_id: str, period: str) -> Asked[BwStats]:
        """Ask for the traffic of a VM's interfaces."""
        return self._of_machine(machine_id, "bw_stats", period, _traffic)

    def _of_machine(self, machine_id: str, resource: str, period: str, understand: Understand[T]) -> Asked[T]:
        return self._ask(Get.of(_asking_for(self._machines, period), machine_id, resource), understand)

    async def _pages(
        self, filters: Mapping[str, str], keep: Keep[T], known: KnownMachines[T]
    ) -> tuple[Pages[T], tuple[float, float]]:
        pages: Pages[T] = Pages(page_size=self._page_size)
        known.next_listing()
        times: list[tuple[float, float]] = []  # Those of the first page come first: it is asked for alone.

        async def understand(exchange: Exchange) -> Page[T]:
            await self._clock.give_way()  # Of several pages that came together one is read in each lap.
            machines = await read_machines(exchange.body, keep, Stint(self._clock), known=known)
            return Page(machines, total_of(exchange.headers))

        async def ask(offset: int, limit: int) -> Page[T]:
            params = {**filters, "limit": str(limit), "offset": str(offset)}
            answer = await self._ask(Get.of(asking(self._account, **params), _LIST), understand)
            times.append((answer.asked_at, answer.asked_seen_at))
            return answer.document

        await take_pages(pages, ask, at_once=self._pages_at_once)
        return pages, times[0]

    def _ask(self, request: Get, understand: Understand[T]) -> Asked[T]:
        return self._authentication.make(request.endpoint, partial(self._asker.ask, request, understand))

    def _source(self, credentials: Credentials, asker: Asker) -> Source:
        if isinstance(credentials, ApiKey):
            return KeySource(credentials, account=self.account, clock=self._clock)
        # A login is made by a call that has a place already. One of its own might never come free: those who have one
        # wait for the login.
        within = replace(asker, place=_none_more)
        way: Login
        if isinstance(credentials, SessionLogin):
            way = SessionWay(credentials, base=self._base, account=self.account, asker=within, clock=self._clock)
        else:
            way = OpenIdWay(credentials, base=self._base, account=self.account, asker=within, clock=self._clock)
        return TokenSource(way, account=self.account, clock=self._clock)
