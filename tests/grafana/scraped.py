"""A Prometheus that has scraped an exporter of a simulated fleet, with our rules loaded."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import answers, free_port, process
from tests.running import Provider, daemon, provider
from tests.tools import tool

__all__ = ["RULES", "Scraped", "scraped"]

RULES = Path(__file__).parents[2] / "deploy/prometheus/gigas-exporter.rules.yml"

ACCOUNT = {
    "ACCOUNTS__0__ID": "17893",
    "ACCOUNTS__0__NAME": "production",
    "ACCOUNTS__0__API_KEY": "demo-key",
    "ACCOUNTS__0__API_KEY_EXPIRES": "2099-12-31",
}


@dataclass(frozen=True)
class Scraped:
    """`url`: of Prometheus; `exporter_url`: of what it scrapes; `provider`: whom that asks."""

    url: str
    exporter_url: str
    provider: Provider
    session: aiohttp.ClientSession

    async def ask(self, path: str, query: Mapping[str, str]) -> Any:
        """What the HTTP API gives; an error of Prometheus fails the test with its own words."""
        async with self.session.get(f"{self.url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        if answer["status"] != "success":
            raise RuntimeError(f"{answer['error']}: {query}")
        return answer["data"]


@asynccontextmanager
async def scraped(
    folder: Path, *, every: str = "500ms", simulated: Mapping[str, Any] | None = None, **variables: str
) -> AsyncIterator[Scraped]:
    """One simulated VM of every kind, and buckets of a second, so that a few seconds fill every window, unless options
    of the simulation or variables of the exporter say otherwise.
    """
    prometheus = tool("prometheus", "prometheus")
    port = free_port()
    # Only the thresholds and what is recorded: with windows of hours nothing fires here.
    (folder / "rules.yml").write_text(RULES.read_text().replace("interval: 1m", "interval: 500ms"))
    options = {"vms": 14, "step_s": 1.0} | dict(simulated or {})
    async with provider(**options) as asked, daemon(asked.url, **(ACCOUNT | variables)) as watched:
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": every, "scrape_timeout": every},
                    "rule_files": ["rules.yml"],
                    "scrape_configs": [
                        {
                            "job_name": "gigas",
                            "static_configs": [{"targets": [watched.url.removeprefix("http://")]}],
                        }
                    ],
                }
            )
        )
        async with (
            process(
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ) as server,
            aiohttp.ClientSession() as session,
        ):
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=[server])
            yield Scraped(f"http://127.0.0.1:{port}", watched.url, asked, session)
