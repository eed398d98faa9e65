"""A daemon and a simulated provider in this process, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from exporter.app import Daemon
from exporter.clock import SystemClock
from exporter.settings import Settings, load
from exporter.simulator import SimulatorOptions, load_faults, serve
from tests.exposition import Page
from tests.processes import free_port

__all__ = ["Provider", "Watched", "daemon", "provider", "settings_for"]


@dataclass
class Provider:
    """A simulated provider that can be steered."""

    url: str
    session: aiohttp.ClientSession

    async def truth(self, **query: str) -> Any:
        async with self.session.get(f"{self.url}/truth", params=query) as response:
            return await response.json()

    async def vms(self, account: str = "17893", **query: str) -> dict[str, Any]:
        vms: dict[str, Any] = (await self.truth(**query))["accounts"][account]["vms"]
        return vms

    async def steer(self, vm_id: str, **changes: object) -> None:
        await self._send("PATCH", f"/simulator/vms/{vm_id}", changes)

    async def remove(self, vm_id: str) -> None:
        await self._send("DELETE", f"/simulator/vms/{vm_id}", {})

    async def faults(self, *faults: Mapping[str, object]) -> None:
        await self._send("PUT", "/simulator/faults", faults)

    async def api_keys(self, *keys: str) -> None:
        await self._send("PUT", "/simulator/api_keys", keys)

    async def requests(self) -> Any:
        async with self.session.get(f"{self.url}/simulator/requests") as response:
            return await response.json()

    async def _send(self, method: str, path: str, document: object) -> None:
        async with self.session.request(method, self.url + path, data=json.dumps(document)) as response:
            assert response.status == 204, await response.text()


@asynccontextmanager
async def provider(*, faults: str = "[]", **options: Any) -> AsyncIterator[Provider]:
    chosen = SimulatorOptions(**({"vms": 14, "step_s": 1.0} | options))
    async with (
        serve(chosen, clock=SystemClock(), faults=load_faults(faults)) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Provider(url, session)


def settings_for(url: str, *, port: int, file: Path | None = None, **more: str) -> Settings:
    """Settings that look often enough for buckets of a second; `more` are variables without their prefix."""
    usual = {
        "API__URL": url,
        "WEB__LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "COLLECT__INVENTORY__INTERVAL": "300ms",
        "COLLECT__CPU__INTERVAL": "200ms",
        "COLLECT__TRAFFIC__INTERVAL": "200ms",
        "COLLECT__STALE_AFTER": "8s",
        "STATE__PATH": ":memory:",
    }
    if file is None and not any(name.startswith("ACCOUNTS") for name in more):
        usual |= {"ACCOUNTS__0__ID": "17893", "ACCOUNTS__0__NAME": "production", "ACCOUNTS__0__API_KEY": "demo-key"}
    environ = {f"GIGAS_EXPORTER_{name}": value for name, value in (usual | more).items()}
    return load(flags={}, environ=environ, file=file)


@dataclass
class Watched:
    """A daemon at work."""

    url: str
    daemon: Daemon
    session: aiohttp.ClientSession
    settings: Settings

    async def text(self, path: str = "/metrics", **headers: str) -> str:
        async with self.session.get(self.url + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def status(self, path: str) -> int:
        async with self.session.get(self.url + path) as response:
            return response.status

    async def page(self) -> Page:
        return Page.of(await self.text())


@asynccontextmanager
async def daemon(url: str, **variables: Any) -> AsyncIterator[Watched]:
    port = free_port()
    settings = settings_for(url, port=port, **variables)
    stop = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        at_work = Daemon(settings, reread=lambda: settings_for(url, port=port, **variables), clock=SystemClock())
        group.create_task(at_work.run(stop))
        try:
            yield Watched(f"http://127.0.0.1:{port}", at_work, session, settings)
        finally:
            stop.set()
