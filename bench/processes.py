"""A provider, and a daemon that polls it, each a process of its own; both end with the block, whatever happens."""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp

from bench import truth
from bench.pages import Page
from tests.processes import Process, environment, process

__all__ = ["Asked", "Bare", "Provider", "Report", "Watched", "bare", "provider", "watched"]

_WITHIN_S = 120.0
_EVERY_S = 0.05
_LOOKED_AT_EVERY_S = 0.5
"""Whoever waits for the first picture must not be what it waits for."""
_FAULT = "internal error"
"""What the daemon's log says where it has met a fault of its own."""


class Asked(NamedTuple):
    """A request as the provider has noted it; lists have no period."""

    at: float
    endpoint: str
    period: str
    vm: int


@dataclass(frozen=True)
class Provider:
    """`bench.provider` at work."""

    url: str
    session: aiohttp.ClientSession

    async def asked(self) -> Sequence[Asked]:
        async with self.session.get(f"{self.url}/asked") as response:
            assert response.status == 200
            return [Asked(*each) for each in await response.json()]


@dataclass(frozen=True)
class Report:
    """What the daemon's process tells of itself (`bench.daemon`)."""

    at_s: float
    cpu_s: float
    ticking_s: float
    threads_s: dict[str, float]
    rss_bytes: int
    peak_bytes: int
    held_ms: list[tuple[float, float]] = field(repr=False)
    empty_ms: list[tuple[float, float]] = field(repr=False)
    collections_ms: list[float] = field(repr=False)


@dataclass
class Watched:
    """A daemon at work for some VMs, and the provider that it polls."""

    vms: int
    step_s: int
    provider: Provider
    url: str
    session: aiohttp.ClientSession
    daemon: Process
    started_s: float
    lines: int = 1

    async def page(self, query: str = "", encoding: str = "gzip") -> Page:
        async with self.session.get(f"{self.url}/metrics{query}", headers={"Accept-Encoding": encoding}) as response:
            assert response.status == 200, await response.text()
            return Page(await response.text())

    async def text(self) -> bytes:
        """The page as it is."""
        async with self.session.get(f"{self.url}/metrics", headers={"Accept-Encoding": "identity"}) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    async def report(self) -> Report:
        self.daemon.signal(signal.SIGUSR1)
        self.lines += 1
        return Report(**await _line(self.daemon, self.lines))

    async def first_picture(self) -> tuple[Page, float]:
        """The first page on which every VM has everything, and the seconds from the process' start to it."""
        while True:
            seen = (await self.page("?collect[]=exporter")).family("gigas_exporter_vms")
            known = {labels["collector"]: value for labels, value in seen if labels["outcome"] == "ok"}
            if known.get("cpu") == known.get("traffic") == self.vms:
                page = await self.page()
                if not page.lacks(self.vms):
                    return page, time.monotonic() - self.started_s
            assert _FAULT not in self.daemon.log(), self.daemon.log()
            told = f"no full picture within {_WITHIN_S:.0f} s: {known}; {self.daemon.log()}"
            assert time.monotonic() < self.started_s + _WITHIN_S, told
            await asyncio.sleep(_LOOKED_AT_EVERY_S)

    async def went_well(self) -> None:
        """Raise AssertionError if a request failed, or the daemon met a fault of its own."""
        assert _FAULT not in self.daemon.log(), self.daemon.log()
        page = await self.page("?collect[]=exporter")
        codes = {labels["code"]: count for labels, count in page.family("gigas_exporter_api_requests_total") if count}
        assert codes.keys() == {"200"}, f"requests by code: {codes}"

    async def until_bucket(self, after: int = 0) -> int:
        """Wait for the end of a bucket, and so many more; return the number of the one that begins then."""
        bucket = int(time.time() // self.step_s) + 1 + after
        await asyncio.sleep(bucket * self.step_s - time.time())
        return bucket


@asynccontextmanager
async def provider(*, vms: int, step_s: int) -> AsyncIterator[Provider]:
    arguments = ("--vms", str(vms), "--step", str(step_s))
    async with (
        process(sys.executable, "-m", "bench.provider", *arguments) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Provider((await _line(running, 1))["url"], session)


@asynccontextmanager
async def watched(*, vms: int, step_s: int, ticking: bool = False, **variables: str) -> AsyncIterator[Watched]:
    """The daemon with its defaults, but that it may look as often as there are buckets; its ledger is on the disk."""
    usual = {
        "ACCOUNTS__0__ID": truth.ACCOUNT,
        "ACCOUNTS__0__API_KEY": "key",
        "COLLECT__CPU__INTERVAL": "1s",
        "COLLECT__TRAFFIC__INTERVAL": "1s",
        "WEB__LISTEN_ADDRESS": "127.0.0.1:0",
        "LOG__LEVEL": "warn",
    }
    arguments = ["--ticking"] if ticking else []
    with tempfile.TemporaryDirectory(prefix="gigas-bench-") as folder:
        async with provider(vms=vms, step_s=step_s) as asked, aiohttp.ClientSession() as session:
            told = usual | {"API__URL": asked.url, "STATE__PATH": f"{folder}/ledger.db"} | variables
            configured = environment(**{f"GIGAS_EXPORTER_{name}": value for name, value in told.items()})
            started_s = time.monotonic()
            async with process(sys.executable, "-m", "bench.daemon", *arguments, env=configured) as running:
                url = (await _line(running, 1))["url"]
                at_work = Watched(vms, step_s, asked, url, session, running, started_s)
                yield at_work
                await at_work.went_well()


class BareReport(NamedTuple):
    """What the bare parts tell of themselves. `held_ms`: for how long their loop was held since the last time."""

    cpu_s: float
    held_ms: Sequence[tuple[float, float]]


@dataclass
class Bare:
    """`bench.bare` at work."""

    url: str
    running: Process
    lines: int = 1

    async def report(self) -> BareReport:
        self.running.signal(signal.SIGUSR1)
        self.lines += 1
        return BareReport(**await _line(self.running, self.lines))


@asynccontextmanager
async def bare(*, vms: int, step_s: int, page: bytes, ticking: bool = False) -> AsyncIterator[Bare]:
    """The bare parts, which serve that page, and a provider that they poll."""
    with tempfile.NamedTemporaryFile(prefix="gigas-bench-") as file:
        file.write(page)
        file.flush()
        async with provider(vms=vms, step_s=step_s) as asked:
            arguments = ["--provider", asked.url, "--vms", str(vms), "--step", str(step_s), "--page", file.name]
            arguments += ["--ticking"] if ticking else []
            async with process(sys.executable, "-m", "bench.bare", *arguments) as running:
                yield Bare((await _line(running, 1))["url"], running)


async def _line(running: Process, number: int) -> Any:
    """The process' line of that number, from 1."""
    until_s = time.monotonic() + _WITHIN_S
    while running.output.count(b"\n") < number:
        assert running.running.returncode is None, f"ended: {running.log()}"
        assert time.monotonic() < until_s, f"not a line within {_WITHIN_S} s: {running.log()}"
        await asyncio.sleep(_EVERY_S)
    return json.loads(running.output.splitlines()[number - 1])
