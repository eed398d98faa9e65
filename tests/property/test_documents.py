"""Whatever the wire brings, a document is read or refused with a typed complaint, and a complaint quotes nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import Stint, SystemClock
from exporter.counting import LARGEST
from exporter.gigas.answers import (
    KnownMachines,
    MachineDocument,
    Machines,
    NotUnderstood,
    read_bw_stats,
    read_cpu_stats,
    read_machines,
    read_openid_token,
    read_session_token,
)

_MARKER = "rYXtg8cCdLQI"

FIELDS = st.sampled_from(
    [
        "id",
        "status",
        "locked",
        "label",
        "memory",
        "created_at",
        "data",
        "time_units",
        "traffic",
        "date_from",
        "interface_id",
        "is_public",
        "traffic_in",
        "token",
        "expires",
        "access_token",
        "expires_in",
        "refresh_token",
        "0",
        "1",
        "10",
        "initial_password",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([_MARKER, "\ud800", 10**400, "2018-05-29T08:20:49"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=20
)
BODIES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
PERCENT = st.none() | st.floats(min_value=0, max_value=LARGEST)


async def machines_of(body: bytes) -> Machines[MachineDocument]:
    return await read_machines(body, lambda document: document, Stint(SystemClock()), known=KnownMachines())


@pytest.mark.parametrize("read", [read_cpu_stats, read_bw_stats, read_session_token, read_openid_token])
@given(body=BODIES)
def test_any_bytes_are_read_or_not_understood(read: Callable[[bytes], object], body: bytes) -> None:
    complaint = None
    try:
        read(body)
    except NotUnderstood as error:
        complaint = error
    if complaint is not None:
        assert _MARKER not in str(complaint)
        assert complaint.__context__ is None


@given(body=BODIES)
async def test_any_bytes_are_a_list_of_machines_or_not_understood(body: bytes) -> None:
    listed: Machines[MachineDocument] = Machines(())
    complaint = ""
    try:
        listed = await machines_of(body)
    except NotUnderstood as error:
        complaint = str(error)
    assert _MARKER not in complaint
    assert all(_MARKER not in broken.reason for broken in listed.broken)
    for machine_id, machine in listed.machines:
        assert machine is not None
        assert machine.id == machine_id
        machine.model_dump_json().encode()


@given(entries=st.lists(st.dictionaries(FIELDS, VALUES, max_size=6), max_size=6))
async def test_every_entry_of_a_list_is_a_machine_or_broken(entries: list[dict[str, Any]]) -> None:
    listed = await machines_of(json.dumps(entries).encode())
    assert len(listed.machines) + len(listed.broken) == len(entries)


@given(
    lists=st.lists(st.lists(st.sampled_from(range(12)), max_size=6), max_size=4),
    labels=st.lists(VALUES, min_size=12, max_size=12),
)
async def test_a_list_is_read_the_same_whatever_was_listed_before(lists: list[list[int]], labels: list[Any]) -> None:
    known: KnownMachines[MachineDocument] = KnownMachines()
    for each in lists:
        body = json.dumps([{"id": str(at % 4), "status": "online", "label": labels[at]} for at in each]).encode()
        known.next_listing()
        read = await read_machines(body, lambda document: document, Stint(SystemClock()), known=known)
        assert read == await machines_of(body)


@given(values=st.lists(PERCENT, max_size=30))
def test_all_shapes_of_a_cpu_list_mean_the_same(values: list[float | None]) -> None:
    shapes: list[Any] = [values, [values], {str(at): value for at, value in reversed(list(enumerate(values)))}]
    read = [read_cpu_stats(json.dumps({"data": shape}).encode()) for shape in shapes]
    assert read[0] == read[1] == read[2]
    assert read[0].values == tuple(values)


@given(buckets=st.lists(st.tuples(PERCENT, PERCENT), max_size=20))
def test_all_shapes_of_traffic_mean_the_same(buckets: list[tuple[float | None, float | None]]) -> None:
    told = [{"traffic_in": ins, "traffic_out": outs} for ins, outs in buckets]
    by_place = {str(at): each for at, each in reversed(list(enumerate(told)))}

    def body(traffic: Callable[[Any], Any], shown: Any, public: object) -> bytes:
        interface = {"interface_id": 45, "network_id": 1, "is_public": public, "data": shown}
        return json.dumps({"date_from": 100, "date_to": 200, "traffic": traffic(interface)}).encode()

    read = [
        read_bw_stats(body(lambda each: [[each]], by_place, True)),  # noqa: FBT003 - the documented spelling
        read_bw_stats(body(lambda each: [each], by_place, "true")),
        read_bw_stats(body(lambda each: [each, {}], told, 1)),
    ]
    assert read[0] == read[1] == read[2]
    interface = read[0].interfaces[0]
    assert list(zip(interface.traffic_in, interface.traffic_out, strict=True)) == buckets


@given(values=st.lists(st.integers() | st.floats() | st.text(max_size=3) | st.booleans(), max_size=20))
def test_each_value_is_usable_or_refused_and_counted(values: list[Any]) -> None:
    read = read_cpu_stats(json.dumps({"data": values}).encode())
    assert len(read.values) == len(values)
    assert read.refused == read.values.count(None)
    assert all(value is None or 0 <= value <= LARGEST for value in read.values)
