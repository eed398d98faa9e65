"""What a scrape costs: against nginx with the same page as a file, against a handler that serves the same compressed
bytes from memory, and against prometheus_client over the same samples. And what it costs to keep the page ready.

As a program (`python -m bench.scraping serve|static --folder F`) one of the servers, each a process of its own.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from aiohttp import web
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bench.bare import in_pieces
from bench.figures import quantile, row, spread
from bench.reader import Reader
from exporter.clock import SystemClock
from exporter.fleet import AccountView, CpuUsage, Fleet, InterfaceTraffic, Machine, Vm, phase_of
from exporter.metrics import FAMILIES, Own, Page, Selection
from exporter.metrics.catalogue import VM_LABELS, OwnFamily, VmFamily
from exporter.web import Server
from tests.processes import Process, answers, free_port, process
from tests.waiting import eventually

__all__ = ["FULL", "SHORT", "Plan", "measure"]

_ACCOUNT = "production"
_NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
"""BBR paces what nginx and the static handler send, over loopback too; not what we send there."""
_WITHOUT_OWN = "?collect[]=inventory&collect[]=cpu&collect[]=traffic"


@dataclass(frozen=True, slots=True)
class Plan:
    """`scrapes`: of each server in each round; `generated`: how often prometheus_client renders it all."""

    vms: int
    rounds: int
    scrapes: int
    generated: int


FULL = Plan(vms=10_000, rounds=15, scrapes=30, generated=3)
SHORT = Plan(vms=1_000, rounds=3, scrapes=10, generated=1)


def vms_of(count: int) -> list[Vm]:
    """VMs of 25 samples each; their numbers have as many digits as real ones."""
    chance = random.Random(5)
    return [
        Vm(
            account=_ACCOUNT,
            machine=Machine(
                vm_id=str(178_931_000_000 + number),
                label=f"web-{number}.production.example.com",
                hostname=f"host-{number}",
                status="online",
                type="standard",
                cpu_type="intel",
                operating_system="linux",
                operating_system_distro="debian",
                hypervisor_id=str(number % 40),
                location_id="1",
                template_id="1789310154",
                boot_type="default",
                cpus=chance.choice([1, 2, 4, 8]),
                cpu_shares=chance.choice([1, 2]),
                memory_bytes=2**30 * chance.choice([1, 2, 4, 8]),
                created_at=chance.randrange(1_500_000_000, 1_700_000_000),
                updated_at=chance.randrange(1_700_000_000, 1_790_000_000),
            ),
            cpu=CpuUsage(
                busy_s=chance.uniform(0, 1e6), until_at=1_790_000_100.0, ratio=chance.random(), stale_seen_at=4e9
            ),
            interfaces=(
                InterfaceTraffic(
                    interface_id=str(510_000 + number),
                    network_id=str(number % 97),
                    public=number % 2 == 0,
                    receive_bytes=float(chance.randrange(10**12)),
                    transmit_bytes=float(chance.randrange(10**12)),
                    until_at=1_790_000_100.0,
                    receive_bytes_per_s=chance.uniform(0, 1e6),
                    transmit_bytes_per_s=chance.uniform(0, 1e6),
                    stale_seen_at=4e9,
                ),
            ),
        )
        for number in range(count)
    ]


async def _serve(folder: Path, vms: int) -> None:
    """The exporter's own server. What it shows is put into files, for the others to serve."""
    clock, fleet = SystemClock(), Fleet()
    fleet.keep_accounts([AccountView(name=_ACCOUNT, account_id="17893", up=True, listed=True)])
    fleet.replace(_ACCOUNT, vms_of(vms))
    own = _observed()
    page = Page(fleet=fleet, own=own, clock=clock)
    spent_ms = {"the page rendered anew": [await _refreshed_ms(page, fleet, 0)]}
    for share in (1.0, 0.2, 0.0025):
        spent_ms[f"the page rendered after {share:.2%} of the VMs were polled"] = [
            await _refreshed_ms(page, fleet, share) for _ in range(5)
        ]
    text = b"".join((await page.exposition(Selection(), openmetrics=False)).blocks)
    (folder / "page.txt").write_bytes(text)
    spent_ms["what the daemon says of itself, if all of it has changed"] = [_own_ms(own) for _ in range(30)]
    spent_ms["a page put together, plain"] = [await _put_together_ms(page, Selection()) for _ in range(30)]
    server = Server(page=page, fleet=fleet, clock=clock, version="bench")
    server.serve_at("/metrics", reload=None)
    (url,) = await server.start([("127.0.0.1", 0)])
    print(json.dumps({"url": url, "spent_ms": spent_ms, **_sizes(page, text)}), flush=True)
    await asyncio.get_running_loop().create_future()


def _polled(vm: Vm) -> Vm:
    """The VM after another chunk and another bucket."""
    assert vm.cpu is not None
    interfaces = tuple(replace(each, receive_bytes=each.receive_bytes + 1e6) for each in vm.interfaces)
    return replace(vm, cpu=replace(vm.cpu, busy_s=vm.cpu.busy_s + 12.345678), interfaces=interfaces)


