"""A daemon that is started again, or reloaded, goes on where it was, whatever the provider does meanwhile."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from exporter.ledger import look
from tests.exposition import Page
from tests.recorded import LOCKED, LOCKS, RECEIVED, SENT, STAMPS, Sample, Scrapes, Series, Truth
from tests.running import Provider, Watched, daemon
from tests.running import provider as simulation
from tests.waiting import eventually

STEP_S = 2.0
SINCE = ("gigas_vm_locked_since_timestamp_seconds", "gigas_vm_suspended_since_timestamp_seconds")
RATES = (
    "gigas_vm_cpu_usage_ratio",
    "gigas_vm_network_receive_bytes_per_second",
    "gigas_vm_network_transmit_bytes_per_second",
)


def provider(**options: Any) -> AbstractAsyncContextManager[Provider]:
    """One that tells all of a bucket when it ends: of what is late or corrected after a test has begun to compare,
    nobody could say on which side it belongs.
    """
    return simulation(**({"step_s": STEP_S, "corrections": False, "lag_s": 0.0} | options))


@dataclass
class Life:
    """A daemon at work; `scrapes` are those of the lives before it, too."""

    watched: Watched
    scrapes: Scrapes

    async def page(self) -> Page:
        page = await self.watched.page()
        self.scrapes.record(page)
        return page

    async def counts(self) -> Page | None:
        """A page with something of every VM that has statistics."""
        page = await self.page()
        waiting = [value for _, value in page.each("gigas_exporter_vms", outcome="waiting")]
        return page if waiting and not any(waiting) else None

    async def moved_on(self, since: Mapping[Series, Sample]) -> bool:
        await self.page()
        newest = self.scrapes.newest(*STAMPS)
        return all(newest[series].until_at >= sample.until_at + 2 * STEP_S for series, sample in since.items())

    async def shows(self, value: float, name: str, **where: str) -> Page | None:
        page = await self.page()
        return page if page.value(name, **where) == value else None

    async def exact(self, simulated: Provider, since: Mapping[Series, Sample]) -> None:
        """Let nothing move any more; wait until all has grown by the truth since then. Nothing has ever fallen."""
        since_at = min(sample.until_at for sample in since.values()) - 2 * STEP_S
        for vm_id, vm in (await vms(simulated, since_at)).items():
            if vm["status"] == "online":
                await simulated.steer(vm_id, cpu=0, traffic_bytes_per_second=[0, 0])

        async def true() -> bool:
            await self.page()
            wrong = self.scrapes.differences(Truth(await vms(simulated, since_at), STEP_S), since)
            assert not wrong, f"{len(wrong)} of {len(since)} differ, as {list(wrong.items())[:3]}"
            return True

        await eventually(true, within_s=30, every_s=0.25)
        assert self.scrapes.wrong == []
        assert sum(self.scrapes.growth(RECEIVED, SENT).values()) > 0


async def vms(simulated: Provider, since_at: float) -> dict[str, Any]:
    """Of all accounts."""
    truth = await simulated.truth(since=str(since_at))
    return {vm_id: vm for account in truth["accounts"].values() for vm_id, vm in account["vms"].items()}


@asynccontextmanager
async def life(simulated: Provider, path: Path, scrapes: Scrapes | None = None, /, **more: Any) -> AsyncIterator[Life]:
    async with daemon(simulated.url, STATE__PATH=str(path), **more) as watched:

        async def answers() -> bool:
            try:
                return await watched.status("/-/healthy") == 200
            except aiohttp.ClientError:
                return False

        await eventually(answers)
        yield Life(watched, scrapes or Scrapes(STEP_S))


def by_vm(page: Page, *names: str) -> dict[tuple[str, str], float]:
    return {(name, labels["vm_id"]): value for name in names for labels, value in page.each(name)}


async def test_a_daemon_that_is_started_again_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with provider() as simulated:
        locked, renamed, suspended, *_ = [each for each, vm in (await simulated.vms()).items() if not vm["locked"]]
        async with life(simulated, path) as first:
            page = await eventually(first.counts)
            since = first.scrapes.newest(*STAMPS)
            await simulated.steer(locked, locked=True)
            await simulated.steer(suspended, suspended=True)
            await simulated.steer(renamed, label="renamed")
            await eventually(lambda: first.shows(1, LOCKS, vm_id=locked))
            await eventually(lambda: first.shows(1, "gigas_vm_renames_total", vm_id=renamed, vm="renamed"))
            await eventually(lambda: first.shows(1, "gigas_vm_suspended", vm_id=suspended))
            await eventually(lambda: first.moved_on(since))
            page = await first.page()
            before, spells = first.scrapes.newest(*STAMPS, LOCKS, LOCKED), by_vm(page, *SINCE)
            assert before[Series(LOCKED, locked)].value > 0
        assert before.keys() >= since.keys()
        async with life(simulated, path, first.scrapes) as second:
            page = await eventually(second.counts)
            assert by_vm(page, *SINCE).items() >= spells.items()
            assert page.one(LOCKS, vm_id=locked) == 1
            assert page.one("gigas_vm_renames_total", vm_id=renamed, vm="renamed") == 1
            now = second.scrapes.newest(*STAMPS, LOCKS, LOCKED)
            assert all(now[series].value >= sample.value for series, sample in before.items())
            lock_s = now[Series(LOCKED, locked)].value
            await simulated.steer(locked, locked=False)
            page = await eventually(lambda: second.shows(0, "gigas_vm_locked", vm_id=locked))
            assert page.one(LOCKED, vm_id=locked) >= lock_s
            assert page.value(SINCE[0], vm_id=locked) is None
            await second.exact(simulated, since)


async def test_what_is_remembered_is_shown_while_the_provider_fails_and_goes_on_when_it_does_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    async with provider() as simulated:
        async with life(simulated, path) as first:
            await eventually(first.counts)
            since = first.scrapes.newest(*STAMPS)
            await eventually(lambda: first.moved_on(since))
        before, last = first.scrapes.newest(*STAMPS, LOCKS), await listed(simulated)
        await simulated.faults({"kind": "hang", "seconds": 60})
        told = {"COLLECT__STALE_AFTER": "2s", "API__TIMEOUT": "1s"}
        async with life(simulated, path, first.scrapes, **told) as second:

            async def restored() -> bool:
                return (await second.page()).vm_ids() == last

            await eventually(restored)
            assert (await second.page()).value("gigas_up", account="production") is None
            assert await second.watched.status("/-/ready") == 503
            await simulated.faults({"kind": "status", "status": 403})

            async def ready() -> bool:
                return await second.watched.status("/-/ready") == 200

            await eventually(ready)
            page = await second.page()
            assert page.one("gigas_up", account="production") == 0
            assert {labels["vm_id"] for labels, _ in page.each("gigas_vm_info")} == last
            assert sum(count for _, count in page.each("gigas_vms")) == len(last)

            async def withdrawn() -> bool:
                return (await second.page()).names().isdisjoint(RATES)

            await eventually(withdrawn)
            # Whatever the last page of the first one was, all that was written is there, and stands still.
            stands = second.scrapes.newest(*STAMPS, LOCKS)
            assert stands.keys() == before.keys()
            assert all(stands[series].value >= sample.value for series, sample in before.items())
            await simulated.faults()
            await eventually(lambda: second.shows(1, "gigas_up", account="production"))
            back = second.scrapes.newest(*STAMPS)
            await eventually(lambda: second.moved_on(back))
            await second.exact(simulated, since)


async def test_an_account_that_is_removed_by_a_reload_goes_on_when_it_comes_back(tmp_path: Path) -> None:
    both = accounts("production", "test")
    async with provider(accounts=tuple(both)) as simulated:
        file = configured(tmp_path, both)
        async with life(simulated, tmp_path / "ledger.db", file=file) as at_work:
            await eventually(at_work.counts)
            since = at_work.scrapes.newest(*STAMPS)
            configured(tmp_path, accounts("production"))
            assert await at_work.watched.daemon.reload() is None
            await eventually(lambda: watches(at_work, "production"))
            configured(tmp_path, both)
            assert await at_work.watched.daemon.reload() is None
            await eventually(lambda: at_work.moved_on(since))
            await at_work.exact(simulated, since)


async def watches(at_work: Life, *names: str) -> bool:
    return {labels["account"] for labels, _ in (await at_work.page()).each("gigas_vm_info")} == set(names)


def accounts(*names: str) -> dict[str, str]:
    """Names by id."""
    return {str(17893 + number): name for number, name in enumerate(names)}


def configured(folder: Path, watched: Mapping[str, str], **more: Any) -> Path:
    file = folder / "exporter.yml"
    listed = [{"id": each, "name": name, "api_key": "demo-key"} for each, name in watched.items()]
    file.write_text(json.dumps({"accounts": listed} | more))
    return file


async def test_an_account_goes_on_though_nobody_has_watched_it_for_longer_than_strangers_are_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    both = accounts("production", "test")
    async with provider(accounts=tuple(both)) as simulated:
        async with life(simulated, path, file=configured(tmp_path, both)) as first:
            await eventually(first.counts)
            since = first.scrapes.newest(*STAMPS)
            await eventually(lambda: first.moved_on(since))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE used SET used_s = used_s - 100 * 86400")
        production = await listed(simulated)
        since = {series: sample for series, sample in since.items() if series.vm_id in production}
        async with life(simulated, path, first.scrapes, file=configured(tmp_path, accounts("production"))) as second:
            await eventually(lambda: second.moved_on(since))
            await second.exact(simulated, since)
        assert look(path).accounts.keys() == {"17893/production"}


async def test_a_reload_that_adds_an_account_of_which_nothing_can_be_read_changes_nothing(tmp_path: Path) -> None:
    path, both = tmp_path / "ledger.db", accounts("production", "test")
    async with provider(accounts=tuple(both)) as simulated:
        async with life(simulated, path, file=configured(tmp_path, both)) as first:
            await eventually(first.counts)
            since = first.scrapes.newest(*STAMPS)
        async with life(simulated, path, first.scrapes, file=configured(tmp_path, accounts("production"))) as second:
            await eventually(second.counts)
            reload, looked_at_by = second.watched.daemon.reload, dict(second.watched.daemon._core.watches)
            change_text(path, "17894/test", "{", "[")
            # It would also have to be asked in another way than before.
            configured(tmp_path, both, api={"timeout": "7s"})
            wrong = await reload()
            assert wrong is not None
            assert wrong.startswith(f"{path}: cannot be read: ")
            assert (await second.page()).one("gigas_exporter_config_last_reload_successful") == 0
            assert second.watched.daemon._core.watches == looked_at_by
            assert await watches(second, "production")
            change_text(path, "17894/test", "[", "{")
            assert await reload() is None
            await eventually(lambda: second.moved_on(since))
            await second.exact(simulated, since)


def change_text(path: Path, account: str, old: str, new: str) -> None:
    """Let the account's own record begin with something else."""
    with closing(sqlite3.connect(path)) as connection, connection:
        changed = connection.execute(
            "UPDATE records SET record = ? || substr(record, 2) WHERE (account, kind) = (?, 'account')"
            " AND substr(record, 1, 1) = ?",
            (new, account, old),
        )
        assert changed.rowcount == 1


async def listed(simulated: Provider) -> set[str]:
    return set(await simulated.vms())
