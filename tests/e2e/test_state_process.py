"""The process and its ledger's file on real disks: full, read-only, corrupt, foreign, newer, shared."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.clock import SystemClock
from tests.exposition import Page
from tests.processes import Process, answers, exporter, finished, free_port, get
from tests.recorded import BUSY, RECEIVED, STAMPS, Sample, Scrapes, Series, Truth
from tests.running import Provider
from tests.running import provider as simulation
from tests.tools import tool
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

STEP_S = 2.0
ACTIVE = "gigas_exporter_active"
FAILURES = "gigas_exporter_ledger_commit_failures_total"
WAITS = {"STATE__WAIT": "true", "WEB__ENABLE_LIFECYCLE": "true"}
CLOCK = SystemClock()

Since = Mapping[Series, Sample]
"""What was shown once, to be compared with what is shown later."""


def provider(**options: Any) -> AbstractAsyncContextManager[Provider]:
    """One that tells all of a bucket when it ends: of what is late or corrected after a test has begun to compare,
    nobody could say on which side it belongs.
    """
    return simulation(**({"step_s": STEP_S, "corrections": False, "lag_s": 0.0} | options))


def variables(simulated: Provider, path: Path, port: int | None = None, **more: str) -> dict[str, str]:
    """The environment of a process that looks often and remembers in that file."""
    usual = {
        "ACCOUNTS__0__ID": "17893",
        "ACCOUNTS__0__NAME": "production",
        "ACCOUNTS__0__API_KEY": "demo-key",
        "API__URL": simulated.url,
        "COLLECT__INVENTORY__INTERVAL": "300ms",
        "COLLECT__CPU__INTERVAL": "300ms",
        "COLLECT__TRAFFIC__INTERVAL": "300ms",
        "STATE__PATH": str(path),
    }
    told = {f"GIGAS_EXPORTER_{name}": value for name, value in (usual | more).items()}
    return told if port is None else told | listening(port)


def listening(port: int) -> dict[str, str]:
    return {"GIGAS_EXPORTER_WEB__LISTEN_ADDRESS": f"127.0.0.1:{port}"}


@dataclass
class Running:
    """A daemon, and what its counters have shown. `scrapes` may be those of the one before it, too."""

    run: Process
    url: str
    scrapes: Scrapes

    async def page(self) -> Page:
        status, text = await get(f"{self.url}/metrics")
        assert status == 200
        page = Page.of(text)
        self.scrapes.record(page)
        return page

    async def counts(self) -> bool:
        """Whether there is something of every VM that has statistics."""
        page = await self.page()
        waiting = [page.one("gigas_exporter_vms", collector=name, outcome="waiting") for name in ("cpu", "traffic")]
        return waiting == [0, 0]

    async def moved_on(self, since: Since, by_s: float = 2 * STEP_S) -> bool:
        await self.page()
        newest = self.scrapes.newest(*STAMPS)
        return all(newest[series].until_at >= sample.until_at + by_s for series, sample in since.items())

    async def shows(self, name: str, value: float) -> Page | None:
        page = await self.page()
        return page if page.value(name) == value else None

    def said(self, phrase: str) -> list[str]:
        return [line for line in self.run.log().splitlines() if f'msg="{phrase}"' in line or f"msg={phrase} " in line]

    async def stop(self) -> None:
        self.run.signal(signal.SIGTERM)
        assert await self.run.ended(within_s=5) == 0
        assert "Traceback" not in self.run.log()


@contextlib.asynccontextmanager
async def running(
    simulated: Provider, path: Path, scrapes: Scrapes | None = None, /, **more: str
) -> AsyncIterator[Running]:
    port = free_port()
    async with exporter("run", **variables(simulated, path, port, **more)) as run:
        await answers(f"http://127.0.0.1:{port}/-/healthy", alive=[run])
        yield Running(run, f"http://127.0.0.1:{port}", scrapes or Scrapes(STEP_S))


async def let_nothing_move(simulated: Provider) -> None:
    for vm_id, vm in (await simulated.vms()).items():
        if vm["status"] == "online":
            await simulated.steer(vm_id, cpu=0, traffic_bytes_per_second=[0, 0])


async def truth_since(simulated: Provider, since: Since) -> Truth:
    since_at = min(sample.until_at for sample in since.values()) - 2 * STEP_S
    return Truth(await simulated.vms(since=str(since_at)), STEP_S)


def no_difference(truth: Truth, scrapes: Scrapes, since: Since) -> bool:
    """Whether all has grown by the truth since those samples."""
    wrong = scrapes.differences(truth, since)
    assert not wrong, f"{len(wrong)} of {len(since)} differ, as {list(wrong.items())[:3]}"
    return len(since) > 20


async def exact(simulated: Provider, daemon: Running, since: Since) -> None:
    """Let nothing move any more; wait until all has grown by the truth since those samples. Nothing has ever fallen."""
    await let_nothing_move(simulated)

    async def true() -> bool:
        await daemon.page()
        return no_difference(await truth_since(simulated, since), daemon.scrapes, since)

    await eventually(true, within_s=30, every_s=0.25)
    assert daemon.scrapes.wrong == []


def mount(folder: Path, *arguments: str | Path) -> None:
    """Where that is not allowed the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount disks")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(("mount", *arguments, folder), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")


