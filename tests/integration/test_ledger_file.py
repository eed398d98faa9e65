"""The ledger's file through all that happens to files: kills, full disks, other programs, damage, deletion."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.ledger import (
    AccountRecord,
    Batch,
    LedgerFailed,
    LedgerHeld,
    LedgerRefused,
    ListedVm,
    Remembered,
    SqliteLedger,
)
from exporter.ledger.migrations import STEPS
from exporter.ledger.store import Store
from tests.processes import Process, process
from tests.unit.ledger.committing import numbered
from tests.unit.ledger.filled import filled
from tests.waiting import eventually

ACCOUNT = "production"
LISTED: ListedVm = {"label": "web", "cpus": 2, "created_at": 1.5, "locked": False}
NOW_S = 1_700_000_000.0


@asynccontextmanager
async def opened(path: Path, *, start_anew: bool = False) -> AsyncIterator[SqliteLedger]:
    ledger = await SqliteLedger.open(path, start_anew=start_anew, now_s=NOW_S)
    try:
        yield ledger
    finally:
        await ledger.close()


def state_of(ledger: SqliteLedger) -> tuple[str | None, int]:
    return ledger.problem, ledger.generation


def batch(number: int = 1, vms: int = 3) -> Batch:
    """Everything about an account."""
    return Batch(
        accounts={ACCOUNT: filled(AccountRecord)},
        changed={ACCOUNT: numbered(number, vms)},
        listed={ACCOUNT: {str(vm): LISTED for vm in range(vms)}},
    )


async def numbers(path: Path) -> list[int]:
    """What the records in the file say, as a new process finds them."""
    async with opened(path) as ledger:
        return [record.renames for record in (await ledger.load(ACCOUNT)).vms]


async def written(path: Path, number: int = 1) -> Path:
    async with opened(path) as ledger:
        await ledger.commit(batch(number))
    return path


def as_left_by_a_crash(source: Path, folder: Path) -> Path:
    """The files as they are while a process has them open."""
    for each in source.parent.glob(f"{source.name}*"):
        if not each.name.endswith(".lock"):
            shutil.copy(each, folder / each.name)
    return folder / source.name


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def contents(path: Path) -> dict[str, bytes]:
    """The file and what belongs to it."""
    names = (path.name, f"{path.name}-wal")
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if each.name in names}


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "ledger.db"
    async with opened(path) as ledger:
        assert (ledger.problem, ledger.generation, ledger.moved_aside) == (None, 0, None)
        assert await ledger.load(ACCOUNT) == Remembered()
        await ledger.commit(batch())
        await ledger.commit(Batch(gone={ACCOUNT: ["1"], "other": ["9"]}))
        await ledger.commit(Batch(listed={ACCOUNT: {"0": {"label": "db"}}}))
        assert ledger.size_bytes == sum(map(len, contents(path).values()))
    first, _, third = numbered(1, 3)
    async with opened(path) as ledger:
        known = await ledger.load(ACCOUNT)
        assert known == await ledger.load(ACCOUNT)
        assert await ledger.load("other") == Remembered()
    listed = {"0": {"label": "db"}, "2": LISTED}
    assert known == Remembered(account=filled(AccountRecord), vms=(first, third), listed=listed)


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db")
    async with opened(path):
        found = {each.name: each.stat().st_mode & 0o777 for each in files_in(tmp_path)}
    assert found == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"), 0o600)


async def test_each_commit_is_on_the_disk_before_it_is_said_to_be_done(tmp_path: Path) -> None:
    """No test can cut the power: what SQLite promises is looked up."""
    async with opened(tmp_path / "ledger.db") as ledger:
        connection = ledger._store._connection
        assert connection is not None
        told = [
            await ledger._run(lambda name=name: connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("synchronous", "journal_mode", "busy_timeout")
        ]
    assert told == [2, "wal", 5_000]


async def test_a_batch_that_cannot_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db", 1)
    broken: Any = object()
    async with opened(path) as ledger:
        with pytest.raises(TypeError):
            await ledger.commit(Batch(changed={ACCOUNT: numbered(2, 2)}, listed={ACCOUNT: {"0": {"label": broken}}}))
        await ledger.commit(Batch(changed={"other": numbered(7, 1)}))
    assert await numbers(path) == [1, 1, 1]


@contextlib.asynccontextmanager
async def committing(path: Path) -> AsyncIterator[Process]:
    async with process(sys.executable, "-m", "tests.unit.ledger.committing", path) as child:
        yield child


def lines(child: Process) -> list[str]:
    """The numbers of the commits that were done, without a line that is half written."""
    return child.output.decode().split("\n")[:-1]


async def test_a_kill_takes_back_nothing_that_was_committed_and_leaves_no_half_batch(tmp_path: Path) -> None:
    path, chance = tmp_path / "ledger.db", random.Random(4)  # noqa: S311 - moments
    for _ in range(6):
        async with committing(path) as child:
            enough = chance.randint(1, 12)

            async def so_many(child: Process = child, enough: int = enough) -> bool:
                return len(lines(child)) >= enough

            await eventually(so_many, every_s=0.001)
            await SystemClock().sleep(chance.uniform(0, 0.03))
            child.signal(9)
            await child.ended()
            told = lines(child)
        (number,) = set(await numbers(path))
        assert int(told[-1]) <= number <= int(told[-1]) + 1


async def test_a_file_has_one_process_which_is_named_to_others_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    (tmp_path / "link.db").symlink_to(path)
    async with committing(path) as child:

        async def begun() -> bool:
            return bool(lines(child))

        await eventually(begun)
        for name in ("ledger.db", "link.db"):
            with pytest.raises(LedgerHeld, match=f"is held by process {child.running.pid};") as held:
                await SqliteLedger.open(tmp_path / name, start_anew=True, now_s=NOW_S)
            assert held.value.pid == child.running.pid
        child.signal(9)
        await child.ended()
    async with opened(path) as ledger:
        assert ledger.moved_aside is None
        assert len((await ledger.load(ACCOUNT)).vms) == 100


def sql(path: Path, *statements: str) -> None:
    """Another program's work; what it wrote stays in the -wal, as after a crash."""
    folder = path.parent / "at work"
    folder.mkdir()
    moved = folder / path.name
    if path.exists():
        path.rename(moved)
    with contextlib.closing(sqlite3.connect(moved, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)
        as_left_by_a_crash(moved, path.parent)


def overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (
        lambda path: path.write_text("hello"),
        "is no ledger of gigas-exporter (nor of any program that uses SQLite)",
    ),
    "another program's": (
        lambda path: sql(path, "PRAGMA application_id = 7", "PRAGMA wal_checkpoint"),
        "is no ledger of gigas-exporter (but another program's SQLite file)",
    ),
    "newer": (
        lambda path: sql(path, "PRAGMA user_version = 9", "PRAGMA wal_checkpoint"),
        "is of a newer version of gigas-exporter (schema 9, this one knows 1)",
    ),
    "newer, in the -wal": (
        lambda path: sql(path, "PRAGMA user_version = 9"),
        "is of a newer version of gigas-exporter (schema 9, this one knows 1)",
    ),
    "without a version": (lambda path: sql(path, "PRAGMA user_version = 0"), "is damaged (it has no version)"),
    "almost empty": (lambda path: os.truncate(path, 40), "is damaged (it is cut off)"),
    "cut off": (lambda path: os.truncate(path, path.stat().st_size - 4_096), "is damaged ("),
    "a page of zeros": (lambda path: overwrite(path, 4_096, bytes(4_096)), "is damaged ("),
    "a table less": (lambda path: sql(path, "DROP TABLE records"), "is damaged (no such table: records)"),
    "a digit changed": (
        lambda path: sql(path, "UPDATE records SET record = replace(record, '3', '4') WHERE vm_id = '1'"),
        "is damaged (account 'production', vm '1': is not what was written)",
    ),
    "a record of another kind": (
        lambda path: sql(path, "UPDATE records SET kind = 'vn' WHERE kind = 'vm'"),
        "is damaged (account 'production', vn '0': is not what was written)",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_file_that_cannot_be_used_is_refused_with_a_line_and_left_as_it_is(tmp_path: Path, case: str) -> None:
    make, said = UNUSABLE[case]
    path = await written(tmp_path / "ledger.db")
    make(path)
    before = contents(path)
    for _ in range(2):
        with pytest.raises(LedgerRefused) as refused:
            await SqliteLedger.open(path, start_anew=False, now_s=NOW_S)
        (line,) = str(refused.value).splitlines()
        assert line.startswith(f"{path}: {said}")
        assert "; " in line.removeprefix(f"{path}: {said}")
        assert contents(path) == before


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_file_that_cannot_be_used_is_moved_aside_where_that_is_wished(tmp_path: Path, case: str) -> None:
    path = await written(tmp_path / "ledger.db")
    UNUSABLE[case][0](path)
    before = contents(path)
    async with opened(path, start_anew=True) as ledger:
        assert ledger.moved_aside == tmp_path / "ledger.db.unusable-1700000000"
        assert contents(ledger.moved_aside) == {
            name.replace("ledger.db", ledger.moved_aside.name): content for name, content in before.items()
        }
        assert await ledger.load(ACCOUNT) == Remembered()
        await ledger.commit(batch(2))
    async with opened(path, start_anew=True) as ledger:
        assert ledger.moved_aside is None
    assert await numbers(path) == [2, 2, 2]


async def test_no_file_that_was_moved_aside_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for text in ("first", "second", "third"):
        path.write_text(text)
        async with opened(path, start_anew=True):
            pass
        path.unlink()
    kept = sorted(each.read_text() for each in files_in(tmp_path) if ".unusable-" in each.name)
    assert kept == ["first", "second", "third"]


async def test_a_bit_that_fell_over_is_refused_or_does_no_harm(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db")
    whole, chance = path.read_bytes(), random.Random(1)  # noqa: S311 - the same bits each time
    async with opened(path) as ledger:
        known = await ledger.load(ACCOUNT)
    refused = 0
    for _ in range(300):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            async with opened(path) as ledger:
                assert await ledger.load(ACCOUNT) == known
        except LedgerRefused:
            assert path.read_bytes() == flipped
            refused += 1
    assert refused > 100


async def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    await written(path)
    assert await numbers(path) == [1, 1, 1]


async def test_what_a_deleted_file_has_left_beside_it_is_no_part_of_the_next(tmp_path: Path) -> None:
    (tmp_path / "at work").mkdir()
    path = tmp_path / "ledger.db"
    async with opened(tmp_path / "at work" / "ledger.db") as ledger:
        await ledger.commit(batch())
        as_left_by_a_crash(tmp_path / "at work" / "ledger.db", tmp_path)
    path.unlink()
    assert await numbers(path) == []


async def test_both_marks_are_in_the_file_from_the_beginning(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger.db"):
        header = (tmp_path / "ledger.db").read_bytes()[:100]
        assert (header[60:64], header[68:72]) == (b"\0\0\0\x01", b"Giga")


def tells_the_number_twice(connection: sqlite3.Connection) -> None:
    """A made-up second version."""
    connection.execute("ALTER TABLE opening ADD COLUMN twice REAL")
    connection.execute("UPDATE opening SET twice = 2 * opened_s")


async def test_an_older_file_is_brought_up_to_date_and_then_too_new_for_the_older_program(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db")
    store = Store(path, steps=(*STEPS, tells_the_number_twice))
    store.open(start_anew=False, now_s=1.0)
    assert store.problem is None
    assert [record.renames for record in store.load(ACCOUNT).vms] == [1, 1, 1]
    header = path.read_bytes()[:100]
    assert header[60:64] == b"\0\0\0\x02"
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT twice FROM opening").fetchone() == (2 * NOW_S,)
    with pytest.raises(LedgerRefused, match=r"newer version of gigas-exporter \(schema 2, this one knows 1\)"):
        await SqliteLedger.open(path, start_anew=False, now_s=NOW_S)


async def test_an_older_file_with_a_row_that_cannot_be_read_is_refused_before_it_is_changed(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db")
    sql(path, "UPDATE records SET seal = 0", "PRAGMA wal_checkpoint")
    before = path.read_bytes()
    with pytest.raises(LedgerRefused, match="is not what was written"):
        Store(path, steps=(*STEPS, tells_the_number_twice)).open(start_anew=False, now_s=1.0)
    assert path.read_bytes() == before


async def test_a_folder_and_what_is_no_regular_file_are_refused_and_never_moved(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(LedgerRefused, match="cannot be read: it is no regular file;"):
            await SqliteLedger.open(tmp_path / name, start_anew=True, now_s=NOW_S)
        assert (tmp_path / name).exists()


async def test_a_reader_sees_one_state_and_keeps_nobody_from_committing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.commit(batch(1))
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            (before,) = reader.execute("SELECT sum(seal) FROM records").fetchone()
            for number in range(2, 50):
                await ledger.commit(batch(number))
            assert reader.execute("SELECT sum(seal) FROM records").fetchone() == (before,)
        assert ledger.problem is None
    assert await numbers(path) == [49, 49, 49]


async def test_a_file_that_is_removed_is_said_once_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.commit(batch(1))
        for each in files_in(tmp_path):
            each.unlink()
        with pytest.raises(LedgerFailed, match=f"{path}: cannot be written: the file was removed or replaced"):
            await ledger.commit(batch(2))
        assert (ledger.generation, ledger.problem is None) == (1, False)
        await ledger.commit(batch(2))
        assert (ledger.generation, ledger.problem) == (1, None)
        with pytest.raises(LedgerHeld):
            await SqliteLedger.open(path, start_anew=False, now_s=NOW_S)
        os.truncate(path, 0)
        with pytest.raises(LedgerFailed):
            await ledger.commit(batch(3))
        await ledger.commit(batch(3))
        assert ledger.generation == 2
    assert await numbers(path) == [3, 3, 3]


async def test_a_file_that_is_put_in_its_place_is_not_written_to_unless_it_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.commit(batch(1))
        (tmp_path / "other").write_text("somebody's work")
        (tmp_path / "other").replace(path)
        for said in ("was removed or replaced", "is no ledger of gigas-exporter", "is no ledger of gigas-exporter"):
            with pytest.raises(LedgerFailed, match=said):
                await ledger.commit(batch(2))
            assert path.read_text() == "somebody's work"
        path.unlink()
        await ledger.commit(batch(2))
        assert (ledger.generation, ledger.problem) == (1, None)
    assert await numbers(path) == [2, 2, 2]


async def test_damage_that_is_found_at_work_is_a_failure_until_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await written(path)
    async with opened(path) as ledger:
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA writable_schema = ON")
            other.execute("DELETE FROM sqlite_master WHERE name = 'records'")
            other.execute("PRAGMA schema_version = 99")
            other.commit()
        for said in ("malformed", "is damaged", "is damaged"):
            with pytest.raises(LedgerFailed, match=said):
                await ledger.commit(batch(2))
        path.unlink()
        await ledger.commit(batch(2))
        assert ledger.generation == 1
    assert await numbers(path) == [2, 2, 2]


async def test_what_nobody_uses_is_dropped_but_nothing_that_this_process_has_opened(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        for account in ("kept", "loaded", "forgotten"):
            await ledger.commit(Batch(changed={account: numbered(1, 2)}))
    later_s = SystemClock().wall_s() + 10
    async with opened(path) as ledger:
        assert await ledger.prune(before_s=later_s - 86_400) == ()
        await ledger.load("loaded")
        await ledger.commit(Batch(listed={"kept": {"0": LISTED}}))
        assert await ledger.prune(before_s=later_s) == ("forgotten",)
        assert await ledger.prune(before_s=later_s) == ()
        assert await ledger.accounts() == ["kept", "loaded"]
        assert await ledger.load("forgotten") == Remembered()
        assert len((await ledger.load("loaded")).vms) == 2


async def test_accounts_are_replaced_whole(tmp_path: Path) -> None:
    path = await written(tmp_path / "ledger.db")
    known = Remembered(vms=tuple(numbered(5, 1)), listed={"9": LISTED})
    async with opened(path) as ledger:
        await ledger.commit(Batch(changed={"other": numbered(1, 1)}))
        await ledger.replace({ACCOUNT: known})
        assert await ledger.load(ACCOUNT) == known
        assert len((await ledger.load("other")).vms) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4_096)):
            pass
    return ballast


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


async def test_a_full_disk_takes_back_nothing_and_what_comes_later_is_written(small_disk: Path) -> None:
    path = small_disk / "ledger.db"
    async with opened(path) as ledger:
        await ledger.commit(batch(1))
        ballast = fill(small_disk)
        for number in range(2, 5):
            with pytest.raises(LedgerFailed, match=f"^{path}: cannot be written: .*(full|No space)"):
                await ledger.commit(batch(number, vms=300))
            assert ledger.problem is not None
        assert [record.renames for record in (await ledger.load(ACCOUNT)).vms] == [1, 1, 1]
        ballast.unlink()
        await ledger.commit(batch(5))
        assert state_of(ledger) == (None, 0)
    assert await numbers(path) == [5, 5, 5]


async def test_a_disk_that_is_full_at_the_start_keeps_nobody_from_counting(small_disk: Path) -> None:
    path, ballast = small_disk / "folder" / "ledger.db", fill(small_disk)
    async with opened(path) as ledger:
        assert ledger.problem is not None
        assert ledger.problem.startswith(f"{path}: cannot be written: ")
        assert ledger.size_bytes == 0
        assert await ledger.load(ACCOUNT) == Remembered()
        with pytest.raises(LedgerFailed):
            await ledger.commit(batch(1))
        ballast.unlink()
        await ledger.commit(batch(1))
        assert state_of(ledger) == (None, 0)
    assert await numbers(path) == [1, 1, 1]


@pytest.mark.parametrize("state", ["closed", "crashed"])
async def test_a_disk_that_is_read_only_can_be_read_and_is_written_to_once_it_may_be(
    small_disk: Path, tmp_path: Path, state: str
) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.commit(batch(1))
        if state != "closed":
            as_left_by_a_crash(path, small_disk)
    if state == "closed":
        as_left_by_a_crash(path, small_disk)
    path = small_disk / path.name
    remount(small_disk, "ro")
    async with opened(path, start_anew=True) as ledger:
        assert ledger.problem == f"{path}: cannot be written: Read-only file system"
        for _ in range(2):
            assert [record.renames for record in (await ledger.load(ACCOUNT)).vms] == [1, 1, 1]
            with pytest.raises(LedgerFailed, match="cannot be written: Read-only file system"):
                await ledger.commit(batch(2))
        remount(small_disk, "rw")
        await ledger.commit(batch(2))
        assert state_of(ledger) == (None, 0)
        with pytest.raises(LedgerHeld):
            await SqliteLedger.open(path, start_anew=False, now_s=NOW_S)
    assert await numbers(path) == [2, 2, 2]


async def test_a_file_that_sqlite_cannot_read_on_a_read_only_disk_is_refused_and_not_begun_anew(
    small_disk: Path, tmp_path: Path
) -> None:
    """The last commits are in the -wal; without the -shm, which cannot be made, nothing of it can be read."""
    async with opened(tmp_path / "ledger.db") as ledger:
        await ledger.commit(batch(1))
        path = as_left_by_a_crash(tmp_path / "ledger.db", small_disk)
    path.with_name("ledger.db-shm").unlink()
    remount(small_disk, "ro")
    with pytest.raises(LedgerRefused, match=r"cannot be read: .* nothing can be made beside it;"):
        await SqliteLedger.open(path, start_anew=True, now_s=NOW_S)
    remount(small_disk, "rw")
    assert await numbers(path) == [1, 1, 1]


async def test_a_read_only_disk_without_a_ledger_keeps_nobody_from_counting(small_disk: Path) -> None:
    remount(small_disk, "ro")
    async with opened(small_disk / "folder" / "ledger.db") as ledger:
        assert ledger.problem == f"{small_disk}/folder/ledger.db: cannot be written: Read-only file system"
        assert await ledger.load(ACCOUNT) == Remembered()
        remount(small_disk, "rw")
        await ledger.commit(batch(1))
    assert await numbers(small_disk / "folder" / "ledger.db") == [1, 1, 1]


async def test_a_file_that_may_not_be_read_is_refused_and_one_that_may_not_be_written_is_not(tmp_path: Path) -> None:
    """By a process of another user than root, who may do everything."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    path = await written(tmp_path / "ledger.db")
    path.chmod(0o000)
    assert await as_nobody(path) == f"LedgerUnreadable {path}: cannot be read: Permission denied"
    path.chmod(0o444)
    assert await as_nobody(path) == f"3 {path}: cannot be written: Permission denied"


AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from exporter.ledger import LedgerRefused, SqliteLedger
async def main(path):
    try:
        ledger = await SqliteLedger.open(path, start_anew=True, now_s=1.0)
    except LedgerRefused as error:
        return type(error).__name__, str(error).split(";")[0]
    known = await ledger.load("production")
    await ledger.close()
    return len(known.vms), ledger.problem
path = Path(sys.argv[1])
os.setuid(65534)
print(*asyncio.run(main(path)))
"""


async def as_nobody(path: Path) -> str:
    for folder in (path.parent, *path.parent.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    async with process(sys.executable, "-c", AS_NOBODY, path) as child:
        assert await child.ended() == 0, child.log()
    return child.output.decode().strip()
