"""Documents and listings over the wire: complete or an error, and one broken VM costs that VM."""

import asyncio
import json
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from exporter.gigas import (
    BrokenMachine,
    InterfaceTraffic,
    InvalidAnswer,
    ListingInconsistent,
    MachineDocument,
    NotFound,
    RequestDone,
    ServerError,
)
from tests.unit.gigas.clients import asked, paged, server, simulated, whole
from tests.unit.gigas.doubles import SwiftClock, settled

LIST = "virtual_machines"
EXAMPLES = Path(__file__).parents[1] / "fixtures" / "gigas"


def ids(count: int) -> list[str]:
    return [str(each) for each in range(count)]


def provider_of(
    pages: Callable[[int], list[str]], *, tells_total: bool = True
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A provider whose list is what `pages` says at each request, counted from 0."""
    asked_for = iter(range(10**6))

    async def answer(request: web.Request) -> web.Response:
        listed = pages(next(asked_for))
        return paged(request, listed, total=len(listed) if tells_total else None)

    return answer


# Pages


@pytest.mark.parametrize(("page_size", "page_cap", "pages"), [(200, 500, 1), (200, 5, 3), (4, 500, 4), (1, 1, 14)])
async def test_a_list_comes_whole_in_pages_of_our_size_or_the_servers(
    page_size: int, page_cap: int, pages: int
) -> None:
    async with simulated(page_cap=page_cap) as provider, asked(provider.url, page_size=page_size) as client:
        listing = await client.client.list_machines({}, whole)
        assert {machine.id for machine in listing.machines} == set(await provider.vms())
        assert (len(listing.machines), listing.duplicates, listing.broken) == (14, 0, ())
        assert len(client.codes(LIST)) == pages


@pytest.mark.parametrize("page_cap", [500, 5, 7, 14])
async def test_a_list_without_headers_comes_whole(page_cap: int) -> None:
    faults = '[{"kind": "no_paging_headers"}]'
    async with simulated(page_cap=page_cap, faults=faults) as provider, asked(provider.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert {machine.id for machine in listing.machines} == set(await provider.vms())
        assert listing.duplicates == 0


@pytest.mark.parametrize("count", [0, 3, 5, 12])
@pytest.mark.parametrize("tells_total", [True, False])
async def test_a_server_that_does_not_know_paging_is_listed_whole(count: int, *, tells_total: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        body = [{"id": each, "status": "online"} for each in ids(count)]
        return web.json_response(body, headers={"X-Total": str(count)} if tells_total else {})

    async with server(answer) as provider, asked(provider.url, page_size=5) as client:
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == ids(count)
        assert listing.duplicates == 0


async def test_filters_go_to_the_provider_with_every_page() -> None:
    async with server(provider_of(lambda _: ids(7))) as provider, asked(provider.url, page_size=5) as client:
        await client.client.list_machines({"status": "online", "hostname": "a&b=c d"}, whole)
        assert [each.query for each in provider.seen] == [
            {"status": "online", "hostname": "a&b=c d", "limit": "5", "offset": offset} for offset in ("0", "5")
        ]


async def test_a_listing_is_as_old_as_its_first_page() -> None:
    clock = SwiftClock()

    async def answer(request: web.Request) -> web.Response:
        clock.pass_by(20)
        return paged(request, ids(9), total=9)

    async with server(answer) as provider, asked(provider.url, clock=clock, page_size=3) as client:
        before_at = clock.wall_s()
        listing = await client.client.list_machines({}, whole)
        assert listing.asked_seen_at == pytest.approx(before_at, abs=1)


@pytest.mark.parametrize(("max_concurrency", "at_once"), [(1, 1), (7, 1), (8, 2), (32, 8), (1000, 8)])
async def test_pages_are_asked_for_at_the_same_time_in_a_quarter_of_the_places(
    max_concurrency: int, at_once: int
) -> None:
    under_way: list[str] = []
    most = 0
    full = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal most
        offset = request.query["offset"]
        under_way.append(offset)
        most = max(most, len(under_way))
        if len(under_way) == at_once:
            await settled()  # What is one too many comes now.
            full.set()
        if offset != "0":
            await full.wait()
        under_way.remove(offset)
        return paged(request, ids(25), total=25)

    async with (
        server(answer) as provider,
        asked(provider.url, page_size=1, max_concurrency=max_concurrency) as client,
    ):
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == ids(25)
        assert (most, len(provider.seen)) == (at_once, 25)


async def test_of_each_vm_is_kept_what_is_wanted_and_no_document_beyond_its_page() -> None:
    documents: list[weakref.ref[MachineDocument]] = []
    most = 0

    def keep(document: MachineDocument) -> str | None:
        nonlocal most
        documents.append(weakref.ref(document))
        most = max(most, sum(each() is not None for each in documents))
        return document.id if int(document.id) % 2 else None

    async with server(provider_of(lambda _: ids(500))) as provider, asked(provider.url, page_size=20) as client:
        listing = await client.client.list_machines({}, keep)
    assert listing.machines == tuple(ids(500)[1::2])
    assert len(documents) == 500
    assert most <= 20


# Lists that change while they are listed


async def test_a_list_that_changed_between_two_pages_is_listed_again() -> None:
    before, after = ids(9), ids(10)[1:]
    shown = {"0": [before, after], "4": [[*before, "9"], after], "8": [after, after]}

    async def answer(request: web.Request) -> web.Response:
        listed = shown[request.query["offset"]].pop(0)
        return paged(request, listed, total=len(listed))

    async with server(answer) as provider, asked(provider.url, page_size=4) as client:
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == after
        assert [each.query["offset"] for each in provider.seen].count("4") == 2
        assert len(client.clock.sleeps_s) == 1


@pytest.mark.parametrize("tells_total", [True, False])
async def test_a_vm_that_moved_onto_the_next_page_is_kept_once_and_counted(*, tells_total: bool) -> None:
    faults = '[{"kind": "page_repeats_one"}' + (', {"kind": "no_paging_headers"}' if not tells_total else "") + "]"
    async with simulated(faults=faults) as provider, asked(provider.url, page_size=5) as client:
        listing = await client.client.list_machines({}, whole)
        assert len({machine.id for machine in listing.machines}) == len(listing.machines)
        assert listing.duplicates > 0


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("page_skips_one", "13 of 14 came"),
        ("one_missing", "10 of 14 came"),
        ("wrong_total", "14 of 21 came"),
    ],
)
async def test_a_list_that_never_adds_up_is_an_error_after_three_listings(fault: str, cause: str) -> None:
    async with simulated(faults=f'[{{"kind": "{fault}"}}]') as provider, asked(provider.url, page_size=5) as client:
        with pytest.raises(ListingInconsistent) as caught:
            await client.client.list_machines({}, whole)
        assert str(caught.value) == (f"account production: virtual_machines: the pages do not add up: {cause}, 3 times")
        assert len(client.clock.sleeps_s) == 2
        assert set(client.codes(LIST)) == {"200"}


async def test_an_id_that_comes_again_pages_later_is_kept_once_if_the_list_says_so_twice() -> None:
    twice = [*ids(10), "0"]
    async with server(provider_of(lambda _: twice)) as provider, asked(provider.url, page_size=4) as client:
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == ids(10)
        assert listing.duplicates == 1
        assert len(client.clock.sleeps_s) == 1


async def test_an_id_that_comes_again_where_two_pages_meet_is_a_list_that_moved() -> None:
    """One VM came, so the last of a page is the first of the next, and another one is missing at the end."""
    moved = ["0", "1", "2", "3", "3", "4", "5", "6", "7"]
    async with server(provider_of(lambda _: moved)) as provider, asked(provider.url, page_size=4) as client:
        with pytest.raises(ListingInconsistent, match="8 of 9 came"):
            await client.client.list_machines({}, whole)


async def test_repeats_that_differ_from_listing_to_listing_are_a_list_that_is_not_stable() -> None:
    orders = [[*ids(9), "0"], [*ids(10)[1:], "1"], [*ids(9), "4"]]
    async with (
        server(provider_of(lambda at: orders[at // 3 % 3])) as provider,
        asked(provider.url, page_size=4) as client,
    ):
        with pytest.raises(ListingInconsistent, match="9 of 10 came"):
            await client.client.list_machines({}, whole)


async def test_a_list_that_adds_up_at_last_is_a_list() -> None:
    async with simulated(faults='[{"kind": "wrong_total", "times": 2}]') as provider, asked(provider.url) as client:
        assert len((await client.client.list_machines({}, whole)).machines) == 14


async def test_an_endless_list_comes_to_an_end() -> None:
    async def answer(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        return web.json_response([{"id": str(offset), "status": "online"}], headers={"X-Total": str(offset + 2)})

    async with server(answer) as provider, asked(provider.url) as client:
        with pytest.raises(ListingInconsistent, match="the total changed while it was listed"):
            await client.client.list_machines({}, whole)
        assert len(provider.seen) == 6


async def test_a_page_that_fails_for_good_fails_the_listing() -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.query["offset"] != "0":
            return web.Response(status=500)
        return paged(request, ids(9), total=9)

    async with server(answer) as provider, asked(provider.url, page_size=5) as client:
        with pytest.raises(ServerError):
            await client.client.list_machines({}, whole)
        assert client.codes() == ["200", *["500"] * 4]


async def test_of_pages_that_fail_the_first_is_told_and_each_request_counts() -> None:
    async def answer(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        if offset in {4, 8}:
            return web.Response(status=403 if offset == 8 else 404)
        return paged(request, ids(20), total=20)

    async with server(answer) as provider, asked(provider.url, page_size=4) as client:
        with pytest.raises(NotFound, match="virtual_machines: HTTP 404"):
            await client.client.list_machines({}, whole)
        assert sorted(client.codes()) == ["200", "200", "200", "403", "404"]
        assert len(provider.seen) == 5


# VMs


async def test_one_broken_vm_costs_that_vm() -> None:
    async with simulated(faults='[{"kind": "one_broken"}]') as provider, asked(provider.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert len(listing.machines) == 13
        (broken,) = listing.broken
        assert {broken.machine_id, *(machine.id for machine in listing.machines)} == set(await provider.vms())
        assert broken.reason == "locked: bool_type"
        assert client.codes(LIST) == ["200"]


@pytest.mark.parametrize("page_size", [200, 5])
async def test_a_vm_that_comes_twice_in_one_answer_is_kept_once_and_counted(page_size: int) -> None:
    faults = '[{"kind": "one_twice", "times": 1}]'
    async with simulated(faults=faults) as provider, asked(provider.url, page_size=page_size) as client:
        listing = await client.client.list_machines({}, whole)
        assert {machine.id for machine in listing.machines} == set(await provider.vms())
        assert (len(listing.machines), listing.duplicates) == (14, 1)


@pytest.mark.parametrize("total", [3, 4, None], ids=["total of VMs", "total of rows", "no total"])
async def test_a_row_that_the_list_has_twice_is_counted_whatever_the_total_counts(total: int | None) -> None:
    async def answer(request: web.Request) -> web.Response:
        return paged(request, ["1", "2", "1", "3"], total=total)

    async with server(answer) as provider, asked(provider.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == ["1", "2", "3"]
        assert listing.duplicates == 1


async def test_a_list_of_thousands_in_one_answer_is_read_to_its_end() -> None:
    documented = json.loads((EXAMPLES / "virtual_machine.json").read_bytes())

    async def answer(_: web.Request) -> web.Response:
        return web.json_response([documented | {"id": each} for each in range(2000)] + [{"id": "broken"}])

    async with server(answer) as provider, asked(provider.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert [machine.id for machine in listing.machines] == ids(2000)
        assert listing.broken == (BrokenMachine("broken", "status: missing"),)


# The provider's own examples, as they are


async def test_the_documented_examples_are_read_over_the_wire_as_documented() -> None:
    async def answer(request: web.Request) -> web.Response:
        endpoint = request.path.rpartition("/")[2]
        if endpoint == LIST:
            return web.Response(body=b"[" + (EXAMPLES / "virtual_machine.json").read_bytes() + b"]")
        return web.Response(body=(EXAMPLES / f"{endpoint}.json").read_bytes())

    async with server(answer) as provider, asked(provider.url) as client:
        (machine,) = (await client.client.list_machines({}, whole)).machines
        assert (machine.id, machine.label, machine.status) == ("178931011513", "testapi", "unbuilt")
        assert (machine.memory, machine.cpus, machine.locked, machine.suspended) == (256, 1, True, False)
        cpu = (await client.client.cpu_stats(machine.id, "-1H")).document
        assert cpu.time_units == "5 minutes"
        assert list(cpu.values) == [
            10.1541275294,
            10.3190670489,
            10.0094700689,
            10.1866869822,
            10.3192486906,
            10.1546309261,
            10.1858532339,
            10.1536288994,
            10.1871109861,
            10.1537344633,
            10.1534351567,
            0,
        ]
        traffic = (await client.client.bw_stats(machine.id, "-1M")).document
        assert (traffic.date_from, traffic.date_to) == (1407060000, 1409745600)
        assert traffic.interfaces == (
            InterfaceTraffic(
                "45",
                "1",
                public=True,
                traffic_in=(0, 42158.54180338),
                traffic_out=(0, 130438.94177359999),
            ),
            InterfaceTraffic(
                "46",
                "709",
                public=False,
                traffic_in=(9022.86425421, 61278.65241551),
                traffic_out=(0, 100.937692002),
            ),
        )
        assert [(each.method, each.path, each.query) for each in provider.seen[-2:]] == [
            ("GET", "/account/17893/virtual_machine/178931011513/cpu_stats", {"period": "-1H"}),
            ("GET", "/account/17893/virtual_machine/178931011513/bw_stats", {"period": "-1M"}),
        ]
        endpoints = [event.endpoint for event in client.events if isinstance(event, RequestDone)]
        assert endpoints == [LIST, LIST, "cpu_stats", "bw_stats"]


@pytest.mark.parametrize(
    ("fault", "cause"), [("invalid_json", "json_invalid"), ("wrong_types", "data: list_type"), ("huge", "more than")]
)
async def test_statistics_that_are_not_understood_are_an_error_that_says_why(fault: str, cause: str) -> None:
    faults = f'[{{"kind": "{fault}", "endpoint": "cpu_stats"}}]'
    async with simulated(faults=faults) as provider, asked(provider.url, max_body_bytes=2**20) as client:
        vm_id = next(iter(await provider.vms()))
        with pytest.raises(InvalidAnswer, match=cause) as caught:
            await client.client.cpu_stats(vm_id, "-1H")
        assert (caught.value.account, caught.value.endpoint) == ("production", "cpu_stats")
        assert client.codes() == ["invalid"]


async def test_values_that_no_bucket_can_hold_are_refused_and_counted_and_the_others_used() -> None:
    async with simulated() as provider, asked(provider.url) as client:
        vm_id = next(vm_id for vm_id, vm in (await provider.vms()).items() if vm["label"].startswith("web"))
        await provider.faults({"kind": "garbage_values"})
        cpu = (await client.client.cpu_stats(vm_id, "-1H")).document
        assert cpu.refused == cpu.values.count(None) > 0
        assert any(cpu.values)
        traffic = (await client.client.bw_stats(vm_id, "-1H")).document
        assert traffic.refused > 0
        assert all(interface.traffic_in for interface in traffic.interfaces)
        assert client.codes() == ["200", "200"]
