"""Real Prometheus servers that scrape a daemon, where there is the program."""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.figures import row, spread
from tests.processes import Process, answers, free_port, process

__all__ = ["Prometheus", "scraping", "show"]


@dataclass(frozen=True)
class Prometheus:
    """One server at work."""

    url: str
    session: aiohttp.ClientSession
    server: Process

    async def seen(self, name: str, for_s: float) -> list[float]:
        """The values of a series of the last seconds."""
        query = {"query": f"{name}[{int(for_s)}s]"}
        async with self.session.get(f"{self.url}/api/v1/query", params=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        return [float(value) for series in answer["data"]["result"] for _, value in series["values"]]

    def warnings(self) -> list[str]:
        return [line for line in self.server.log().splitlines() if "level=info" not in line and "level=" in line]


@asynccontextmanager
async def scraping(url: str, *, count: int, interval_s: int) -> AsyncIterator[Sequence[Prometheus]]:
    """So many servers that scrape that daemon; none, and a row that says so, where Prometheus is not there."""
    program = shutil.which("prometheus")
    if program is None:
        row("prometheus is not there: apt-get install prometheus", "nothing scrapes meanwhile")
        yield []
        return
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gigas-bench-")))
        servers = []
        for number in range(count):
            own = folder / str(number)
            own.mkdir()
            (own / "prometheus.yml").write_text(_configuration(url, interval_s))
            port = free_port()
            command = (
                program,
                f"--config.file={own / 'prometheus.yml'}",
                f"--storage.tsdb.path={own / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            )
            server = await stack.enter_async_context(process(*command))
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=[server])
            servers.append(Prometheus(f"http://127.0.0.1:{port}", session, server))
        yield servers


def _configuration(url: str, interval_s: int) -> str:
    target = url.removeprefix("http://")
    return json.dumps(
        {
            "global": {"scrape_interval": f"{interval_s}s", "scrape_timeout": f"{interval_s}s"},
            "scrape_configs": [{"job_name": "gigas", "static_configs": [{"targets": [target]}]}],
        }
    )


async def show(servers: Sequence[Prometheus], *, for_s: float, samples: int) -> None:
    """Print what the servers have seen in the last seconds. Raises AssertionError if they warned or lack any."""
    for number, each in enumerate(servers, start=1):
        up, took = await each.seen("up", for_s), await each.seen("scrape_duration_seconds", for_s)
        scraped = await each.seen("scrape_samples_scraped", for_s)
        figures = f"{len(took)} scrapes", f"{spread([1000 * s for s in took], '.0f')} ms", f"{max(scraped):.0f} samples"
        row(f"Prometheus {number}: scrape_duration_seconds", *figures)
        assert not each.warnings(), each.warnings()
        assert up, "no scrapes"
        assert all(up), f"{up.count(0)} of {len(up)} scrapes failed"
        assert min(scraped) >= samples, f"a scrape brought {min(scraped):.0f} samples of {samples}"
