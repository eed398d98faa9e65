"""The provider's documents, first of all its own examples."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import Stint, SystemClock
from exporter.gigas.answers import (
    BrokenMachine,
    CpuStats,
    InterfaceTraffic,
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
from tests.clocks import LaboriousClock

_EXAMPLES = Path(__file__).parents[2] / "fixtures" / "gigas"
_PASSWORD = "rYXtg8cCdLQI"  # Of the example.


def example(name: str) -> Any:
    return json.loads((_EXAMPLES / f"{name}.json").read_bytes())


def whole(document: MachineDocument) -> MachineDocument:
    return document


async def machines(*entries: Any) -> Machines[MachineDocument]:
    return await machines_of(json.dumps(entries).encode())


async def machines_of(body: bytes) -> Machines[MachineDocument]:
    return await read_machines(body, whole, Stint(SystemClock()), known=KnownMachines())


async def machine(**changes: Any) -> Any:
    ((_, document),) = (await machines(example("virtual_machine") | changes)).machines
    return document


async def test_the_documented_machine_is_read_as_documented() -> None:
    assert (await machine()).model_dump() == {
        "id": "178931011513",
        "status": "unbuilt",
        "locked": True,
        "suspended": False,
        "error": False,
        "cdrom": False,
        "label": "testapi",
        "hostname": "testapi",
        "type": "standard",
        "memory": 256,
        "cpus": 1,
        "cpu_shares": 1,
        "cpu_type": "amd",
        "operating_system": None,
        "operating_system_distro": None,
        "hypervisor_id": "178931017",
        "location_id": "178931012",
        "template_id": "1789310154",
        "boot_type": "default",
        "disk_type": "vd",
        "created_at": datetime(2018, 5, 29, 8, 20, 49),  # noqa: DTZ001 - naive as sent
        "updated_at": datetime(2018, 5, 29, 8, 20, 49),  # noqa: DTZ001 - naive as sent
    }


async def test_passwords_and_notes_end_with_the_parsing() -> None:
    broken = example("virtual_machine") | {"status": _PASSWORD, "locked": _PASSWORD, "note": _PASSWORD}
    read = await machines(example("virtual_machine"), broken)
    assert _PASSWORD not in repr(read.machines)
    assert _PASSWORD not in repr(read.broken)


@pytest.mark.parametrize(
    ("told", "read"),
    [(0, False), (1, True), ("0", False), ("1", True), ("true", True), ("false", False), (True, True), (None, False)],
)
@pytest.mark.parametrize("field", ["locked", "suspended", "error", "cdrom"])
async def test_a_boolean_is_understood_in_each_of_its_spellings(field: str, told: object, read: bool) -> None:
    assert getattr(await machine(**{field: told}), field) is read


@pytest.mark.parametrize(
    ("field", "told", "read"),
    [
        ("id", 24, "24"),
        ("hypervisor_id", 7, "7"),
        ("template_id", None, None),
        ("memory", "256", 256),
        ("memory", "lots", None),
        ("memory", -1, None),
        ("cpus", [1], None),
        ("label", {"a": 1}, None),
        ("label", "half a \ud800 pair", None),
        ("hostname", True, None),
        ("error", "perhaps", False),
        ("created_at", 1527582049, datetime(2018, 5, 29, 8, 20, 49, tzinfo=UTC)),
        ("created_at", "2018-05-29T10:20:49+02:00", datetime(2018, 5, 29, 8, 20, 49, tzinfo=UTC)),
        ("created_at", "0000-00-00 00:00:00", None),
        ("created_at", "0001-01-01T00:00:00+14:00", None),
        ("updated_at", "yesterday", None),
        ("type", "balancer_failover", "balancer_failover"),
        ("status", "recovery", "recovery"),
    ],
)
async def test_an_unusable_optional_field_costs_itself_only(field: str, told: object, read: object) -> None:
    document = await machine(**{field: told})
    assert getattr(document, field) == read
    assert document.cpu_type == "amd"


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"id": None}, BrokenMachine(None, "id: string_type")),
        ({"id": ""}, BrokenMachine(None, "id: string_too_short")),
        ({"status": None}, BrokenMachine("178931011513", "status: string_type")),
        ({"status": 7.5, "locked": "perhaps"}, BrokenMachine("178931011513", "locked: bool_parsing")),
        ({"id": 24, "suspended": []}, BrokenMachine("24", "suspended: bool_type")),
    ],
)
async def test_one_broken_machine_costs_that_machine(changes: dict[str, Any], broken: BrokenMachine) -> None:
    whole = example("virtual_machine")
    read = await machines(whole | {"id": "1"}, whole | changes, whole | {"id": "2"})
    assert [machine_id for machine_id, _ in read.machines] == ["1", "2"]
    assert read.broken == (broken,)


@pytest.mark.parametrize("entry", [None, 7, "text", []])
async def test_an_entry_that_is_no_machine_is_broken_and_nameless(entry: object) -> None:
    assert await machines(entry) == Machines((), (BrokenMachine(None, "dict_type"),))


async def test_a_byte_that_is_no_utf8_costs_itself() -> None:
    body = json.dumps([example("virtual_machine") | {"label": "caf?"}]).encode().replace(b"caf?", b"caf\xe9")
    ((_, document),) = (await machines_of(body)).machines
    assert document is not None
    assert document.label == "caf\N{REPLACEMENT CHARACTER}"


async def test_an_id_with_such_a_byte_could_be_any_machines() -> None:
    body = json.dumps([example("virtual_machine") | {"id": "24?"}]).encode().replace(b"24?", b"24\xff")
    assert await machines_of(body) == Machines((), (BrokenMachine(None, "id: string_unicode"),))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{}",
        b"null",
        b"[",
        b"[{}",
        b"[{},",
        b"[{},]",
        b"[{}] x",
        b"[] []",
        b"[{} {}]",
        b"<html>",
        b"[" * 5000,
    ],
)
async def test_what_is_no_list_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        await machines_of(body)


@pytest.mark.parametrize("count", [1, 200, 1000])
async def test_a_list_is_read_so_that_others_may_run_after_each_entry(count: int) -> None:
    clock = LaboriousClock()
    body = json.dumps([example("virtual_machine") | {"id": each} for each in range(count)], indent=1).encode()
    read = await read_machines(body, whole, Stint(clock), known=KnownMachines())
    assert [machine_id for machine_id, _ in read.machines] == [str(each) for each in range(count)]
    assert clock.gave_way == count


async def test_of_each_machine_is_kept_what_is_wanted_and_of_every_one_its_id() -> None:
    body = json.dumps([example("virtual_machine") | {"id": each, "cpus": each} for each in range(4)]).encode()
    wanted = {"1", "3"}

    def keep(document: MachineDocument) -> int | None:
        return document.cpus if document.id in wanted else None

    read = await read_machines(body, keep, Stint(SystemClock()), known=KnownMachines())
    assert read.machines == (("0", None), ("1", 1), ("2", None), ("3", 3))


async def test_only_what_a_list_says_anew_is_understood_anew() -> None:
    known: KnownMachines[MachineDocument] = KnownMachines()
    understood: list[str] = []

    def keep(document: MachineDocument) -> MachineDocument:
        understood.append(document.id)
        return document

    async def listed(*entries: Any) -> list[str]:
        understood.clear()
        known.next_listing()
        for page in (entries[:2], entries[2:]):
            read = await read_machines(json.dumps(page).encode(), keep, Stint(SystemClock()), known=known)
            assert read == await machines(*page)
        return understood

    first, second, third = (example("virtual_machine") | {"id": each} for each in range(3))
    assert await listed(first, second, third) == ["0", "1", "2"]
    assert await listed(first, second, third) == []
    assert await listed(third, second | {"status": "recovery"}, first) == ["1"]
    assert await listed(first, third) == []
    # What one list lacked is forgotten.
    assert await listed(first, second | {"status": "recovery"}, third, first) == ["1"]


async def test_a_machine_that_cannot_be_understood_is_broken_each_time() -> None:
    known: KnownMachines[MachineDocument] = KnownMachines()
    body = json.dumps([{"id": 24, "status": None}]).encode()
    for _ in range(2):
        known.next_listing()
        read = await read_machines(body, whole, Stint(SystemClock()), known=known)
        assert read == Machines((), (BrokenMachine("24", "status: string_type"),))


def test_the_documented_cpu_list_is_read_with_its_unfilled_end() -> None:
    body = (_EXAMPLES / "cpu_stats.json").read_bytes()
    read = read_cpu_stats(body)
    assert (read.time_units, read.refused) == ("5 minutes", 0)
    assert read.values[0] == 10.1541275294
    assert read.values[-2:] == (10.1534351567, 0)
    assert len(read.values) == 12


@pytest.mark.parametrize(
    ("told", "values", "refused"),
    [
        ("[]", (), 0),
        ("{}", (), 0),
        ("null", (), 0),
        ("[1, null, 0]", (1, None, 0), 0),
        ("[[1, 2.5]]", (1, 2.5), 0),
        ("[[1], [2]]", (1, 2), 0),
        ('[1, -1, NaN, Infinity, 1e300, 1e400, "5", true, {}, 2]', (1, *[None] * 8, 2), 8),
        ('{"10": 3, "0": 1, "9": 2}', (1, *[None] * 8, 2, 3), 0),
        ('{"0": 1, "x": 2, "99999999": 3, "-1": 4}', (1,), 3),
        (f"[{2**60}, {2**60 + 2**10}, {10**400}]", (2.0**60, None, None), 2),
    ],
)
def test_each_habit_of_cpu_values_is_understood(told: str, values: tuple[float | None, ...], refused: int) -> None:
    assert read_cpu_stats(f'{{"data": {told}}}'.encode()) == CpuStats(None, values, refused)


def test_a_list_longer_than_any_window_is_not_understood() -> None:
    values = ", ".join(["1"] * 4096)
    assert len(read_cpu_stats(f'{{"data": [{values}]}}'.encode()).values) == 4096
    with pytest.raises(NotUnderstood, match=r"^data: too_long$"):
        read_cpu_stats(f'{{"data": [{values}, 1]}}'.encode())


def test_the_documented_traffic_is_read_as_documented() -> None:
    read = read_bw_stats((_EXAMPLES / "bw_stats.json").read_bytes())
    assert (read.date_from, read.date_to) == (1407060000, 1409745600)
    assert (read.refused, read.duplicates) == (0, 0)
    assert read.interfaces == (
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


def bw(traffic: str) -> Any:
    return read_bw_stats(f'{{"date_from": 1, "date_to": 2, "traffic": {traffic}}}'.encode())


NONE = (None, None)


def pairs(interface: InterfaceTraffic) -> list[tuple[float | None, float | None]]:
    return list(zip(interface.traffic_in, interface.traffic_out, strict=True))


def interface(data: str, public: str = "true") -> str:
    return f'{{"interface_id": 45, "network_id": "1", "is_public": {public}, "data": {data}}}'


@pytest.mark.parametrize("traffic", ["{}", "[]", "null", "[[]]", "[{}]"])
def test_no_data_is_no_interface(traffic: str) -> None:
    assert bw(traffic).interfaces == ()


@pytest.mark.parametrize("traffic", [f"[[{interface('{}')}]]", f"[{interface('[]')}]", f"[{interface('null')}]"])
def test_interfaces_come_in_one_list_or_in_several(traffic: str) -> None:
    assert bw(traffic).interfaces == (InterfaceTraffic("45", "1", public=True, traffic_in=(), traffic_out=()),)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        *(("true", True), ("false", False), ("1", True), ("0", False), ("null", None)),
        *(('"true"', True), ('"Yes"', True), ('"on"', True), ('"no"', False), ('"OFF"', False), ('"?"', None)),
    ],
)
def test_public_is_understood_in_each_of_its_spellings(told: str, read: bool | None) -> None:
    assert bw(f"[[{interface('{}', told)}]]").interfaces[0].public is read


@pytest.mark.parametrize(
    ("data", "buckets", "refused"),
    [
        ('{"10": {"traffic_in": 1, "traffic_out": 2}, "9": {"traffic_in": 3}}', [*[NONE] * 9, (3, None), (1, 2)], 0),
        ('[{"traffic_in": 1, "traffic_out": 2}, null]', [(1, 2), NONE], 0),
        ('{"0": null, "1": {"traffic_in": null, "traffic_out": 0}}', [NONE, (None, 0)], 0),
        ('{"0": {"traffic_in": -1, "traffic_out": 2}}', [(None, 2)], 1),
        ('{"0": {"traffic_in": "7", "traffic_out": 1e300}}', [NONE], 2),
        ('{"x": {"traffic_in": 1}, "0": {"traffic_in": 1}}', [(1, None)], 1),
        ('{"0": 5, "70000": {}}', [NONE], 2),
    ],
)
def test_an_unusable_value_is_refused_and_the_rest_used(data: str, buckets: object, refused: int) -> None:
    read = bw(f"[[{interface(data)}]]")
    assert pairs(read.interfaces[0]) == buckets
    assert read.refused == refused


def test_all_interfaces_have_room_for_the_last_bucket_of_any() -> None:
    more = interface('{"1": {"traffic_in": 2}, "10": {"traffic_out": 3}}').replace("45", "46")
    read = bw(f"""[[{interface('{"0": {"traffic_in": 1}}')}], [{more}]]""")
    assert read.count == 11
    assert [pairs(each) for each in read.interfaces] == [
        [(1, None), *[NONE] * 10],
        [NONE, (2, None), *[NONE] * 8, (None, 3)],
    ]


@pytest.mark.parametrize(
    ("told", "read"),
    [("45", "45"), ('"45"', "45"), ("45.0", "45"), ('"eth0"', "eth0"), ("99999999999999999999", "9" * 20)],
)
def test_an_interface_is_known_by_a_text_or_a_whole_number(told: str, read: str) -> None:
    shown = interface("{}").replace('"interface_id": 45', f'"interface_id": {told}')
    assert bw(f"[[{shown}]]").interfaces[0].interface_id == read


@pytest.mark.parametrize("told", ["45.5", "true", "null", '""', "[45]"])
def test_an_interface_without_an_id_spoils_the_answer(told: str) -> None:
    """Left out, it would look like one that is gone."""
    shown = interface("{}").replace('"interface_id": 45', f'"interface_id": {told}')
    with pytest.raises(NotUnderstood, match=r"^traffic\.interface_id: string_type$"):
        bw(f"[[{shown}]]")


@pytest.mark.parametrize("public", ["true", '"true"', "null"])
def test_an_interface_that_comes_twice_is_kept_once_and_counted(public: str) -> None:
    first, again = interface('{"0": {"traffic_in": 1}}', public), interface('{"0": {"traffic_in": 2}}', public)
    read = bw(f"[[{first}], [{again}]]")
    assert pairs(read.interfaces[0]) == [(1, None)]
    assert (len(read.interfaces), read.duplicates) == (1, 1)


@pytest.mark.parametrize("told", ["null", '"then"', "-1", "1e400", "true", "[]"])
def test_a_time_that_is_none_is_absent(told: str) -> None:
    read = read_bw_stats(f'{{"date_from": {told}, "date_to": "1409745600", "traffic": {{}}}}'.encode())
    assert (read.date_from, read.date_to) == (None, 1409745600)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("[]", "dict_type"),
        ("{}", "traffic: missing"),
        ('{"traffic": "rYXtg8cCdLQI"}', "traffic: list_type"),
        ('{"traffic": [7]}', "traffic: dict_type"),
        ('{"traffic": [{"interface_id": null, "data": {}}]}', "traffic.interface_id: string_type"),
        ('{"traffic": [{"interface_id": 1, "data": "rYXtg8cCdLQI"}]}', "traffic.data: dict_type"),
        ("rYXtg8cCdLQI", "json_invalid"),
    ],
)
def test_a_complaint_names_the_field_and_quotes_nothing(body: str, complaint: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        read_bw_stats(body.encode())
    assert str(caught.value) == complaint
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"data": "x"}', b'{"time_units": "x"}', b"9" * 5000]
)
def test_what_is_no_cpu_list_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_cpu_stats(body)


@pytest.mark.parametrize(("told", "read"), [("1500", 1500), ('"1500"', 1500), ("null", None), ('"soon"', None)])
def test_the_end_of_a_session_token_is_a_number_or_its_text(told: str, read: float | None) -> None:
    assert read_session_token(f'{{"token": "t", "expires": {told}}}'.encode()).expires_at == read


@pytest.mark.parametrize("token", ["null", '""', "7", '"a b"', '"a\\nb"', '"\u00e9"'])
def test_a_token_is_what_can_stand_in_a_header(token: str) -> None:
    for read, field in ((read_session_token, "token"), (read_openid_token, "access_token")):
        with pytest.raises(NotUnderstood, match=rf"^{field}: \w+$") as caught:
            read(f'{{"{field}": {token}}}'.encode())
        assert caught.value.__context__ is None


def test_tokens_are_not_shown() -> None:
    told = b'{"access_token": "abc", "expires_in": 300, "refresh_token": "def", "refresh_expires_in": "1800"}'
    read = read_openid_token(told)
    assert (read.token, read.life_s, read.refresh_token, read.refresh_life_s) == ("abc", 300, "def", 1800)
    assert "abc" not in repr(read)
    assert "def" not in repr(read)
