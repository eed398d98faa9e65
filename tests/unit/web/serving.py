"""A server over a fleet that the test makes, with no collector behind it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDictProxy

from exporter.clock import SystemClock
from exporter.fleet import AccountView, Fleet
from exporter.metrics import Own, Page
from exporter.web import Server

__all__ = ["Answer", "Serving", "listed", "serving"]


def listed(*names: str) -> list[AccountView]:
    return [AccountView(name=name, account_id=name, up=True, listed=True) for name in names]


@dataclass(frozen=True)
class Answer:
    """A response, as it came: nothing is decompressed."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Serving:
    """What is served, and how to ask for it."""

    fleet: Fleet
    own: Own
    page: Page
    server: Server
    session: aiohttp.ClientSession
    url: str = field(default="")

    async def ask(self, path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Answer:
        async with self.session.request(method, self.url + path, headers=list(headers)) as response:
            return Answer(response.status, response.headers, await response.read())


@asynccontextmanager
async def serving(
    accounts: Iterable[AccountView] = (),
    *,
    telemetry_path: str = "/metrics",
    reload: Callable[[], Awaitable[str | None]] | None = None,
) -> AsyncIterator[Serving]:
    clock, fleet, own = SystemClock(), Fleet(), Own(version="1.2.3")
    fleet.keep_accounts(accounts)
    page = Page(fleet=fleet, own=own, clock=clock)
    await page.refresh()
    server = Server(page=page, fleet=fleet, clock=clock, version="1.2.3")
    server.serve_at(telemetry_path, reload=reload)
    (url,) = await server.start([("127.0.0.1", 0)])
    try:
        async with aiohttp.ClientSession(
            auto_decompress=False, skip_auto_headers=["Accept", "Accept-Encoding"]
        ) as session:
            yield Serving(fleet, own, page, server, session, url)
    finally:
        await server.stop()
