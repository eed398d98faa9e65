"""What each path answers: status, headers, and the part of the page that was asked for."""

import gzip
import socket

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import SystemClock
from exporter.web import ListenFailed, Server
from tests.builders import cpu, interface, vm
from tests.exposition import Page
from tests.unit.web.serving import Serving, listed, serving

OPENMETRICS = ("Accept", "application/openmetrics-text;version=1.0.0")
GZIP = ("Accept-Encoding", "gzip")


async def with_vms(served: Serving, *, count: int = 3) -> Serving:
    for view in served.fleet.accounts():
        vms = [vm(view.name, vm_id=str(n), cpu=cpu(), interfaces=(interface(),)) for n in range(count)]
        served.fleet.replace(view.name, vms)
    await served.page.refresh()
    return served


def families(page: str) -> set[str]:
    return {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}


async def test_the_format_is_told() -> None:
    async with serving(listed("production")) as served:
        await with_vms(served)
        text = await served.ask("/metrics")
        assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert list(text_string_to_metric_families(text.text))
        openmetrics = await served.ask("/metrics", headers=[OPENMETRICS])
        assert openmetrics.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert list(openmetrics_families(openmetrics.text))
        for answer in (text, openmetrics):
            assert answer.headers["Vary"] == "Accept, Accept-Encoding"
            assert "Content-Encoding" not in answer.headers


async def test_choices_spread_over_several_headers_are_all_heard() -> None:
    async with serving() as served:
        headers = [("Accept", "text/html"), OPENMETRICS, ("Accept-Encoding", "br"), GZIP]
        answer = await served.ask("/metrics", headers=headers)
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("headers", [[], [GZIP], [OPENMETRICS], [OPENMETRICS, GZIP]])
async def test_the_length_is_told_and_head_tells_the_same_without_a_body(headers: list[tuple[str, str]]) -> None:
    async with serving(listed("production")) as served:
        await with_vms(served)
        path = "/metrics?exclude[]=exporter"  # What the process says of itself differs from scrape to scrape.
        whole = await served.ask(path, headers=headers)
        assert whole.headers["Content-Length"] == str(len(whole.body))
        head = await served.ask(path, "HEAD", headers)
        assert (head.status, head.body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "Content-Encoding", "Vary"):
            assert head.headers.get(name) == whole.headers.get(name)


async def test_what_is_compressed_is_the_same_page() -> None:
    async with serving(listed("production")) as served:
        await with_vms(served, count=100)  # Of a few VMs each block is too short to repeat itself much.
        plain = await served.ask("/metrics?exclude[]=exporter")
        compressed = await served.ask("/metrics?exclude[]=exporter", headers=[GZIP])
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert len(compressed.body) < len(plain.body) / 5
        assert gzip.decompress(compressed.body) == plain.body


CHOICES = {
    "collect[]=cpu": {"gigas_vm_cpu_usage_ratio"},
    "collect[]=cpu&collect[]=inventory": {"gigas_vm_cpu_usage_ratio", "gigas_up", "gigas_vm_info"},
    "collect[]=exporter": {"gigas_exporter_vms", "gigas_exporter_build_info", "process_cpu_seconds_total"},
    "exclude[]=traffic&exclude[]=exporter": {"gigas_vm_cpu_usage_ratio", "gigas_up", "gigas_vm_info"},
    "account=test&collect[]=traffic": {"gigas_vm_network_receive_bytes_total"},
    "exclude[]=inventory&exclude[]=cpu&exclude[]=traffic&exclude[]=exporter": set(),
}
TELLING = set.union(*CHOICES.values()) | {"gigas_vm_network_receive_bytes_total"}


@pytest.mark.parametrize("query", CHOICES)
async def test_collectors_are_chosen(query: str) -> None:
    async with serving(listed("production", "test")) as served:
        await with_vms(served)
        answer = await served.ask(f"/metrics?{query}")
        assert answer.status == 200
        assert families(answer.text) & TELLING == CHOICES[query]


