"""Who reads a page throughout a run, whether the daemon lives or not: a real Prometheus, and we."""

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from exporter.clock import SystemClock
from tests.exposition import Page
from tests.processes import answers, process
from tests.recorded import Scrapes, Series
from tests.tools import tool

__all__ = ["Prometheus", "prometheus", "read_throughout", "steady_port"]

_CLOCK = SystemClock()


def steady_port() -> int:
    """A free port that stays free while its server is dead: no outgoing connection takes one below 32768."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port between 20000 and 32000")


@contextlib.asynccontextmanager
async def read_throughout(target: str, scrapes: Scrapes) -> AsyncIterator[None]:
    """Read the page every half second; more often while nobody is there, so that what a start shows first is seen."""

    async def read(session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.get(f"http://{target}/metrics") as response:
                    text = await response.text()
            except (aiohttp.ClientError, TimeoutError):
                scrapes.refused += 1
                complete = False
            else:
                assert response.status == 200, text
                complete = scrapes.record(Page.of(text))
            await _CLOCK.sleep(0.5 if complete else 0.05)

    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        reading = group.create_task(read(session))
        try:
            yield
        finally:
            reading.cancel()


@dataclass(frozen=True)
class Prometheus:
    """One that scrapes twice a second."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, query: str) -> dict[tuple[str, str], float]:
        """An instant query: values by VM and interface."""
        async with self.session.get(f"{self.url}/api/v1/query", params={"query": query}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        return {
            (each["metric"].get("vm_id", ""), each["metric"].get("interface_id", "")): float(each["value"][1])
            for each in answer["data"]["result"]
        }

    async def growth(self, *families: str) -> dict[Series, float]:
        """By its raw samples: `increase()` extrapolates. No counter falls, and a restart changes no label."""
        grown: dict[Series, float] = {}
        for family in families:
            query = f"sum by (vm_id, interface_id) (max_over_time({family}[1h]) - min_over_time({family}[1h]))"
            grown |= {Series(family, *labels): value for labels, value in (await self.ask(query)).items()}
        return grown

    async def increase(self, family: str, over: str) -> float:
        return (await self.ask(f"sum(increase({family}[{over}]))"))["", ""]


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes only that."""
    url = f"127.0.0.1:{steady_port()}"
    jobs = [{"job_name": "gigas", "static_configs": [{"targets": [target]}]}]
    config = {"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = (
        tool("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={url}",
    )
    async with process(*command) as server, aiohttp.ClientSession() as session:
        await answers(f"http://{url}/-/ready", alive=[server])
        yield Prometheus(f"http://{url}", session)
        assert b"out of order" not in server.errors
        assert b"Error on ingesting" not in server.errors
