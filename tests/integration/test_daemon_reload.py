"""A reload changes what has changed, and nothing else; a wrong configuration changes nothing at all."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from exporter.app import Daemon
from exporter.clock import SystemClock
from exporter.settings import ConfigurationError, Problem, Settings
from tests.exposition import Page
from tests.processes import free_port
from tests.running import Watched, provider, settings_for
from tests.waiting import eventually

ACCOUNTS = ("17893", "17894", "17895")
BUSY = "gigas_vm_cpu_busy_seconds_total"


@dataclass
class Configured:
    """A daemon at work whose settings a test may change, and what it said."""

    watched: Watched
    port: int
    variables: dict[str, Any]
    mistakes: list[Problem] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)

    def reread(self) -> Settings:
        if self.mistakes:
            raise ConfigurationError(self.mistakes)
        return settings_for(self.variables["API__URL"], port=self.port, **self.variables)

    async def reload(self, changed: Mapping[str, str] | None = None, *, without: Iterable[str] = ()) -> str | None:
        for name in without:
            del self.variables[name]
        self.variables |= changed or {}
        return await self.watched.daemon.reload()

    def said(self, phrase: str) -> list[Any]:
        return [line for line in self.lines if line["event"] == phrase]


def account(index: int, name: str, *, id_: str | None = None, **more: str) -> dict[str, str]:
    usual = {"ID": id_ or ACCOUNTS[index], "NAME": name, "API_KEY": "demo-key"}
    return {f"ACCOUNTS__{index}__{key}": value for key, value in (usual | more).items()}


@asynccontextmanager
async def configured(url: str, **variables: str) -> AsyncIterator[Configured]:
    port, stop = free_port(), asyncio.Event()
    told: dict[str, Any] = {"API__URL": url, **(variables or account(0, "production") | account(1, "test"))}
    settings = settings_for(url, port=port, **told)
    at_work: list[Configured] = []

    def reread() -> Settings:
        return at_work[0].reread()

    daemon = Daemon(settings, reread=reread, clock=SystemClock())
    with capture_logs() as lines:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            watched = Watched(f"http://127.0.0.1:{port}", daemon, session, settings)
            at_work.append(Configured(watched, port, told, lines=lines))
            group.create_task(daemon.run(stop))
            try:
                await eventually(lambda: full(watched, settings))
                yield at_work[0]
            finally:
                stop.set()


async def full(watched: Watched, settings: Settings) -> bool:
    page = await watched.page()
    return all(list(page.each(BUSY, account=each.name)) for each in settings.accounts)


async def shown(watched: Watched) -> set[str]:
    """The accounts that anything on the page speaks of."""
    page = await watched.page()
    return page.told("account")


async def shows(watched: Watched, *accounts: str) -> bool:
    return await shown(watched) == set(accounts)


async def test_an_account_that_stays_keeps_its_state_and_its_connections() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        before, watch = await at_work.watched.page(), at_work.watched.daemon._core.watches["production"]
        session = at_work.watched.daemon._session
        assert await at_work.reload(account(2, "more") | {"COLLECT__STALE_AFTER": "20s"}) is None
        await eventually(lambda: shows(at_work.watched, "production", "test", "more"))
        assert at_work.watched.daemon._core.watches["production"] is watch
        assert at_work.watched.daemon._session is session
        after = await at_work.watched.page()
        for labels, busy in before.each(BUSY):
            assert after.one(BUSY, vm_id=labels["vm_id"]) >= busy
        assert at_work.said("vms gone") == []


async def test_an_account_that_is_removed_disappears_from_the_page_and_the_log() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        await simulated.faults({"kind": "status", "status": 404, "account": "17894"})
        await eventually(lambda: is_down(at_work.watched, "test"))
        assert await at_work.reload(without=account(1, "test")) is None
        await eventually(lambda: shows(at_work.watched, "production"))
        assert 'task="test/' not in await at_work.watched.text()
        at_work.lines.clear()
        asked = await requests_of(simulated.url, at_work)
        await eventually(lambda: asked_more(simulated.url, at_work, asked + 3))
        assert [line for line in at_work.lines if line.get("account") == "test"] == []


async def is_down(watched: Watched, name: str) -> bool:
    return (await watched.page()).value("gigas_up", account=name) == 0


async def requests_of(url: str, at_work: Configured) -> int:
    async with at_work.watched.session.get(f"{url}/simulator/requests") as response:
        return int((await response.json())["endpoints"]["virtual_machines"])


async def asked_more(url: str, at_work: Configured, than: int) -> bool:
    return await requests_of(url, at_work) > than


async def test_an_account_that_changes_is_built_anew_and_its_counters_go_on() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        before, watches = await at_work.watched.page(), dict(at_work.watched.daemon._core.watches)
        await simulated.api_keys("demo-key", "another-key")
        assert await at_work.reload({"ACCOUNTS__1__API_KEY": "another-key"}) is None
        await simulated.api_keys("another-key")
        now = at_work.watched.daemon._core.watches
        assert now["production"] is watches["production"]
        assert now["test"] is not watches["test"]

        async def grown() -> bool:
            page = await at_work.watched.page()
            return all(
                page.one(BUSY, vm_id=labels["vm_id"]) > busy for labels, busy in before.each(BUSY, account="test")
            )

        await eventually(grown)


async def test_a_name_that_stands_for_another_account_shows_nothing_of_the_one_before() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        others = {labels["vm_id"] for labels, _ in (await at_work.watched.page()).each(BUSY, account="test")}
        assert await at_work.reload(account(1, "test", id_="17895")) is None

        async def listed() -> Page | None:
            page = await at_work.watched.page()
            info = {labels["account_id"] for labels, _ in page.each("gigas_account_info", account="test")}
            return page if info == {"17895"} and list(page.each("gigas_vm_info", account="test")) else None

        page = await eventually(listed)
        assert not others & {labels["vm_id"] for labels, _ in page.each("gigas_vm_info", account="test")}


async def test_what_is_only_shown_changes_without_a_new_beginning() -> None:
    more = {"LABELS__team": "web", "API_KEY_EXPIRES": "2027-06-01"}
    async with (
        provider(accounts=ACCOUNTS) as simulated,
        configured(simulated.url, **account(0, "production", **more)) as at_work,
    ):
        watch = at_work.watched.daemon._core.watches["production"]
        expiry = "gigas_account_credential_expiry_timestamp_seconds"
        assert (await at_work.watched.page()).one(expiry, account="production") == 1_811_808_000
        changed = {"ACCOUNTS__0__LABELS__team": "shop"}
        assert await at_work.reload(changed, without=("ACCOUNTS__0__API_KEY_EXPIRES",)) is None

        async def shows_it() -> bool:
            page = await at_work.watched.page()
            labels = [labels["team"] for labels, _ in page.each("gigas_account_info")]
            return labels == ["shop"] and page.value(expiry) is None

        await eventually(shows_it)
        assert at_work.watched.daemon._core.watches["production"] is watch


async def test_another_telemetry_path_is_served_and_the_old_one_is_not() -> None:
    async with provider() as simulated, configured(simulated.url, **account(0, "production")) as at_work:
        assert await at_work.reload({"WEB__TELEMETRY_PATH": "/other"}) is None
        assert await at_work.watched.status("/other") == 200
        assert await at_work.watched.status("/metrics") == 404


async def test_what_applies_at_the_next_start_only_is_said_as_long_as_it_differs() -> None:
    async with provider() as simulated, configured(simulated.url, **account(0, "production")) as at_work:
        phrase, here = "setting applies at the next start only", f"127.0.0.1:{at_work.port}"
        changed = {"WEB__LISTEN_ADDRESS": "127.0.0.1:1", "STATE__PATH": "/var/lib/gigas/ledger"}
        for _ in range(2):
            at_work.lines.clear()
            assert await at_work.reload(changed) is None
            assert [line["setting"] for line in at_work.said(phrase)] == ["web.listen_address", "state.path"]
        at_work.lines.clear()
        assert await at_work.reload({"WEB__LISTEN_ADDRESS": here}, without=("STATE__PATH",)) is None
        assert at_work.said(phrase) == []
        assert await at_work.watched.status("/metrics") == 200


async def test_a_wrong_configuration_changes_nothing_and_says_why() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        watches = dict(at_work.watched.daemon._core.watches)
        at_work.mistakes = [Problem("api.url", "exporter.yml:3", "is not an address")]
        wrong = await at_work.reload(without=account(1, "test"))
        assert wrong == "api.url (exporter.yml:3): is not an address"
        assert at_work.watched.daemon._core.watches == watches
        page = await at_work.watched.page()
        assert page.one("gigas_exporter_config_last_reload_successful") == 0
        assert len(at_work.said("configuration refused")) == 1
        at_work.mistakes = []
        assert await at_work.reload() is None
        assert (await at_work.watched.page()).one("gigas_exporter_config_last_reload_successful") == 1


async def test_an_api_at_another_address_is_asked_over_new_connections() -> None:
    async with (
        provider(accounts=ACCOUNTS) as simulated,
        provider(accounts=ACCOUNTS, seed=2) as other,
        configured(simulated.url) as at_work,
    ):
        session = at_work.watched.daemon._session
        assert await at_work.reload({"API__URL": other.url}) is None
        assert session.closed

        async def asked() -> bool:
            return {"cpu_stats", "bw_stats"} <= set((await other.requests())["endpoints"])

        await eventually(asked)
        assert (await at_work.watched.page()).one("gigas_up", account="production") == 1


async def hanging(url: str, at_work: Configured) -> int:
    """How many requests the provider has got that were not answered when the page was made, shortly before."""
    answered = (await at_work.watched.page()).each("gigas_exporter_api_requests_total")
    async with at_work.watched.session.get(f"{url}/simulator/requests") as response:
        asked = (await response.json())["endpoints"].values()
    return int(sum(asked) - sum(count for _, count in answered))


async def test_a_reload_does_not_wait_for_requests_that_hang() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        await simulated.faults({"kind": "hang", "seconds": 60})

        async def each_collector_hangs() -> bool:
            return await hanging(simulated.url, at_work) >= 4

        await eventually(each_collector_hangs)
        async with asyncio.timeout(2):
            assert await at_work.reload({"API__TIMEOUT": "5s"}, without=account(1, "test")) is None
        await eventually(lambda: shows(at_work.watched, "production"))


async def test_two_reloads_at_once_are_one_after_the_other() -> None:
    async with provider(accounts=ACCOUNTS) as simulated, configured(simulated.url) as at_work:
        at_work.variables |= account(2, "more", API_KEY="demo-key")
        daemon = at_work.watched.daemon
        daemon.request_reload()
        assert set(await asyncio.gather(daemon.reload(), daemon.reload())) == {None}
        await eventually(lambda: shows(at_work.watched, "production", "test", "more"))
        assert sorted(daemon._tasks) == ["more", "production", "test"]
        jobs = {job.id for job in daemon._jobs._scheduler.get_jobs()}
        assert jobs == {f"{name}/{each}" for name in daemon._tasks for each in ("inventory", "cpu", "traffic")}


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_reload_over_http_is_there_where_it_is_enabled_only(*, enabled: bool) -> None:
    told = account(0, "production") | {"WEB__ENABLE_LIFECYCLE": str(enabled).lower()}
    async with provider() as simulated, configured(simulated.url, **told) as at_work:
        at_work.mistakes = [Problem("api.url", "exporter.yml:3", "is not an address")]
        address = f"{at_work.watched.url}/-/reload"
        async with at_work.watched.session.post(address) as response:
            assert response.status == (500 if enabled else 404)
            assert ("api.url (exporter.yml:3)" in await response.text()) == enabled
