"""Filters, sort fields and pages."""

import pytest

from exporter.simulator.lists import SUBLIST_FILTERS, WrongQueryError, filtered, listed_machines, page
from exporter.simulator.resources import addresses, network_interfaces
from tests.unit.simulator.made import machine_of, machines_of, world

WORLD = world()
ACCOUNT = WORLD.accounts["17893"]


def names(**query: str) -> list[str]:
    return [machine.hostname for machine in listed_machines(ACCOUNT, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "offline"}, ["offline-4"]),
        ({"locked": "true"}, ["stuck-2", "unbuilt-6"]),
        ({"locked": "1", "status": "online"}, ["stuck-2"]),
        ({"suspended": "1"}, ["suspended-3"]),
        ({"hostname": "ecover"}, ["recovery-9"]),
        ({"id": "178931011500"}, ["web-1"]),
        ({"label": "error-7"}, ["error-7"]),
        ({"ip_address": "198.51.100.5"}, ["database-5"]),
        ({"type": "firewall"}, []),
        ({"cpu_type": "amd"}, []),
        ({"disk_type": "sd"}, []),
        ({"location_id": "1"}, []),
    ],
)
def test_a_list_has_what_passes_the_filters_of_the_page(query: dict[str, str], expected: list[str]) -> None:
    assert names(**query) == expected


def test_without_a_filter_all_are_listed() -> None:
    assert len(names()) == len(names(disk_type="vd")) == len(names(locked="0")) + 2 == 25


@pytest.mark.parametrize(
    ("sort", "field"), [("memory", "memory"), ("disks_size", "disk_gb"), ("status", "status"), ("label", "label")]
)
def test_a_list_is_sorted_by_the_fields_of_the_page(sort: str, field: str) -> None:
    values = [getattr(machine, field) for machine in listed_machines(ACCOUNT, {"sort": sort})]
    assert values == sorted(values)


@pytest.mark.parametrize("query", [{"sort": "colour"}, {"locked": "maybe"}])
def test_a_query_that_cannot_be_meant_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(WrongQueryError):
        listed_machines(ACCOUNT, query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"public": "true"}, [True]),
        ({"public": "0"}, [False]),
        ({"network_id": "709"}, [False]),
        ({"network_id": "1", "public": "false"}, []),
    ],
)
def test_lists_of_a_vm_pass_their_own_filters(query: dict[str, str], expected: list[bool]) -> None:
    machine = machine_of(WORLD, "web")
    told = filtered(addresses(machine), SUBLIST_FILTERS["ip_addresses"], query)
    assert [each["public"] for each in told] == expected


def test_interfaces_are_found_by_label() -> None:
    told = filtered(
        network_interfaces(machine_of(WORLD, "web")),
        SUBLIST_FILTERS["network_interfaces"],
        {"interface_label": "eth1"},
    )
    assert [each["label"] for each in told] == ["eth1"]


@pytest.mark.parametrize("public", ["0", "1"])
def test_interfaces_are_found_by_whether_they_are_public(public: str) -> None:
    told = filtered(
        network_interfaces(machine_of(WORLD, "web")), SUBLIST_FILTERS["network_interfaces"], {"public": public}
    )
    assert [each["label"] for each in told] == (["eth0"] if public == "1" else ["eth1"])


@pytest.mark.parametrize(
    ("query", "shown", "headers"),
    [
        ({}, range(25), ("1", "25", "25", "1")),
        ({"limit": "10"}, range(10), ("1", "10", "25", "3")),
        ({"limit": "10", "offset": "20"}, range(20, 25), ("3", "10", "25", "3")),
        ({"limit": "10", "offset": "30"}, [], ("4", "10", "25", "3")),
        ({"limit": "1000"}, range(15), ("1", "15", "25", "2")),
        ({"offset": "5"}, range(5, 25), ("1", "25", "25", "1")),
    ],
)
def test_a_page_has_its_part_and_says_which(
    query: dict[str, str], shown: range, headers: tuple[str, str, str, str]
) -> None:
    listed, told = page(range(25), lambda number: {"id": number}, query, cap=15)
    assert [each["id"] for each in listed] == list(shown)
    assert tuple(told[name] for name in ("X-Page", "X-Per-Page", "X-Total", "X-Total-Pages")) == headers


def test_pages_joined_are_the_whole_list() -> None:
    whole = [machine.id for machine in machines_of(WORLD)]
    pages = [
        page(whole, lambda vm_id: {"id": vm_id}, {"limit": "7", "offset": str(offset)}, cap=500)[0]
        for offset in range(0, 28, 7)
    ]
    assert [each["id"] for part in pages for each in part] == whole


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "-1"}, {"limit": "ten"}, {"offset": "-1"}])
def test_a_page_that_cannot_be_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(WrongQueryError):
        page([1], dict, query, cap=5)  # type: ignore[arg-type]


def test_an_empty_list_has_one_empty_page() -> None:
    listed, told = page([], dict, {}, cap=5)
    assert (listed, told["X-Total"], told["X-Total-Pages"]) == ([], "0", "0")
