"""The end: what was asked for is taken, the page is final, and nothing holds it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from exporter.app import Daemon
from exporter.clock import SystemClock
from exporter.metrics import Selection
from tests.exposition import Page
from tests.processes import free_port
from tests.running import Provider, provider, settings_for
from tests.waiting import eventually

LONGEST_S = 5.0
STEP_S = 300.0


@dataclass
class Ending:
    """A daemon that a test ends."""

    daemon: Daemon
    stop: asyncio.Event
    running: asyncio.Task[None]

    async def end(self) -> float:
        """Stop it; return how long that took."""
        clock = SystemClock()
        started_s = clock.monotonic_s()
        self.stop.set()
        async with asyncio.timeout(LONGEST_S):
            await self.running
        return clock.monotonic_s() - started_s

    async def page(self) -> Page:
        """What the last scrape would have shown."""
        blocks = (await self.daemon._core.page.exposition(Selection(), openmetrics=False)).blocks
        return Page.of(b"".join(blocks).decode())


@asynccontextmanager
async def started(url: str, *, accounts: int = 1) -> AsyncIterator[Ending]:
    port, stop = free_port(), asyncio.Event()
    told: dict[str, Any] = {}
    for index in range(accounts):
        for key, value in (("ID", str(17893 + index)), ("NAME", f"account-{index}"), ("API_KEY", "demo-key")):
            told[f"ACCOUNTS__{index}__{key}"] = value
    settings = settings_for(url, port=port, **told)
    reloaded = settings_for(url, port=port, **told, API__TIMEOUT="7s")
    daemon = Daemon(settings, reread=lambda: reloaded, clock=SystemClock())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(daemon.run(stop))
        try:
            yield Ending(daemon, stop, running)
        finally:
            stop.set()


async def asked(simulated: Provider, endpoint: str) -> bool:
    return bool((await simulated.requests())["endpoints"].get(endpoint))


async def test_answers_that_are_on_their_way_are_on_the_last_page() -> None:
    faults = "[{kind: hang, seconds: 1, endpoint: cpu_stats}, {kind: hang, seconds: 1, endpoint: bw_stats}]"
    # By the provider's clock no bucket ends while it is asked: with a list that says not whether it is of before or
    # after that, nothing begins.
    skew_s = STEP_S / 2 - SystemClock().wall_s() % STEP_S
    async with provider(step_s=STEP_S, skew_s=skew_s, faults=faults) as simulated, started(simulated.url) as ending:
        await eventually(lambda: asked(simulated, "bw_stats"))
        took_s = await ending.end()
        assert took_s < 3
        page = await ending.page()
        assert len(list(page.each("gigas_vm_info"))) == 14
        # As many as are asked at the same time before a provider has shown how many it bears.
        assert len(list(page.each("gigas_vm_cpu_usage_timestamp_seconds"))) >= 3
        assert len({labels["vm_id"] for labels, _ in page.each("gigas_vm_network_timestamp_seconds")}) >= 3


async def test_a_provider_that_hangs_holds_up_the_end_for_two_seconds_at_most() -> None:
    async with provider(faults="[{kind: hang, seconds: 60}]") as simulated, started(simulated.url) as ending:
        await eventually(lambda: asked(simulated, "virtual_machines"))
        assert 1.5 < await ending.end() < 4


async def test_a_daemon_that_is_told_to_stop_before_it_has_begun_stops() -> None:
    async with provider() as simulated, started(simulated.url) as ending:
        assert await ending.end() < 3


async def test_a_reload_at_the_same_time_begins_nothing_that_would_go_on() -> None:
    faults = "[{kind: hang, seconds: 60, endpoint: cpu_stats}]"
    async with (
        provider(accounts=("17893", "17894"), faults=faults) as simulated,
        started(simulated.url, accounts=2) as ending,
    ):
        await eventually(lambda: asked(simulated, "cpu_stats"))
        async with asyncio.TaskGroup() as group:
            before = group.create_task(ending.daemon.reload())
            ending.daemon.request_reload()
            end = group.create_task(ending.end())
            await SystemClock().sleep(0.1)
            during = group.create_task(ending.daemon.reload())
        assert end.result() < LONGEST_S
        assert before.result() is None
        assert during.result() == "the exporter is stopping"


async def test_a_stop_that_is_told_twice_is_one() -> None:
    async with provider() as simulated, started(simulated.url) as ending:
        await eventually(lambda: asked(simulated, "cpu_stats"))
        ending.stop.set()
        assert await ending.end() < 4
