"""The page as others read it: Prometheus, prometheus_client, curl, Python; slowly, at once, while VMs come and go."""

import asyncio
import gzip
import json
import random
import re
import resource
import socket
import urllib.request
import zlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import SystemClock
from exporter.fleet import Vm
from exporter.metrics import Selection
from tests.builders import cpu, interface, vm
from tests.processes import answers, free_port, get, process
from tests.tools import tool
from tests.unit.web.serving import Serving, listed, serving
from tests.waiting import eventually

AWKWARD = (
    'quoted "web"',
    "back\\slash \\n \\",
    "two\nlines",
    "carriage\rreturn",
    "café ☕ 🚀",
    "  blanks around  ",
    "\ttab\x85\u2028",
    "nul\x00",
    "a}b{c,d=1 # EOF",
)
STATISTICS: dict[str, Any] = {"cpu": cpu(), "interfaces": (interface(), interface(interface_id="46", public=False))}


def awkward_vms(account: str) -> list[Vm]:
    return [vm(account, vm_id=str(n), label=name, hostname=name, **STATISTICS) for n, name in enumerate(AWKWARD)]


@asynccontextmanager
async def awkward() -> AsyncIterator[Serving]:
    async with serving(listed(*AWKWARD)) as served:
        for account in AWKWARD:
            served.fleet.replace(account, awkward_vms(account))
            served.own.counter("gigas_exporter_api_requests_total").labels(account, "virtual_machines", "200").inc()
        await served.page.refresh()
        yield served


def names_in(labels: Iterable[Mapping[str, str]]) -> set[tuple[str, str, str, str]]:
    return {(each["account"], each["vm_id"], each["vm"], each["hostname"]) for each in labels}


EXPECTED = {(account, str(n), name, name) for account in AWKWARD for n, name in enumerate(AWKWARD)}


async def test_both_parsers_of_prometheus_client_read_the_page_and_its_labels() -> None:
    async with awkward() as served:
        text = (await served.ask("/metrics")).text
        openmetrics = (await served.ask("/metrics", headers=[("Accept", "application/openmetrics-text")])).text
        for families in (text_string_to_metric_families(text), openmetrics_families(openmetrics)):
            samples = [sample for family in families for sample in family.samples]
            assert names_in(each.labels for each in samples if each.name == "gigas_vm_info") == EXPECTED
            requests = [each.labels["account"] for each in samples if each.name == "gigas_exporter_api_requests_total"]
            assert set(requests) == set(AWKWARD)


@asynccontextmanager
async def as_text_only(url: str) -> AsyncIterator[str]:
    """What Prometheus sees of an exporter that knows no OpenMetrics: its Accept header cannot be set."""

    async def scrape(_: web.Request) -> web.Response:
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": "text/plain"}) as answer:
            headers = {"Content-Type": answer.headers["Content-Type"]}
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)

    application = web.Application()
    application.router.add_get("/metrics", scrape)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_prometheus_reads_both_formats_and_the_labels_in_them(tmp_path: Path) -> None:
    prometheus = tool("prometheus", "prometheus")
    async with awkward() as served, as_text_only(f"{served.url}/metrics") as text_only:
        jobs = {"openmetrics": served.url.removeprefix("http://"), "text": text_only}
        scrape_configs = [{"job_name": job, "static_configs": [{"targets": [at]}]} for job, at in jobs.items()]
        often = {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
        config = tmp_path / "prometheus.yml"
        config.write_text(json.dumps({"global": often, "scrape_configs": scrape_configs}))
        port = free_port()
        async with process(
            prometheus,
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ) as scraping:
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=(scraping,))

            async def query(name: str, job: str) -> list[dict[str, Any]]:
                found = await answers(f'http://127.0.0.1:{port}/api/v1/query?query={name}{{job="{job}"}}')
                result: list[dict[str, Any]] = json.loads(found)["data"]["result"]
                return result

            async def scraped() -> bool:
                targets = json.loads(await answers(f"http://127.0.0.1:{port}/api/v1/targets"))["data"]["activeTargets"]
                assert [target["lastError"] for target in targets] == ["", ""]
                return [target["health"] for target in targets] == ["up", "up"]

            await eventually(scraped)
            page = (await served.ask("/metrics")).text
            for job in jobs:
                assert names_in(series["metric"] for series in await query("gigas_vm_info", job)) == EXPECTED
                ((_, samples),) = (series["value"] for series in await query("scrape_samples_scraped", job))
                assert int(samples) == sum(1 for line in page.split("\n") if line and not line.startswith("#"))
                values = {series["value"][1] for series in await query("gigas_vm_cpu_busy_seconds_total", job)}
                assert values == {"120.5"}
            assert "level=warn" not in scraping.log()