def _observed() -> Own:
    """The daemon's own families with every series that one account gives them."""
    own, known = (
        Own(version="bench"),
        {
            "account": (_ACCOUNT,),
            "collector": ("inventory", "cpu", "traffic"),
            "endpoint": ("virtual_machines", "cpu_stats", "bw_stats"),
            "code": ("200", "429", "timeout"),
        },
    )
    for family in FAMILIES:
        if isinstance(family, OwnFamily) and family.labels and family.name != "gigas_exporter_build_info":
            kept = _metric(own, family)
            for values in itertools.product(*(known.get(label, ("other",)) for label in family.labels)):
                kept.labels(*values)
    return own


def _own_ms(own: Own) -> float:
    for family in FAMILIES:
        if isinstance(family, OwnFamily):
            _metric(own, family)  # Whoever asks for it is taken to change it.
    started_s = time.perf_counter()
    list(own.lines(openmetrics=False))
    return 1000 * (time.perf_counter() - started_s)


def _metric(own: Own, family: OwnFamily) -> Gauge | Counter | Histogram:
    if family.type == "gauge":
        return own.gauge(family.name)
    return own.counter(family.name) if family.type == "counter" else own.histogram(family.name)


async def _put_together_ms(page: Page, selection: Selection) -> float:
    started_s = time.perf_counter()
    assert (await page.exposition(selection, openmetrics=False)).blocks
    return 1000 * (time.perf_counter() - started_s)


def _sizes(page: Page, text: bytes) -> dict[str, float]:
    plain, deflated = page.size_bytes
    samples = sum(1 for line in text.split(b"\n") if line and not line.startswith(b"#"))
    return {"samples": samples, "plain": plain, "deflated": deflated}


async def _refreshed_ms(page: Page, fleet: Fleet, share: float) -> float:
    """How long the page takes to show the polls of so many VMs that are polled one after the other."""
    vms = sorted(fleet.vms(_ACCOUNT).values(), key=lambda vm: phase_of(vm.machine.vm_id))
    fleet.replace(_ACCOUNT, [_polled(vm) for vm in vms[: int(len(vms) * share)]])
    started_s = time.perf_counter()
    await page.refresh()
    return 1000 * (time.perf_counter() - started_s)


async def _static(folder: Path) -> None:
    """A handler that has the page in memory, plain and compressed."""
    plain = await asyncio.to_thread((folder / "page.txt").read_bytes)
    compressed = await asyncio.to_thread((folder / "page.gz").read_bytes)
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}

    async def handler(request: web.Request) -> web.StreamResponse:
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=compressed, headers={**headers, "Content-Encoding": "gzip"})
        return await in_pieces(request, plain, headers)

    application = web.Application()
    application.router.add_get("/metrics", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.get_running_loop().create_future()


class _Reference(Collector):
    """The same samples by prometheus_client's own means."""

    def __init__(self, vms: Sequence[Vm]) -> None:
        self._vms = vms

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            if not isinstance(family, VmFamily):
                continue
            of_type = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}[family.type]
            metric = of_type(family.name, family.help, labels=(*VM_LABELS, *family.labels), unit=family.unit)
            for vm in self._vms:
                for values, number in family.samples(vm):
                    metric.add_metric([vm.account, vm.machine.vm_id, vm.machine.name, *values], number)
            yield metric


def _generated_ms(vms: Sequence[Vm]) -> float:
    registry = CollectorRegistry()
    registry.register(_Reference(vms))
    started_s = time.perf_counter()
    assert generate_latest(registry)
    return 1000 * (time.perf_counter() - started_s)


async def _keep(url: str, path: Path) -> None:
    """Put the compressed page into a file, as it is served."""
    async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(f"{url}/metrics") as response:
        body = await response.read()
    path.write_bytes(body)  # noqa: ASYNC240 - nothing else runs


@contextlib.contextmanager
def _pinned(core: int) -> Iterator[None]:
    """What is started meanwhile stays on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _told(running: Process) -> Mapping[str, Any]:
    """The line that a server prints when it is ready."""

    async def line() -> str | None:
        assert running.running.returncode is None, running.log()
        return running.output.decode() if b"\n" in running.output else None

    told: Mapping[str, Any] = json.loads(await eventually(line, within_s=60.0) or "{}")
    return told


@contextlib.asynccontextmanager
async def _nginx(folder: Path) -> AsyncIterator[str]:
    """Nginx with the page as a file, as its manual advises for large ones."""
    assert _NGINX is not None
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; root {folder}; default_type text/plain;
    location = /metrics {{ try_files /page.txt =404; }}
  }}
}}
""")
    async with process(_NGINX, "-c", configuration, "-e", folder / "error.log") as running:
        url = f"http://127.0.0.1:{port}"
        await answers(f"{url}/nginx.conf", alive=[running])
        yield url


async def _start(stack: contextlib.AsyncExitStack, *arguments: str | Path) -> Mapping[str, Any]:
    running = await stack.enter_async_context(process(sys.executable, "-m", "bench.scraping", *arguments))
    return await _told(running)


