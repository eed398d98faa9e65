"""A client over real sockets, and a provider that a test writes where the simulated API cannot show a case."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from exporter.clock import Clock
from exporter.gigas import (
    AccountClient,
    ApiKey,
    ClientOptions,
    Credentials,
    Event,
    MachineDocument,
    OpenIdLogin,
    RequestDone,
    SessionLogin,
    Throttled,
    open_session,
)
from exporter.simulator import SimulatorOptions, load_faults, serve
from tests.running import Provider
from tests.unit.gigas.doubles import SwiftClock, Text

__all__ = [
    "Answering",
    "Asked",
    "Seen",
    "Server",
    "asked",
    "key",
    "openid",
    "paged",
    "server",
    "session",
    "simulated",
    "whole",
]


def whole(document: MachineDocument) -> MachineDocument:
    """Keep all that is read of a VM."""
    return document


def key(text: str = "demo-key") -> ApiKey:
    return ApiKey(Text(text))


def session(password: str = "demo-password") -> SessionLogin:
    return SessionLogin("demo", Text(password))


def openid(password: str = "demo-password", totp: str | None = None) -> OpenIdLogin:
    return OpenIdLogin("demo", Text(password), None if totp is None else Text(totp))


class Chances(Random):
    """Jitter as a test wants it; the last of the chances for ever."""

    def __init__(self, chances: Iterable[float]) -> None:
        super().__init__()
        *first, last = chances
        self._chances = chain(first, repeat(last))

    def random(self) -> float:
        return next(self._chances)


@dataclass
class Asked:
    """A client, its time, and what it told."""

    client: AccountClient
    clock: SwiftClock
    connections: aiohttp.ClientSession
    events: list[Event] = field(default_factory=list)

    def codes(self, endpoint: str | None = None) -> list[str]:
        """How the attempts ended, in order."""
        done = [event for event in self.events if isinstance(event, RequestDone)]
        return [event.code for event in done if endpoint in {None, event.endpoint}]

    def throttled_s(self) -> float:
        return sum(event.waited_s for event in self.events if isinstance(event, Throttled))


@asynccontextmanager
async def asked(
    url: str,
    credentials: Credentials | None = None,
    *,
    clock: SwiftClock | None = None,
    chances: Iterable[float] = (0.5,),
    **options: Any,
) -> AsyncIterator[Asked]:
    """A client of account 17893, called production. Waiting takes no time unless a clock says otherwise."""
    chosen = ClientOptions(**{"url": url, "user_agent": "gigas-exporter/test", "timeout_s": 10.0, **options})
    timed = SwiftClock() if clock is None else clock
    events: list[Event] = []
    async with open_session(chosen) as connections:
        client = AccountClient(
            account="production",
            account_id="17893",
            credentials=key() if credentials is None else credentials,
            options=chosen,
            session=connections,
            clock=timed,
            random=Chances(chances),
            on_event=events.append,
        )
        yield Asked(client, timed, connections, events)


@asynccontextmanager
async def simulated(*, clock: Clock | None = None, faults: str = "[]", **options: Any) -> AsyncIterator[Provider]:
    """The simulated API of 14 VMs. It lives by the client's clock where that is given."""
    chosen = SimulatorOptions(**({"vms": 14, "step_s": 10.0} | options))
    async with (
        serve(chosen, clock=SwiftClock() if clock is None else clock, faults=load_faults(faults)) as url,
        aiohttp.ClientSession() as steering,
    ):
        yield Provider(url, steering)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    connection: int

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Whatever a test answers, and what it was asked."""

    url: str
    seen: list[Seen]

    def asked_for(self, endpoint: str) -> list[Seen]:
        return [each for each in self.seen if each.path.rpartition("/")[2] == endpoint]


@asynccontextmanager
async def server(answering: Answering) -> AsyncIterator[Server]:
    seen: list[Seen] = []
    connections: dict[object, int] = {}

    async def note(request: web.Request) -> web.StreamResponse:
        number = connections.setdefault(request.transport, len(connections))
        body = await request.text()
        seen.append(
            Seen(request.method, request.path, dict(request.query), dict(request.headers), body, connection=number)
        )
        return await answering(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield Server(f"http://{host}:{port}", seen)
    finally:
        await runner.cleanup()


def paged(request: web.Request, ids: Iterable[str], *, total: int | None = None) -> web.Response:
    """A page of VMs, with `X-Total` where there is a total."""
    offset, limit = int(request.query["offset"]), int(request.query["limit"])
    shown = [{"id": each, "status": "online"} for each in ids][offset : offset + limit]
    return web.json_response(shown, headers={} if total is None else {"X-Total": str(total)})