@pytest.mark.parametrize("query", ["", "&collect[]=cpu&collect[]=traffic", f"&account={quote(AWKWARD[0])}"])
@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
async def test_a_part_of_the_page_is_one_member_of_gzip_in_either_format(query: str, accept: str) -> None:
    async with awkward() as served:
        path = f"/metrics?{query}" if "collect" in query else f"/metrics?exclude[]=exporter{query}"
        plain = await served.ask(path, headers=[("Accept", accept)])
        compressed = await served.ask(path, headers=[("Accept", accept), ("Accept-Encoding", "gzip")])
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert reader.decompress(compressed.body) == plain.body
        assert (reader.eof, reader.unused_data) == (True, b"")
        assert len(plain.text.splitlines()) > 10


async def test_aiohttp_reads_the_whole_of_a_compressed_page() -> None:
    async with awkward() as served:
        url = f"{served.url}/metrics?exclude[]=exporter"
        plain = (await served.ask("/metrics?exclude[]=exporter")).body
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert await response.read() == plain


async def test_httpx_reads_the_whole_of_a_compressed_page() -> None:
    """It stops after the first of several members, without an error."""
    async with awkward() as served, httpx.AsyncClient() as client:
        answer = await client.get(f"{served.url}/metrics?exclude[]=exporter")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.content == (await served.ask("/metrics?exclude[]=exporter")).body


async def test_curl_and_python_read_the_whole_of_a_compressed_page(tmp_path: Path) -> None:
    curl = tool("curl", "curl")
    async with awkward() as served:
        url = f"{served.url}/metrics?exclude[]=exporter"
        plain = (await served.ask("/metrics?exclude[]=exporter")).body
        headers = tmp_path / "headers"
        async with process(curl, "-gsS", "--compressed", "-D", headers, url) as read:
            assert await read.ended() == 0
        assert "content-encoding: gzip" in headers.read_text().lower()
        assert bytes(read.output) == plain

        def urllib_reads() -> bytes:
            request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - our own server
            with urllib.request.urlopen(request) as response:  # noqa: S310
                body: bytes = response.read()
                return body

        compressed = await asyncio.get_running_loop().run_in_executor(None, urllib_reads)
        assert gzip.decompress(compressed) == plain


SAMPLE = re.compile(r'^(\w+)\{account="production",vm_id="(\d+)",vm="(\w+)"', re.MULTILINE)
COUNT = re.compile(r"^gigas_vms\{.*\} (.*)$", re.MULTILINE)


def complete(page: str) -> dict[str, tuple[set[str], Counter[str]]]:
    """Of each VM on a page: its names, and how many samples of which families it has."""
    found: defaultdict[str, tuple[set[str], Counter[str]]] = defaultdict(lambda: (set(), Counter()))
    for family, vm_id, name in SAMPLE.findall(page):
        names, families = found[vm_id]
        names.add(name)
        families[family] += 1
    return found


def names_on(page: str) -> set[str]:
    return set().union(*(names for names, _ in complete(page).values()))


def one(vm_id: int, name: str) -> Vm:
    return vm(vm_id=str(vm_id), label=name, created_at=1.0, updated_at=2.0, cpus=1, memory_bytes=2**30, **STATISTICS)


async def page_of_one() -> str:
    async with serving(listed("production")) as served:
        served.fleet.replace("production", [one(1, "old")])
        await served.page.refresh()
        return (await served.ask("/metrics")).text


async def test_a_vm_is_on_each_page_whole_or_not_at_all_while_vms_come_go_and_are_renamed() -> None:
    chance, clock = random.Random(7), SystemClock()  # noqa: S311 - the same history each time
    ((_, whole),) = complete(await page_of_one()).values()
    assert len(whole) > 20
    fleets = set()
    async with serving(listed("production")) as served, asyncio.TaskGroup() as group:
        served.fleet.replace("production", [one(n, "old") for n in range(150)])
        await served.page.refresh()

        async def live() -> None:
            while True:
                present = list(served.fleet.vms("production"))
                gone = chance.sample(present, k=min(len(present) - 1, chance.randrange(40)))
                names = {chance.randrange(300): chance.choice(["old", "new"]) for _ in range(40)}
                served.fleet.replace("production", [one(vm_id, name) for vm_id, name in names.items()], gone)
                await clock.sleep(0.001)

        async def render() -> None:
            while True:
                await served.page.refresh()
                await clock.sleep(0.001)

        background = [group.create_task(live()), group.create_task(render())]
        for _ in range(20):
            scrapes: tuple[list[tuple[str, str]], ...] = (
                [],
                [("Accept-Encoding", "gzip")],
                [("Accept", "application/openmetrics-text")],
            )
            for answer in await asyncio.gather(*(served.ask("/metrics", headers=headers) for headers in scrapes)):
                compressed = "Content-Encoding" in answer.headers
                page = (gzip.decompress(answer.body) if compressed else answer.body).decode()
                vms = complete(page)
                assert all(len(names) == 1 and families == whole for names, families in vms.values())
                assert sum(map(float, COUNT.findall(page))) == len(vms)
                fleets.add(frozenset(vms))
        for each in background:
            each.cancel()
    assert len(fleets) > 5, "the fleet did not change while it was scraped"


