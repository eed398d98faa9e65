"""`gigas-exporter state` as an operator uses it, beside a process that writes the ledger and without one."""

import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from exporter.counting import Bucket, Series, Spell, Window, enter, horizon_of
from exporter.ledger import (
    AccountRecord,
    CpuAccount,
    InterfaceAccount,
    Remembered,
    SqliteLedger,
    VmRecord,
)
from tests.processes import Process, finished, process
from tests.unit.ledger.filled import filled
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

AT_MS = 1_700_000_000_000
KEY = "17893/production"


def series(units: float) -> Series:
    """A counter, of which ten minutes are owed."""
    paid, unpaid = (AT_MS, 300_000, AT_MS + 999_000, (enter(units),)), (AT_MS + 300_000, 600_000, AT_MS, (0,))
    return Series(
        settled_ms=AT_MS, left_ms=AT_MS + 900_000, newest_ms=AT_MS + 900_000, complete_ms=AT_MS + 900_000,
        held_until_ms=0, began_ms=0, base=0, exposed=enter(units),
        horizon=horizon_of((paid, unpaid)),
        newest=Bucket(AT_MS, AT_MS + 300_000, 1, AT_MS),
    )  # fmt: skip


def vm(vm_id: str, name: str) -> VmRecord:
    spell = Spell(1.0, 2.0, since_seen_at=AT_MS / 1000, begun=3)
    interfaces = {
        number: InterfaceAccount(
            number, public=True, receive=series(1000.0), transmit=series(20.5), since_ms=0, seen_ms=0
        )
        for number in ("45", "46")
    }
    return VmRecord(
        vm_id=vm_id, name=name, known_since_at=1.5, appeared=False, running_since_ms=0, lock=spell,
        suspension=replace(spell, since_seen_at=None), interfaces=interfaces,
        cpu=CpuAccount(series(120.25), Window(0, 10, (), 0).rested(), since_ms=0, on_grid=True),
    )  # fmt: skip


async def ledger_at(path: Path, accounts: Mapping[str, Remembered]) -> Path:
    ledger = await SqliteLedger.open(path, start_anew=False, now_s=1.0)
    await ledger.replace(accounts)
    await ledger.close()
    return path


def known(*names: str) -> Remembered:
    vms = tuple(vm(str(number), name) for number, name in enumerate(names))
    return Remembered(account=filled(AccountRecord), vms=vms, listed={"0": {"label": "web \u20ac", "cpus": 2}})


async def state(*arguments: str | Path, **variables: str) -> tuple[int, str, str]:
    return await finished("state", *arguments, **variables)


def failed(line: str) -> tuple[int, str, str]:
    return 1, "", f"gigas-exporter: {line}\n"


async def test_what_is_counted_is_shown_to_people_and_to_machines(tmp_path: Path) -> None:
    path = await ledger_at(tmp_path / "ledger.db", {KEY: known("web-1", "db\n1")})
    before = path.read_bytes()
    code, text, errors = await state("show", "--state.path", path)
    assert (code, errors) == (0, "")
    head, _, account, columns, first, second = text.splitlines()
    assert head.startswith(f"{path}: version 1, {path.stat().st_size} bytes, written 20")
    assert account == "account 17893/production: 2 VMs"
    assert columns.split("  ")[0] == "VM"
    assert first.split() == [
        "0", "web-1", "120.2", "2000", "41", "2023-11-14", "22:28:20Z", "1800", "3", "2023-11-14", "22:13:20Z",
    ]  # fmt: skip
    assert second.split()[1] == "db?1"
    code, text, _ = await state("show", "--json", "--state.path", path)
    assert code == 0
    shown: dict[str, Any] = json.loads(text)["accounts"][KEY][0]
    assert shown["cpu"]["busy_seconds"] == 120.25
    assert shown["interfaces"][1]["transmit_bytes"] == 20.5
    assert shown["locked_since_timestamp_seconds"] == AT_MS / 1000
    assert (path.read_bytes(), sorted(each.name for each in path.parent.iterdir())) == (
        before,
        ["ledger.db", "ledger.db.lock"],
    )


async def test_the_file_is_found_as_the_daemon_finds_it_without_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text(f"accounts: [{{id: 1, api_key_file: /none}}]\nstate: {{path: {tmp_path}/in-file.db}}\n")
    await ledger_at(tmp_path / "in-file.db", {})
    await ledger_at(tmp_path / "ledger-1-of-2.db", {KEY: known("web-1")})
    assert (await state("verify", "--config.file", file))[:2] == (0, "ok: 0 VMs of 0 accounts\n")
    variables = {"STATE_DIRECTORY": str(tmp_path), "GIGAS_EXPORTER_SHARD__TOTAL": "2"}
    assert (await state("verify", "--shard.index", "1", **variables))[:2] == (0, "ok: 1 VMs of 1 accounts\n")


async def test_what_is_wrong_with_the_settings_is_a_line_and_another_exit_code(tmp_path: Path) -> None:
    assert await state("show", "--state.path", ":memory:") == (
        2,
        "",
        "gigas-exporter: state.path (configured): is :memory:; there is no file to look at\n",
    )
    assert (await state("show", "--state.path", tmp_path))[0] == 2
    assert (await state("dance"))[0] == 2
    none = tmp_path / "none.db"
    said = "cannot be read: there is none, or it is empty; look at state.path, and at who may read it"
    for command in ("show", "verify", "export"):
        assert await state(command, "--state.path", none) == failed(f"{none}: {said}")
    assert not none.exists()


