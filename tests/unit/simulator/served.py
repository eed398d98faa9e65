"""The simulated API on a real socket, with a clock that is moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from exporter.simulator import SimulatorOptions, load_faults, serve
from tests.unit.simulator.made import START

__all__ = ["KEY", "LIST", "LOGIN", "Api", "HandClock", "api", "struck", "vm_path"]

KEY = {"Authorization": "Bearer demo-key"}
LOGIN = {"login": "demo", "password": "demo-password", "readonly": True}
LIST = "/account/17893/virtual_machines"


@dataclass
class HandClock:
    """A clock that is moved by hand; who sleeps moves it."""

    now_s: float = START
    slept_s: list[float] = field(default_factory=list)

    def wall_s(self) -> float:
        return self.now_s

    async def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)
        self.now_s += delay_s


@dataclass
class Api:
    """The simulated API of one account, and the clock that it lives by."""

    url: str
    clock: HandClock
    session: aiohttp.ClientSession

    @asynccontextmanager
    async def ask(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        more.setdefault("headers", KEY)
        async with self.session.request(method, self.url + path, allow_redirects=False, **more) as response:
            yield response

    async def get(self, path: str, **more: Any) -> Any:
        async with self.ask("GET", path, **more) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def status(self, method: str, path: str, **more: Any) -> int:
        async with self.ask(method, path, **more) as response:
            return response.status

    async def vm_id(self, kind: str) -> str:
        listed = await self.get(f"/account/17893/virtual_machines?hostname={kind}")
        return str(listed[0]["id"])


@asynccontextmanager
async def api(*, faults: str = "", **options: Any) -> AsyncIterator[Api]:
    clock = HandClock()
    chosen = SimulatorOptions(**({"vms": 14, "step_s": 10.0} | options))
    async with serve(chosen, clock=clock, faults=load_faults(faults)) as url, aiohttp.ClientSession() as session:
        yield Api(url, clock, session)


def vm_path(vm_id: str, rest: str = "") -> str:
    return f"/account/17893/virtual_machine/{vm_id}{rest}"


async def struck(simulated: Api, path: str = LIST, **more: Any) -> tuple[aiohttp.ClientResponse, bytes]:
    """The answer to a request, and its body as far as it came."""
    async with simulated.ask("GET", path, **more) as response:
        body = bytearray()
        try:
            async for piece in response.content.iter_any():
                body += piece
        except aiohttp.ClientPayloadError:
            body += b"<cut>"
        return response, bytes(body)
