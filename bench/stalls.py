"""How long the event loop is held while 1 000 VMs are polled and scraped."""

import asyncio
import os
import sys
import tempfile
import time

import aiohttp

from bench.figures import quantile, row
from exporter.app import Daemon
from exporter.cli.process import spare_what_is_loaded
from exporter.clock import SystemClock
from exporter.settings import load
from tests.processes import free_port

VMS = 1_000
STEP_S = 10
"""Buckets of ten seconds: each VM is polled twice in ten seconds, six times what an interval of 60 s asks for."""
START_S = 5.0
FOR_S = 40.0
_TICK_S = 0.001


async def _ticks(spent: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_TICK_S)
        spent.append(1000 * (time.perf_counter() - before - _TICK_S))


async def _scrapes(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
                await response.read()
            await asyncio.sleep(1)


async def measure() -> None:
    """The whole daemon in this process, its ledger on the disk, the provider in another."""
    provider, port = free_port(), free_port()
    folder = tempfile.TemporaryDirectory()
    simulator = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from exporter.cli import main; main()", "simulate",
        "--vms", str(VMS), "--step", f"{STEP_S}s", "--listen-address", f"127.0.0.1:{provider}",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    variables = {
        "ACCOUNTS__0__ID": "17893",
        "ACCOUNTS__0__API_KEY": "demo-key",
        "API__URL": f"http://127.0.0.1:{provider}",
        "STATE__PATH": f"{folder.name}/ledger.db",
        "WEB__LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "COLLECT__INVENTORY__INTERVAL": "10s",
        "COLLECT__CPU__INTERVAL": "1s",
        "COLLECT__TRAFFIC__INTERVAL": "1s",
    }
    settings = load(flags={}, environ={f"GIGAS_EXPORTER_{k}": v for k, v in variables.items()}, file=None)
    stop, starting, steady = asyncio.Event(), list[float](), list[float]()
    spare_what_is_loaded()
    daemon = Daemon(settings, reread=lambda: settings, clock=SystemClock())
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(_ticks(starting))
        running = group.create_task(daemon.run(stop))
        await asyncio.sleep(START_S)
        ticking.cancel()
        cpu_before = sum(os.times()[:2])
        beside = [
            group.create_task(_ticks(steady)),
            group.create_task(_scrapes(f"http://127.0.0.1:{port}/metrics")),
        ]
        await asyncio.sleep(FOR_S)
        used = (sum(os.times()[:2]) - cpu_before) / FOR_S
        own = daemon._core.own.text().decode()
        for each in beside:
            each.cancel()
        stop.set()
        await running
    simulator.terminate()
    await simulator.wait()
    folder.cleanup()
    polls = sum(
        float(line.rpartition(" ")[2])
        for line in own.splitlines()
        if line.startswith("gigas_exporter_api_requests_total{") and 'code="200"' in line
    )
    row(f"{VMS} VMs: polls/s", f"{polls / (FOR_S + START_S):.0f} (an interval of 60 s needs {2 * VMS / 60:.0f})")
    for when, spent in (("first listing and first looks", starting), ("then", steady)):
        held = " / ".join(f"{quantile(spent, q):.1f}" for q in (0.5, 0.99, 0.999, 1.0))
        row(f"loop held, p50 / p99 / p99.9 / max ms, {when}", held)
    row("CPU of one core, polling and scraped every second", f"{100 * used:.0f} %")