@pytest.mark.parametrize(
    ("query", "accounts"),
    [
        ("", {"production", "test", "a b&c"}),
        ("account=test", {"test"}),
        ("account=test&account=production", {"test", "production"}),
        ("account=a%20b%26c", {"a b&c"}),
        ("account=test&exclude[]=exporter", {"test"}),
    ],
)
async def test_accounts_are_chosen(query: str, accounts: set[str]) -> None:
    async with serving(listed("production", "test", "a b&c")) as served:
        await with_vms(served)
        for view in served.fleet.accounts():
            served.own.gauge("gigas_exporter_collector_success").labels(view.name, "cpu").set(1)
        page = Page.of((await served.ask(f"/metrics?{query}")).text)
        assert page.told("account") == accounts


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("account=nobody", "unknown account 'nobody'"),
        ("account=production&account=", "unknown account ''"),
        ("account=two%0Alines", r"unknown account 'two\nlines'"),
        ("collect[]=disks", "unknown collector 'disks'; known are inventory, cpu, traffic, exporter"),
        ("exclude[]=disks", "unknown collector 'disks'; known are inventory, cpu, traffic, exporter"),
        ("collect[]=cpu&exclude[]=traffic", "collect[] and exclude[] cannot be combined"),
    ],
)
async def test_what_cannot_be_chosen_is_refused_in_a_line(query: str, line: str) -> None:
    async with serving(listed("production")) as served:
        answer = await served.ask(f"/metrics?{query}")
        assert (answer.status, answer.text) == (400, f"{line}\n")
        assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/-/", "/-/reload", "/favicon.ico", "/%00", "/metrics%2f"])
async def test_other_paths_are_not_found(path: str) -> None:
    async with serving() as served:
        assert (await served.ask(path)).status == 404
        assert (await served.ask(path, "POST")).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with serving() as served:
        for path in ("/metrics", "/", "/-/healthy", "/-/ready"):
            answer = await served.ask(path, method)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_reloading_is_a_post_where_it_is_enabled_and_says_what_is_wrong() -> None:
    told: list[str | None] = [None, "accounts: none is configured"]

    async def reload() -> str | None:
        return told.pop(0)

    async with serving(reload=reload) as served:
        refused = await served.ask("/-/reload")
        assert (refused.status, refused.headers["Allow"]) == (405, "POST")
        assert (await served.ask("/-/reload", "POST")).status == 200
        wrong = await served.ask("/-/reload", "POST")
        assert (wrong.status, wrong.text) == (500, "accounts: none is configured\n")


async def test_the_telemetry_path_moves_while_the_server_runs() -> None:
    async with serving() as served:
        served.server.serve_at("/probe", reload=None)
        assert (await served.ask("/metrics")).status == 404
        assert (await served.ask("/probe")).status == 200


async def test_an_address_that_is_in_use_is_told_in_a_line() -> None:
    async with serving() as served:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(ListenFailed, match=rf"^cannot listen on 127.0.0.1:{port}: address already in use$"):
                await second(served).start([("127.0.0.1", port)])


async def test_a_host_that_is_not_known_is_told_in_a_line() -> None:
    async with serving() as served:
        with pytest.raises(ListenFailed, match=r"^cannot listen on no-such-host.invalid:1: ") as refused:
            await second(served).start([("no-such-host.invalid", 1)])
        assert "unknown error" not in str(refused.value)


def second(served: Serving) -> Server:
    return Server(page=served.page, fleet=served.fleet, clock=SystemClock(), version="1.2.3")


async def test_a_fault_of_ours_is_answered_with_500_and_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def reload() -> str | None:
        raise RuntimeError("a fault")

    async with serving(reload=reload) as served:
        answer = await served.ask("/-/reload", "POST")
        assert (answer.status, "a fault" in answer.text) == (500, False)
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a fault"