def unmount(folder: Path, *flags: str) -> None:
    subprocess.run(("umount", *flags, folder), check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    folder = tmp_path / "disk"
    mount(folder, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    yield folder
    unmount(folder, "--lazy")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk that can break, as a file."""
    made = tmp_path / "image"
    made.write_bytes(bytes(16 * 2**20))
    subprocess.run((tool("mkfs.ext4", "e2fsprogs"), "-q", made), check=True)
    return made


def fill(disk: Path) -> None:
    """Take all the room there is."""
    with (disk / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def remount(disk: Path, how: str) -> None:
    subprocess.run(("mount", "-o", f"remount,{how}", disk), check=True)


async def test_a_disk_that_is_full_for_a_while_costs_nothing(disk: Path) -> None:
    path = disk / "ledger.db"
    async with provider() as simulated:
        async with running(simulated, path) as daemon:
            await eventually(daemon.counts)
            since = daemon.scrapes.newest(*STAMPS)

            async def degraded() -> bool:
                fill(disk)  # SQLite makes room where it gives up its second file.
                page = await daemon.page()
                return page.one("gigas_exporter_ledger_up") == 0 and page.one(FAILURES) >= 5

            await eventually(degraded)
            full = daemon.scrapes.newest(*STAMPS)
            await eventually(lambda: daemon.moved_on(full))
            assert len(daemon.said("ledger not written")) == 1
            (disk / "filler").unlink()
            await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 1))
            assert len(daemon.said("ledger not written")) == len(daemon.said("ledger written again")) == 1
            daemon.run.signal(signal.SIGKILL)
            await daemon.run.ended()
        async with running(simulated, path, daemon.scrapes) as daemon:
            await eventually(daemon.counts)
            await exact(simulated, daemon, since)
            assert await daemon.shows(FAILURES, 0)
            await daemon.stop()


async def test_a_full_disk_stops_no_start_however_often(disk: Path) -> None:
    path = disk / "ledger.db"
    async with provider() as simulated:
        async with running(simulated, path) as daemon:
            await eventually(daemon.counts)
            shown = await daemon.page()
        for _ in range(3):  # The first one leaves files behind that hold nothing.
            fill(disk)
            async with running(simulated, path) as daemon:
                page = await daemon.page()
                assert page.vm_ids() == shown.vm_ids()
                await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 0))
                assert len(daemon.said("ledger not written")) == 1


async def test_a_disk_that_is_read_only_at_the_start_is_waited_for(disk: Path) -> None:
    path = disk / "folder" / "ledger.db"
    remount(disk, "ro")
    async with provider() as simulated:
        async with running(simulated, path) as daemon:
            await eventually(daemon.counts)
            since = daemon.scrapes.newest(*STAMPS)
            await eventually(lambda: daemon.moved_on(since))
            page = await daemon.page()
            assert page.one("gigas_exporter_ledger_up") == 0
            assert page.one(FAILURES) >= 3
            (line,) = daemon.said("ledger not written")
            assert "Read-only file system" in line
            remount(disk, "rw")
            await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 1))
            assert len(daemon.said("ledger written again")) == 1
            await daemon.stop()
        # A ledger is there by now: it is read, though it cannot be written.
        remount(disk, "ro")
        async with running(simulated, path, daemon.scrapes) as daemon:
            await eventually(daemon.counts)
            assert await daemon.shows("gigas_exporter_ledger_up", 0)
            remount(disk, "rw")
            await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 1))
            await exact(simulated, daemon, since)
            assert len(daemon.said("ledger not written")) == len(daemon.said("ledger written again")) == 1
            await daemon.stop()


async def test_that_a_ledger_cannot_be_written_is_said_though_the_provider_tells_nothing(disk: Path) -> None:
    remount(disk, "ro")
    refusing = "[{kind: status, status: 403}]"
    async with provider(faults=refusing) as simulated, running(simulated, disk / "ledger.db") as daemon:
        await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 0), within_s=5)
        assert len(daemon.said("ledger not written")) == 1


@pytest.mark.parametrize(("kind", "vms"), [("standard", 14), ("balancer_failover", 0)])
async def test_what_could_not_be_written_is_written_at_the_end(disk: Path, kind: str, vms: int) -> None:
    path = disk / "ledger.db"
    seldom = {f"COLLECT__{each}__INTERVAL": "15m" for each in ("INVENTORY", "CPU", "TRAFFIC")}
    remount(disk, "ro")
    async with (
        provider(step_s=300.0) as simulated,
        running(simulated, path, ACCOUNTS__0__FILTERS=json.dumps({"type": [kind]}), **seldom) as daemon,
    ):
        await eventually(lambda: daemon.shows("gigas_up", 1))
        await eventually(daemon.counts)
        assert await daemon.shows("gigas_exporter_ledger_up", 0)
        remount(disk, "rw")
        await daemon.stop()
        known = await accounts_in(path)
        assert {account: len(its) for account, its in known.items()} == {"17893/production": vms}


async def test_a_disk_that_becomes_read_only_stops_nothing_and_a_restart_goes_on(tmp_path: Path, image: Path) -> None:
    disk = tmp_path / "disk"
    mount(disk, "-o", "loop", image)
    try:
        async with provider() as simulated:
            async with running(simulated, disk / "ledger.db") as daemon:
                await eventually(daemon.counts)
                # At first silence is not believed. Written so, it would leave the window before the restart looks, and
                # what is owed where a series began is the one thing that is estimated.
                began = daemon.scrapes.newest(*STAMPS)
                await eventually(lambda: daemon.moved_on(began))
                since = daemon.scrapes.newest(*STAMPS)
                remount(disk, "abort")  # As after an error of the disk: read-only for those who write to it, too.
                await eventually(lambda: daemon.shows("gigas_exporter_ledger_up", 0))
                broken = daemon.scrapes.newest(*STAMPS)
                await eventually(lambda: daemon.moved_on(broken))
                assert (await daemon.page()).one(FAILURES) >= 5
                # The disk says two things: that it failed, then that it is read-only.
                assert 1 <= len(daemon.said("ledger not written")) <= 2
                await daemon.stop()
            unmount(disk)
            mount(disk, "-o", "loop", image)
            # What it showed since then was never written, as its line has said.
            async with running(simulated, disk / "ledger.db") as daemon:
                await eventually(daemon.counts)
                await exact(simulated, daemon, since)
                assert await daemon.shows("gigas_exporter_ledger_up", 1)
                await daemon.stop()
    finally:
        unmount(disk, "--lazy")


def foreign(path: Path) -> None:
    path.write_text("a letter to my grandmother\n")


def of_another_program(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


UNUSABLE = [
    (foreign, "is no ledger of gigas-exporter (nor of any program that uses SQLite); set state.path to another file"),
    (of_another_program, "is no ledger of gigas-exporter (but another program's SQLite file); set state.path"),
    (damaged, "is damaged ("),
    (newer, "is of a newer version of gigas-exporter (schema 99, "),
]


@pytest.mark.parametrize(("make", "reason"), UNUSABLE, ids=[make.__name__ for make, _ in UNUSABLE])
async def test_a_file_that_cannot_be_used_is_refused_in_a_line_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "ledger.db"
    async with provider() as simulated:
        told = variables(simulated, path, free_port())
        if make in {damaged, newer}:
            assert (await finished("once", **told))[0] == 0
        make(path)
        before = path.read_bytes()
        for command in ("run", "once"):
            code, output, errors = await finished(command, **told)
            assert (code, output, len(errors.splitlines())) == (1, "", 1), errors
            assert errors.startswith(f"gigas-exporter: {path}: {reason}")
            assert errors.endswith("or set state.start_anew to move it aside and begin at 0\n")
            assert path.read_bytes() == before
            assert names_in(tmp_path) == {"ledger.db", "ledger.db.lock"}
        async with running(simulated, path, STATE__START_ANEW="true") as daemon:
            await eventually(daemon.counts)
            (line,) = daemon.said("unusable ledger moved aside, counting starts anew")
            assert "level=warn " in line
            (aside,) = (name for name in names_in(tmp_path) if name.startswith("ledger.db.unusable-"))
            assert f"moved_to={tmp_path / aside}" in line
            assert (tmp_path / aside).read_bytes() == before
            assert set(daemon.scrapes.first(RECEIVED).values())
            await daemon.stop()


def names_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


async def test_a_standby_that_gets_a_file_that_it_cannot_use_ends_with_the_reason(tmp_path: Path) -> None:
    path, other = tmp_path / "ledger.db", tmp_path / "other"
    foreign(other)
    async with (
        provider() as simulated,
        running(simulated, path) as daemon,
        running(simulated, path, **WAITS) as standby,
    ):
        other.replace(path)
        daemon.run.signal(signal.SIGKILL)
        assert await standby.run.ended(within_s=5) == 1
        assert standby.run.log().splitlines()[-1].startswith(f"gigas-exporter: {path}: is no ledger of gigas-exporter")
        assert "Traceback" not in standby.run.log()
        assert path.read_text() == "a letter to my grandmother\n"


async def test_a_second_process_on_the_file_fails_and_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    link = tmp_path / "link.db"
    link.symlink_to(path)
    async with provider() as simulated, running(simulated, path) as daemon:
        await eventually(daemon.counts)
        since = daemon.scrapes.newest(*STAMPS)
        held = f"is held by process {daemon.run.running.pid}; stop that one, "
        for command, name in (("run", path), ("once", path), ("run", link)):
            told = variables(simulated, name, int(daemon.url.rpartition(":")[2]))
            code, output, errors = await finished(command, **told)
            assert (code, output, len(errors.splitlines())) == (1, "", 1), errors
            assert errors.startswith(f"gigas-exporter: {path}: {held}")
        await eventually(lambda: daemon.moved_on(since))
        assert await daemon.shows(FAILURES, 0)
        await exact(simulated, daemon, since)
        await daemon.stop()


async def test_of_two_standbys_one_takes_over_and_nothing_falls(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with provider() as simulated, running(simulated, path) as first:
        await eventually(first.counts)
        since = first.scrapes.newest(*STAMPS)
        async with (
            running(simulated, path, first.scrapes, **WAITS) as second,
            running(simulated, path, first.scrapes, **WAITS) as third,
        ):
            for standby in (second, third):
                await stands_by(standby)
            await eventually(lambda: first.moved_on(since))
            first.run.signal(signal.SIGKILL)
            await first.run.ended()
            last = first.scrapes.newest(*STAMPS)

            async def taken_over() -> tuple[Running, Running] | None:
                active = [await each.shows(ACTIVE, 1) is not None for each in (second, third)]
                return {(True, False): (second, third), (False, True): (third, second)}.get((active[0], active[1]))

            active, standby = await eventually(taken_over, within_s=5)
            await answers(f"{active.url}/-/ready", within_s=5)
            page = await active.page()
            for (family, vm_id, interface_id), sample in last.items():
                where = {"vm_id": vm_id} | ({"interface_id": interface_id} if interface_id else {})
                assert page.one(family, **where) >= sample.value
            await exact(simulated, active, since)
            assert len(active.said("taking over")) == 1
            assert "standing by" not in (await get(f"{active.url}/"))[1].lower()
            await stands_by(standby)
            started_s = CLOCK.monotonic_s()
            await standby.stop()
            assert CLOCK.monotonic_s() - started_s < 1
            assert len(standby.said("standing by")) == 1
            await active.stop()


async def stands_by(standby: Running) -> None:
    """It says of itself what is true, and a reload works."""
    assert (await get(f"{standby.url}/-/healthy"))[0] == 200
    status, text = await get(f"{standby.url}/-/ready")
    assert (status, text) == (503, "Standing by: another process collects.\n")
    status, text = await get(f"{standby.url}/")
    assert status == 200
    assert "standing by: another process collects" in text
    assert "not listed yet" not in text
    page = await standby.page()
    assert page.one(ACTIVE) == 0
    assert page.vm_ids() == set()
    assert page.names().isdisjoint({"gigas_up", "gigas_vms"})
    reloads = len(standby.said("configuration reloaded"))
    standby.run.signal(signal.SIGHUP)

    async def reloaded() -> bool:
        return len(standby.said("configuration reloaded")) > reloads

    await eventually(reloaded, within_s=3)
    async with aiohttp.ClientSession() as session, session.post(f"{standby.url}/-/reload") as response:
        assert (response.status, await response.text()) == (200, "Reloaded.\n")


async def test_a_process_that_waits_though_nobody_has_the_file_was_never_a_standby(tmp_path: Path) -> None:
    async with provider() as simulated, running(simulated, tmp_path / "ledger.db", **WAITS) as daemon:
        assert await daemon.shows(ACTIVE, 1)
        await eventually(daemon.counts)
        assert daemon.said("standing by") == daemon.said("taking over") == []
        await daemon.stop()


async def test_once_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    path, scrapes = tmp_path / "ledger.db", Scrapes(STEP_S)
    async with provider() as simulated:

        async def once() -> dict[Series, Sample]:
            code, text, errors = await finished("once", **variables(simulated, path))
            assert (code, errors) == (0, "")
            scrapes.record(Page.of(text))
            return scrapes.newest(*STAMPS)

        since = await once()
        assert {sample.value for sample in since.values()} == {0}

        async def later() -> bool:
            newest = await once()
            return all(newest[series].until_at >= sample.until_at + 2 * STEP_S for series, sample in since.items())

        await eventually(later)
        await let_nothing_move(simulated)

        async def true() -> bool:
            await once()
            return no_difference(await truth_since(simulated, since), scrapes, since)

        await eventually(true)
        assert scrapes.wrong == []
        assert sum(scrapes.growth(BUSY).values()) > 0


async def test_a_vm_that_is_gone_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with provider() as simulated, running(simulated, path) as daemon:
        await eventually(daemon.counts)
        first, *others = await simulated.vms()
        assert await remembered(path) == {first, *others}
        await simulated.remove(first)

        async def gone() -> bool:
            return await remembered(path) == set(others)

        await eventually(gone)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            assert connection.execute("SELECT count(*) FROM records WHERE vm_id = ?", (first,)).fetchone() == (0,)


async def remembered(path: Path) -> set[str]:
    return {vm["vm_id"] for vms in (await accounts_in(path)).values() for vm in vms}


async def accounts_in(path: Path) -> Mapping[str, Any]:
    """The VMs of each, as they are shown."""
    code, text, errors = await finished("state", "show", "--json", "--state.path", path)
    assert (code, errors) == (0, "")
    accounts: Mapping[str, Any] = json.loads(text)["accounts"]
    return accounts