@pytest.fixture
async def large() -> AsyncIterator[Serving]:
    """A page that no socket's buffers can take at once."""
    async with serving(listed("production")) as served:
        served.fleet.replace("production", [one(n, "before") for n in range(4_000)])
        await served.page.refresh()
        yield served


@asynccontextmanager
async def slow_reader(served: Serving) -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A scrape of which only the headers are read yet; and how long its body will be."""
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.setblocking(False)  # noqa: FBT003 - socket's own signature
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=connection, limit=4_096)
    try:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: slow\r\nConnection: close\r\n\r\n")
        headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        yield reader, int(headers.split("content-length: ")[1].split("\r\n")[0])
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_slow_reader_delays_nobody_and_gets_the_page_that_it_asked_for(large: Serving) -> None:
    async with slow_reader(large) as (reader, length):
        large.fleet.replace("production", [one(n, "after") for n in range(4_000)])
        await large.page.refresh()
        async with asyncio.timeout(10):
            others = await asyncio.gather(*(large.ask("/metrics") for _ in range(3)))
        for other in others:
            assert names_on(other.text) == {"after"}
        body = await reader.readexactly(length)
        assert await reader.read() == b""
        assert len(complete(body.decode())) == 4_000
        assert names_on(body.decode()) == {"before"}


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
@pytest.mark.parametrize("room_bytes", [resource.RLIM_INFINITY, 2**20], ids=["a file in memory", "no room for one"])
async def test_a_large_plain_page_comes_whole_and_again_on_one_connection(
    large: Serving, accept: str, room_bytes: int
) -> None:
    openmetrics = accept != "text/plain"
    exposition = await large.page.exposition(Selection(), openmetrics=openmetrics)
    assert exposition.file is not None
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room[1]))
    try:
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=1)) as session:
            for _ in range(3):
                async with session.get(f"{large.url}/metrics") as answer:
                    body = await answer.read()
                async with session.head(f"{large.url}/metrics") as answer:
                    length = answer.content_length
                assert len(complete(body.decode())) == 4_000
                assert body.endswith(b"# EOF\n") == openmetrics
                assert length is not None
                assert abs(length - len(body)) < 1_000  # What the process says of itself is a line longer now and then.
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    assert (exposition.file.size_bytes > 0) == (room_bytes == resource.RLIM_INFINITY)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(("reader", "is_here"), [("127.0.0.1", True), ("127.0.0.2", False)])
async def test_a_page_is_not_paced_to_a_reader_with_the_same_address(
    large: Serving, reader: str, encoding: str, *, is_here: bool
) -> None:
    """Others keep what the system has chosen for them."""
    connector = aiohttp.TCPConnector(local_addr=(reader, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"{large.url}/metrics", headers={"Accept-Encoding": encoding}) as answer,
    ):
        assert answer.status == 200
        await answer.read()
        server = large.server._runner.server
        assert server is not None
        (connection,) = server.connections
        assert connection.transport is not None
        with socket.socket() as any_other:
            chosen = congestion_control(any_other)
        told = congestion_control(connection.transport.get_extra_info("socket"))
        assert told == (b"reno" if is_here else chosen)


def congestion_control(connection: Any) -> bytes:
    told: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return told.rstrip(b"\0")


async def test_a_reader_that_goes_away_leaves_no_trace(large: Serving, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        async with slow_reader(large):
            pass
    assert (await get(f"{large.url}/-/healthy"))[0] == 200
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR", "CRITICAL"}]


async def test_whatever_is_sent_to_the_port_is_answered_or_refused_without_a_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nonsense = (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 99,
    )
    async with serving() as served:
        host, port = served.url.removeprefix("http://").split(":")
        for sent in nonsense:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(10):
                assert not (await reader.read()).startswith(b"HTTP/1.1 2")
            writer.close()
            await writer.wait_closed()
        assert (await get(f"{served.url}/-/healthy"))[0] == 200
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR", "CRITICAL"}]
