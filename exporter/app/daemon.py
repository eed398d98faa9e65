"""The daemon: what runs, in which order it starts, how it is told anew, and how it ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from exporter import __version__
from exporter.app.core import Core
from exporter.app.ledgers import forget_unwatched, ledger_of
from exporter.app.memory import collect_garbage, give_back_what_is_free
from exporter.app.watch import made_of, session_of
from exporter.clock import Clock, Stint
from exporter.ledger import Ledger, LedgerFailed, LedgerHeld
from exporter.schedule import Jobs, supervise
from exporter.settings import AccountSettings, ConfigurationError, Settings, parse_listen_address
from exporter.web import Server

__all__ = ["Daemon"]

_GRACE_S = 2.0
"""For how long requests in flight may go on when the daemon stops; it must be gone within 5 s (contract)."""
_LAST_WRITES_S = 1.0
_EXPIRE_EVERY_S = 1.0
_EXPIRE_PER_COST = 1_000
_EXPIRE_WITHIN_S = 5.0
"""Where to look for what has become stale takes more than a millisecond, that is done so seldom that it takes a
thousandth of a core: with 10 000 VMs every two seconds or three. But whatever it took, nothing waits for longer.
"""
_AGES_EVERY_S = 20.0
"""To tell the age of a VM takes some 4 µs: of 1 000 and both collectors half a thousandth of a core."""
_TRIED_EVERY_S = 1.0
"""How often a standby asks for the ledger: it must take over within seconds (contract)."""
_TIDIED_EVERY_S = 86_400.0
_GIVEN_BACK_EVERY_S = 60.0
_BACKGROUND = ("intake", "page", "clock", "expiry", "ages", "garbage", "memory", "reload")


class Daemon:
    """Everything that `run` runs. `reread` gives the settings anew; it may raise ConfigurationError. `on_listening` is
    told the URLs that answer.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        reread: Callable[[], Settings],
        clock: Clock,
        on_listening: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._settings = self._started_with = settings
        self._reread = reread
        self._clock = clock
        self._on_listening = on_listening
        self._core = Core(clock=clock)
        self._jobs = Jobs(clock=clock)
        self._server = Server(page=self._core.page, fleet=self._core.fleet, clock=clock, version=__version__)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._reloading = asyncio.Lock()
        self._reload_wanted = asyncio.Event()
        self._stopping = self._counts = False

    async def run(self, stop: asyncio.Event) -> None:
        """Serve and collect until `stop`. Raises LedgerHeld (not while waiting as a standby is wanted), LedgerRefused
        and ListenFailed before the first request to the provider.
        """
        observer = self._core.observer
        self._core.know_accounts(self._settings)
        observer.tasks_owned(_BACKGROUND)
        observer.configured(at_start=True)
        self._serve()
        async with contextlib.AsyncExitStack() as stack:
            # First: a second process must fail with the reason, not with the port that the first one listens on; and
            # the first page must have every counter, or it would look as if VMs had gone.
            ledger = await self._open(stack)
            if ledger is not None:
                await self._remember(ledger)
            await self._listen(stack)
            if ledger is None:
                ledger = await self._stand_by(stack, stop)
                if ledger is not None:
                    await self._remember(ledger)
            if ledger is not None:
                await self._collect(stop)
        observer.stopped()

    async def _open(self, stack: contextlib.AsyncExitStack) -> Ledger | None:
        """The ledger; None while another process holds it and that is to be waited for."""
        observer = self._core.observer
        try:
            opening = ledger_of(self._started_with, clock=self._clock, observer=observer)
            ledger = await stack.enter_async_context(opening)
        except LedgerHeld as held:
            if not self._started_with.state.wait:
                raise
            self._server.standing_by = True
            holder = "another process" if held.pid is None else f"process {held.pid}"
            observer.standing_by(f"{held.path} is held by {holder}")
            return None
        self._server.standing_by = False
        observer.active()
        return ledger

    async def _stand_by(self, stack: contextlib.AsyncExitStack, stop: asyncio.Event) -> Ledger | None:
        """Wait for the ledger, and do what is asked meanwhile; None if told to stop before it comes."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TRIED_EVERY_S):
                    await stop.wait()
                    return None
            if self._reload_wanted.is_set():
                self._reload_wanted.clear()
                await self.reload()
            if (ledger := await self._open(stack)) is not None:
                return ledger
        return None

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        addresses = [parse_listen_address(text) for text in self._settings.web.listen_address]
        urls = await self._server.start(addresses)
        stack.push_async_callback(self._server.stop)
        self._core.observer.started(urls, accounts=len(self._settings.accounts))
        self._on_listening(urls)

    async def _remember(self, ledger: Ledger) -> None:
        """Show what the ledger remembers, and count from there on."""
        async with self._reloading:
            self._core.count(self._settings, ledger=ledger)
            await self._core.open_accounts()
            await forget_unwatched(ledger, clock=self._clock, observer=self._core.observer)
            await self._core.page.refresh()

    async def _collect(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        self._session = session_of(self._settings)
        try:
            await self._work(stop)
        finally:
            await self._session.close()

    async def _work(self, stop: asyncio.Event) -> None:
        core = self._core
        works = (
            core.intake.run,
            core.page.run,
            self._jobs.watch_clock,
            self._expire,
            self._tell_ages,
            self._collect_garbage,
            self._give_back_memory,
            self._reload_on_request,
        )
        async with asyncio.TaskGroup() as group:
            self._group = group
            async with self._reloading:  # What a reload has changed since accounts were opened is in the settings.
                await self._core.open_accounts()
                self._counts = True
            background = [self._own(name, work) for name, work in zip(_BACKGROUND, works, strict=True)]
            self._jobs.start()
            for account in self._settings.accounts:
                self._start(account)
            await stop.wait()
            await self._wind_down()
            for task in background:
                task.cancel()

    def request_reload(self) -> None:
        """Reload soon; for a signal's handler, which cannot wait."""
        self._reload_wanted.set()

    async def _reload_on_request(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            await self.reload()

    async def reload(self) -> str | None:
        """Read the settings anew and apply what has changed; return what is wrong with them, if anything is."""
        async with self._reloading:
            if self._stopping:  # What is started now would be stopped by nobody.
                return "the exporter is stopping"
            try:
                settings = self._reread()
                if self._counts:  # Before anything is stopped: what cannot be read must not begin at 0.
                    await self._core.can_open(settings)
            except ConfigurationError as error:
                self._core.observer.misconfigured(error.problems)
                return "\n".join(str(problem) for problem in error.problems)
            except LedgerFailed as error:
                self._core.observer.misconfigured([error])
                return str(error)
            await self._apply(settings)
            return None

    async def _apply(self, settings: Settings) -> None:
        before, self._settings = self._settings, settings
        if not self._counts:  # A standby has nothing to stop or start.
            self._core.know_accounts(settings)
            self._applied(settings)
            return
        wanted = {account.name: made_of(account, settings) for account in settings.accounts}
        changed = [name for name, watch in self._core.watches.items() if wanted.get(name) != watch.made_of]
        for name in changed:
            await self._stop(name)
        if changed:  # An answer about an account that has another id now must not be taken for one about that.
            await self._settled()
        if before.api != settings.api:  # Every account was stopped for it; how to reach the provider has changed, too.
            old, self._session = self._session, session_of(settings)
            await old.close()
        self._core.intake.stale_after_s = settings.collect.stale_after_s
        self._core.know_accounts(settings)
        await self._core.open_accounts()
        for account in settings.accounts:
            if account.name not in self._core.watches:
                self._start(account)
        self._applied(settings)

    def _applied(self, settings: Settings) -> None:
        """Serve as the settings say, and tell that they are in force."""
        self._serve()
        started = self._started_with
        kept = [
            name
            for name, old_value, new_value in (
                ("web.listen_address", started.web.listen_address, settings.web.listen_address),
                ("state.path", started.state.path, settings.state.path),
                ("state.wait", started.state.wait, settings.state.wait),
                ("state.start_anew", started.state.start_anew, settings.state.start_anew),
            )
            if old_value != new_value
        ]
        self._core.observer.configured(only_at_start=kept)

    async def _settled(self) -> None:
        """What was asked for before now is taken, if intake gets to it soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITES_S):
                await self._core.intake.settled()

    def _serve(self) -> None:
        web = self._settings.web
        self._server.serve_at(web.telemetry_path, reload=self.reload if web.enable_lifecycle else None)

    def _own(self, task: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return self._group.create_task(
            supervise(task, work, clock=self._clock, on_event=self._core.observer.told), name=task
        )

    def _start(self, account: AccountSettings) -> None:
        watch = self._core.watch(account, self._settings, self._session)
        self._tasks[account.name] = []
        for collector, work in watch.rounds():
            name = f"{account.name}/{collector}"
            self._tasks[account.name].append(self._own(name, work.run))
            self._jobs.add(name, work.nudge, interval_s=watch.intervals_s[collector])

    async def _stop(self, account: str) -> None:
        watch = self._core.watches.pop(account)
        for collector, _ in watch.rounds():
            self._jobs.remove(f"{account}/{collector}")
        tasks = self._tasks.pop(account)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _wind_down(self) -> None:
        """Stop nudging, let requests in flight end, publish what they brought, so that a last scrape sees the truth."""
        async with self._reloading:
            self._stopping = True
        self._core.observer.stopping()
        self._jobs.stop()
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        for watch in self._core.watches.values():
            for _, work in watch.rounds():
                work.stop()
        if tasks:
            _, cut = await asyncio.wait(tasks, timeout=_GRACE_S)
            for task in cut:
                task.cancel()
            await asyncio.wait(tasks)
        await self._settled()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITES_S):
                await self._core.intake.flush()
                await self._core.page.refresh()

    async def _expire(self) -> None:
        while True:
            stint = Stint(self._clock)
            await self._core.fleet.expire(stint, now_s=self._clock.wall_s())
            await self._clock.sleep(min(max(_EXPIRE_EVERY_S, _EXPIRE_PER_COST * stint.spent_s), _EXPIRE_WITHIN_S))

    async def _collect_garbage(self) -> None:
        while True:  # The process does not let that happen by itself: it holds the loop.
            await self._clock.sleep(_TIDIED_EVERY_S)
            collect_garbage()

    async def _give_back_memory(self) -> None:
        while True:
            await self._clock.sleep(_GIVEN_BACK_EVERY_S)
            give_back_what_is_free()

    async def _tell_ages(self) -> None:
        while True:
            await self._clock.sleep(_AGES_EVERY_S)
            for watch in tuple(self._core.watches.values()):
                for looks in watch.looks.values():
                    await looks.tell_ages()