@dataclass
class _Measured:
    """Milliseconds of each scrape, by round."""

    rounds_ms: list[list[float]] = field(default_factory=list)

    def round(self, reader: Reader, scrapes: int) -> None:
        self.rounds_ms.append([reader.read()[0] for _ in range(scrapes)])

    def by_round(self, q: float) -> list[float]:
        return [quantile(each, q) for each in self.rounds_ms]


async def measure(plan: Plan = FULL) -> None:
    """Each server on one core in turn, the reader on another."""
    cores = sorted(os.sched_getaffinity(0))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gigas-bench-")))
        with _pinned(cores[0]):
            ours = await _start(stack, "serve", "--folder", folder, "--vms", str(plan.vms))
            await _keep(ours["url"], folder / "page.gz")
            static = await _start(stack, "static", "--folder", folder)
            nginx = await stack.enter_async_context(_nginx(folder)) if _NGINX else None
        readers = {"ours": Reader(ours["url"], "identity"), "ours, gzip": Reader(ours["url"], "gzip")}
        readers["ours, gzip, of VMs only"] = Reader(ours["url"], "gzip", _WITHOUT_OWN)
        readers["static aiohttp handler"] = Reader(static["url"], "identity")
        readers["static aiohttp handler, gzip"] = Reader(static["url"], "gzip")
        if nginx:
            readers["nginx"] = Reader(nginx, "identity")
        with _pinned(cores[-1]):
            measured = _measured(readers, plan)
            generated_ms = [_generated_ms(vms_of(plan.vms)) for _ in range(plan.generated)]
        for reader in readers.values():
            reader.close()
    _show(plan, ours, measured, generated_ms)


def _measured(readers: Mapping[str, Reader], plan: Plan) -> Mapping[str, _Measured]:
    """In turn, round by round; each server starts as many rounds as any other."""
    measured = {name: _Measured() for name in readers}
    turns = list(readers.items())
    for _, reader in turns:  # Connections and caches are warm before anything counts.
        for _ in range(3):
            reader.read()
    for number in range(plan.rounds):
        for name, reader in turns[number % len(turns) :] + turns[: number % len(turns)]:
            measured[name].round(reader, plan.scrapes)
    return measured


def _show(
    plan: Plan, told: Mapping[str, Any], measured: Mapping[str, _Measured], generated_ms: Sequence[float]
) -> None:
    row(
        f"page of {plan.vms} VMs",
        f"{told['samples']} samples; kept {told['plain'] / 1e6:.1f} MB plain, {told['deflated'] / 1e6:.1f} MB deflated",
    )
    row("congestion control of this machine", _CONGESTION_CONTROL.read_text().strip())
    for name, spent_ms in told["spent_ms"].items():
        row(f"ms: {name}", spread(spent_ms, ".1f"))
    row(
        "us a sample, rendered and compressed",
        f"{1000 * told['spent_ms']['the page rendered anew'][0] / told['samples']:.2f}",
    )
    for name, each in measured.items():
        p50, p99 = each.by_round(0.5), quantile([ms for round_ms in each.rounds_ms for ms in round_ms], 0.99)
        row(f"scrape, ms: {name}: p50, p99", spread(p50, ".1f"), f"{p99:.1f}")
    plain, gzip = measured["ours"].by_round(0.5), measured["ours, gzip"].by_round(0.5)
    if "nginx" in measured:
        row(
            "scrape, ours to nginx, p50", spread(_ratios(plain, measured["nginx"].by_round(0.5))), "wanted: 1.1 at most"
        )
    else:
        row("scrape, ours to nginx", "nginx is not there: apt-get install nginx")
    static = measured["static aiohttp handler"].by_round(0.5)
    row("scrape, plain, ours to a static aiohttp handler, p50", spread(_ratios(plain, static)))
    static = measured["static aiohttp handler, gzip"].by_round(0.5)
    row("scrape, gzip, ours to a static aiohttp handler, p50", spread(_ratios(gzip, static)), "wanted: 1.3 at most")
    of_vms = measured["ours, gzip, of VMs only"].by_round(0.5)
    row("scrape, gzip, VMs only, to a static aiohttp handler, p50", spread(_ratios(of_vms, static)))
    row("generate_latest over the same samples, ms", spread(generated_ms, ".0f"))
    ready_ms = median(told["spent_ms"]["a page put together, plain"])
    for name, ms in (("put together", ready_ms), ("scraped plain", median(plain)), ("scraped gzip", median(gzip))):
        times = [generated / ms for generated in generated_ms]
        row(f"generate_latest to our page, {name}", spread(times, ".0f"), "wanted: 100 at least")


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round: what disturbs a round disturbs both."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


if __name__ == "__main__":
    _arguments = argparse.ArgumentParser()
    _arguments.add_argument("kind", choices=("serve", "static"))
    _arguments.add_argument("--folder", type=Path, required=True)
    _arguments.add_argument("--vms", type=int, default=0)
    _told_us = _arguments.parse_args()
    asyncio.run(_serve(_told_us.folder, _told_us.vms) if _told_us.kind == "serve" else _static(_told_us.folder))