async def test_verify_has_a_line_for_each_fault(tmp_path: Path) -> None:
    broken = replace(vm("1", "db-1"), renames=-1)
    sound = known("web-1", "web-2")
    path = await ledger_at(tmp_path / "ledger.db", {KEY: replace(sound, vms=(*sound.vms[:1], broken))})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE records SET record = replace(record, 'web-1', 'web-7') WHERE kind = 'vm'")
        connection.commit()
    code, text, _ = await state("verify", "--state.path", path)
    assert (code, text.splitlines()) == (
        1,
        [
            f"account {KEY!r}, vm '0': is not what was written",
            f"account {KEY!r}, vm '1': it: counts less than nothing",
        ],
    )


async def test_what_is_exported_and_imported_is_the_same_again(tmp_path: Path) -> None:
    path = await ledger_at(tmp_path / "one.db", {KEY: known("web-1", "db-1"), "other": known(), "third": known("x")})
    exported = tmp_path / "export.jsonl"
    assert await state("export", "--state.path", path, "--output", exported) == (0, "", "")
    code, text, _ = await state("export", "--state.path", path)
    assert text.isascii()  # A terminal may know nothing else.
    assert (code, text) == (0, exported.read_text())
    assert [json.loads(line) for line in text.splitlines()]
    moved = tmp_path / "new" / "two.db"
    assert await state("import", exported, "--state.path", moved) == (0, f"{moved}: 3 VMs of 3 accounts are in\n", "")
    assert (await state("export", "--state.path", moved))[1] == text


async def test_an_account_that_is_there_is_replaced_only_where_that_is_wished(tmp_path: Path) -> None:
    old = await ledger_at(tmp_path / "old.db", {KEY: known("web-1"), "other": known("web-2")})
    exported = tmp_path / "export.jsonl"
    await state("export", "--state.path", old, "--output", exported)
    new = await ledger_at(tmp_path / "new.db", {KEY: known("a", "b", "c"), "its own": known("d")})
    refused = await state("import", exported, "--state.path", new)
    assert refused == failed(f"{new}: has '{KEY}' already; --replace drops what it knows of them")
    assert (await state("verify", "--state.path", new))[1] == "ok: 4 VMs of 2 accounts\n"
    assert (await state("import", exported, "--replace", "--state.path", new))[0] == 0
    assert (await state("verify", "--state.path", new))[1] == "ok: 3 VMs of 3 accounts\n"


async def test_a_broken_or_foreign_export_changes_nothing(tmp_path: Path) -> None:
    path = await ledger_at(tmp_path / "ledger.db", {KEY: known("web-1", "db-1")})
    good = (await state("export", "--state.path", path))[1].splitlines(keepends=True)
    cases = {
        "".join(good[:-1]): "it is not whole: 3 of 4 records are there",
        "".join([*good, good[-1]]): f"line 6: account '{KEY}', listed '0' comes a second time",
        "": "it is no export of a ledger",
        "hello\n": "it is no export of a ledger",
        good[0].replace('"version":1', '"version":2'): (
            "it is of version 2, this program knows 1; use the one that exported it"
        ),
        good[0] + "{\n": "line 2: is no record",
        "".join([*good[:2], good[2].replace('"kind":"vm"', '"kind":"vn"')]): (
            f"line 3: account '{KEY}', vn '0': is of no known kind"
        ),
        "".join([*good[:2], good[2].replace('"renames":0', '"renames":-1')]): (
            f"line 3: account '{KEY}', vm '0': it: counts less than nothing"
        ),
    }
    target, file = tmp_path / "target.db", tmp_path / "broken.jsonl"
    for text, said in cases.items():
        file.write_text(text)
        assert await state("import", file, "--state.path", target) == failed(f"{file}: {said}")
        assert not target.exists()


@asynccontextmanager
async def daemon(path: Path) -> AsyncIterator[Process]:
    """A process that commits all the time."""
    async with process(sys.executable, "-m", "tests.unit.ledger.committing", path) as child:

        async def begun() -> bool:
            return child.output.count(b"\n") > 3

        await eventually(begun)
        yield child


async def test_a_daemon_at_work_is_read_but_never_written_beside(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with daemon(path) as child:
        code, text, _ = await state("export", "--state.path", path)
        assert code == 0
        records = [json.loads(line)["record"] for line in text.splitlines()[1:]]
        assert len({record["renames"] for record in records if "renames" in record}) == 1
        assert (await state("verify", "--state.path", path))[:2] == (0, "ok: 100 VMs of 1 accounts\n")
        exported = tmp_path / "export.jsonl"
        exported.write_text(text)
        code, _, errors = await state("import", exported, "--replace", "--state.path", path)
        assert (code, errors.split(";")[0]) == (
            1,
            f"gigas-exporter: {path}: is held by process {child.running.pid}",
        )
        before = child.output.count(b"\n")

        async def goes_on() -> bool:
            return child.output.count(b"\n") > before

        await eventually(goes_on)
        assert child.log() == ""


async def test_a_reader_who_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    path = await ledger_at(tmp_path / "ledger.db", {KEY: known(*map(str, range(300)))})
    command = f"{Path(sys.executable).with_name('gigas-exporter')} state export --state.path {path} | head -1"
    async with process("bash", "-c", command) as run:
        assert await run.ended(within_s=30) == 0
    assert run.output.count(b"\n") == 1
    assert run.log() == ""
