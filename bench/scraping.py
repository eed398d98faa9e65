"""How long a scrape takes, against a handler that serves the same bytes from memory."""

import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from bench.figures import quantile, row
from exporter.clock import SystemClock
from exporter.fleet import AccountView, CpuUsage, Fleet, InterfaceTraffic, Machine, Vm
from exporter.metrics import Own, Page, Selection
from exporter.web import Server

SCRAPES = 60
VMS = 1_000


def fleet_of(vms: int) -> Fleet:
    """A fleet in which everything has statistics."""
    fleet = Fleet()
    fleet.keep_accounts([AccountView(name="production", account_id="17893", up=True, listed=True)])
    cpu = CpuUsage(busy_s=123.456, until_at=1_700_000_000.0, ratio=0.123456, stale_seen_at=float("inf"))
    interfaces = tuple(
        InterfaceTraffic(
            interface_id=str(n),
            network_id=str(n),
            public=n == 0,
            receive_bytes=123_456.789,
            transmit_bytes=987_654.321,
            until_at=1_700_000_000.0,
            receive_bytes_per_s=12.5,
            transmit_bytes_per_s=34.5,
            stale_seen_at=float("inf"),
        )
        for n in range(2)
    )
    fleet.replace(
        "production",
        [
            Vm(
                account="production",
                machine=Machine(
                    vm_id=str(n),
                    label=f"vm-{n}",
                    hostname=f"host-{n}",
                    status="online",
                    cpus=2,
                    memory_bytes=2**30,
                    created_at=1.5e9,
                    updated_at=1.6e9,
                ),
                cpu=cpu,
                interfaces=interfaces,
            )
            for n in range(vms)
        ],
    )
    return fleet


async def _latencies(read: Callable[[], Awaitable[int]]) -> list[float]:
    spent = []
    for _ in range(SCRAPES):
        started = time.perf_counter()
        assert await read() > 0
        spent.append(1000 * (time.perf_counter() - started))
    return spent


async def measure() -> None:
    """The exporter's server and a static one, in this process, read by the same client."""
    clock, fleet = SystemClock(), fleet_of(VMS)
    page = Page(fleet=fleet, own=Own(version="bench"), clock=clock)
    await page.refresh()
    server = Server(page=page, fleet=fleet, clock=clock, version="bench")
    server.serve_at("/metrics", reload=None)
    (url,) = await server.start([("127.0.0.1", 0)])
    body = b"".join(page.exposition(Selection(), openmetrics=False).blocks)

    async def static(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="text/plain")

    application = web.Application()
    application.router.add_get("/", static)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    static_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        def reading(address: str, encoding: str) -> Callable[[], Awaitable[int]]:
            async def read() -> int:
                async with session.get(address, headers={"Accept-Encoding": encoding}) as response:
                    assert response.status == 200
                    return len(await response.read())

            return read

        kinds = {
            "static": reading(static_url, "identity"),
            "plain": reading(f"{url}/metrics", "identity"),
            "gzip": reading(f"{url}/metrics", "gzip"),
        }
        for read in kinds.values():
            await read()
        spent = {name: await _latencies(read) for name, read in kinds.items()}
    await runner.cleanup()
    await server.stop()
    samples = sum(not line.startswith(b"#") for line in body.split(b"\n")) - 1
    row(f"page of {VMS} VMs", f"{samples} samples, {len(body) / 1e6:.1f} MB")
    base = quantile(spent["static"], 0.5)
    for name, values in spent.items():
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        row(f"scrape, {name}: p50 / p99 ms, p50 to static", f"{p50:.1f} / {p99:.1f}", f"{p50 / base:.2f}")
