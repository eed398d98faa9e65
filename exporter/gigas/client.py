"""What can be asked about one account. Nothing here, or below, can change a VM."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TypeVar

import aiohttp

from exporter.clock import Clock
from exporter.gigas.answers import (
    BrokenMachine,
    BwStats,
    CpuStats,
    MachineDocument,
    Machines,
    read_bw_stats,
    read_cpu_stats,
    read_machines,
)
from exporter.gigas.asking import Answer, Asker, Authorize, Understand
from exporter.gigas.auth import Authentication, KeySource, Source
from exporter.gigas.credentials import ApiKey, Credentials, SessionLogin
from exporter.gigas.errors import ListingInconsistent
from exporter.gigas.events import Event, Throttled
from exporter.gigas.limits import Limiter
from exporter.gigas.logins import OpenIdWay, SessionWay
from exporter.gigas.options import ClientOptions
from exporter.gigas.paging import Pages, total_of
from exporter.gigas.provider_clock import ProviderClock
from exporter.gigas.requests import Get
from exporter.gigas.retry import backoff_s
from exporter.gigas.tokens import Login, TokenSource
from exporter.gigas.transport import Exchange, Transport

__all__ = ["AccountClient", "Listing"]

T = TypeVar("T")

_LISTINGS = 3
"""How often a list that does not add up is listed: VMs come and go, but not all the time."""
_LIST = "virtual_machines"


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete list. `broken`: VMs that are there and could not be understood. Times: of the first page."""

    machines: tuple[MachineDocument, ...]
    broken: tuple[BrokenMachine, ...]
    duplicates: int
    asked_at: float
    asked_seen_at: float


@dataclass(frozen=True, slots=True)
class _Page:
    machines: Machines
    total: int | None


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
        self._page_size = options.page_size
        self._clock = clock
        self._random = random
        limiter = Limiter(
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
    def credential_expires_at(self) -> float | None:
        """UNIX seconds at which the present token ends; None for an API key, and before the first login."""
        return self._authentication.expires_at

    async def list_machines(self, filters: Mapping[str, str]) -> Listing:
        """List the VMs that pass the provider's own filters. A list that does not add up is listed again."""
        problem: str | None = None
        repeated: frozenset[str] | None = None
        for listing in range(1, _LISTINGS + 1):
            pages, first = await self._pages(filters)
            problem, before, repeated = pages.problem, repeated, pages.repeated
            if problem is None or (repeated is not None and repeated == before):
                return Listing(pages.machines, pages.broken, pages.duplicates, first.asked_at, first.asked_seen_at)
            if listing < _LISTINGS:
                await self._clock.sleep(backoff_s(listing, chance=self._random.random()))
        raise ListingInconsistent(self.account, _LIST, f"the pages do not add up: {problem}, {_LISTINGS} times")

    async def cpu_stats(self, machine_id: str, period: str) -> Answer[CpuStats]:
        """Ask for the CPU usage of a VM."""
        return await self._statistics(machine_id, "cpu_stats", period, read_cpu_stats)

    async def bw_stats(self, machine_id: str, period: str) -> Answer[BwStats]:
        """Ask for the traffic of a VM's interfaces."""
        return await self._statistics(machine_id, "bw_stats", period, read_bw_stats)

    async def _statistics(self, machine_id: str, resource: str, period: str, read: Callable[[bytes], T]) -> Answer[T]:
        async def understand(exchange: Exchange) -> T:
            return read(exchange.body)

        return await self._get(
            "virtual_machine", machine_id, resource, params={"period": period}, understand=understand
        )

    async def _pages(self, filters: Mapping[str, str]) -> tuple[Pages, Answer[_Page]]:
        pages = Pages(page_size=self._page_size)
        answers: list[Answer[_Page]] = []
        while (wanted := pages.next_page()) is not None:
            offset, limit = wanted
            params = {**filters, "limit": str(limit), "offset": str(offset)}
            answers.append(await self._get(_LIST, params=params, understand=self._page))
            pages.add(answers[-1].document.machines, total=answers[-1].document.total)
        return pages, answers[0]

    async def _page(self, exchange: Exchange) -> _Page:
        machines = await read_machines(exchange.body, give_way=partial(self._clock.sleep, 0))
        return _Page(machines, total_of(exchange.headers))

    async def _get(self, *segments: str, params: Mapping[str, str], understand: Understand[T]) -> Answer[T]:
        request = Get.of(self._base, "account", self.account_id, *segments, params=params)

        async def call(authorize: Authorize) -> Answer[T]:
            return await self._asker.ask(request, understand=understand, authorize=authorize)

        return await self._authentication.make(request.endpoint, call)

    def _source(self, credentials: Credentials, asker: Asker) -> Source:
        if isinstance(credentials, ApiKey):
            return KeySource(credentials, account=self.account, clock=self._clock)
        # A login is made by a call that has a place already. One of its own might never come free: those who have one
        # wait for the login.
        within = replace(asker, place=nullcontext)
        way: Login
        if isinstance(credentials, SessionLogin):
            way = SessionWay(credentials, base=self._base, account=self.account, asker=within, clock=self._clock)
        else:
            way = OpenIdWay(credentials, base=self._base, account=self.account, asker=within, clock=self._clock)
        return TokenSource(way, account=self.account, clock=self._clock)
