"""A daemon that is killed again and again, before a provider that fails, while Prometheus and we read its counters."""

import contextlib
import random
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from exporter.clock import SystemClock
from tests.processes import exporter
from tests.readers import Prometheus
from tests.recorded import BUSY, LOCKED, LOCKS, STAMPS, Sample, Scrapes, Series, Truth, equal
from tests.running import Provider
from tests.waiting import eventually

__all__ = ["Deaths"]

WINDOW_STEPS = 12
COARSE_STEPS = 6
"""How many of the finest buckets the shortest window shows, and a bucket of `-1day` holds."""
FAULTS: tuple[Mapping[str, object], ...] = (
    {"kind": "status", "status": 429, "retry_after": 1, "every": 997},
    {"kind": "status", "status": 503, "probability": 0.02},
    {"kind": "reset", "probability": 0.01},
    {"kind": "truncate", "probability": 0.01},
    {"kind": "hang", "seconds": 3, "probability": 0.005},
)
REFUSED: tuple[Mapping[str, object], ...] = ({"kind": "reset", "probability": 0.3}, {"kind": "status", "status": 503})
"""Nothing is answered."""

_CLOCK = SystemClock()


@dataclass
class Deaths:
    """Lives and deaths. `since`: from which samples on series must be exact; an outage moves those of CPU."""

    simulated: Provider
    server: Prometheus
    scrapes: Scrapes
    variables: Mapping[str, str]
    chance: random.Random
    begun_at: float
    kills: int = 0
    since: dict[Series, Sample] = field(default_factory=dict)
    locked_vm: str = ""
    locked_at: float = 0.0
    least_locked_s: float = 0.0
    most_locked_s: float = 0.0

    async def truth(self) -> Truth:
        since_at = self.begun_at - 2 * WINDOW_STEPS * self.scrapes.step_s
        return Truth(await self.simulated.vms(since=str(since_at)), self.scrapes.step_s)

    async def begin(self) -> None:
        """Nothing moves, nor did for a window and a bucket of `-1day`, until we and Prometheus have seen each series:
        all begin at the same 0, somewhere in the window (at the last bucket that is filled), and the longer bucket that
        they begin in holds nothing of before. Then come the faults, a lock, and the VMs' own lives.
        """
        await self._steer(cpu=0, traffic_bytes_per_second=[0, 0])
        await self._pass(WINDOW_STEPS + COARSE_STEPS + 1)
        async with self._life():
            true = (await self.truth()).series()

            async def seen() -> bool:
                self.since = self.scrapes.newest(*STAMPS)
                told = await self.server.growth(*STAMPS)
                assert self.since.keys() == true == told.keys(), (
                    f"{len(self.since)} and {len(told)} of {len(true)} series"
                )
                return True

            await eventually(seen, within_s=60, every_s=0.5)
            await self.simulated.faults(*FAULTS)
            await self._lock()
            await self._steer(cpu=None, traffic_bytes_per_second=None)

    async def die(self, times: int) -> None:
        """Be killed so often: while starting, or at work, when all series have moved on, so that none starves."""
        early = False
        for _ in range(times):
            early = not early and self.chance.random() < 0.7
            async with self._life():
                if not early:
                    await self._moved_on(*STAMPS, within_s=30)
                await _CLOCK.sleep(self.chance.uniform(0, 0.8))
            await _CLOCK.sleep(max(0.0, self.chance.uniform(-0.5, 0.5)))

    async def stay_dead(self, steps: int) -> None:
        """Be killed, and started again so many buckets later."""
        async with self._life():
            await self._cpu_stands_still()
        await self._unseen(steps)
        async with self._life():
            await self._cpu_goes_on()

    async def be_refused(self, steps: int) -> None:
        """Be answered nothing for so many buckets."""
        async with self._life():
            await self._cpu_stands_still()
            await self.simulated.faults(*REFUSED)
            await self._unseen(steps)
            await self.simulated.faults(*FAULTS)
            await self._cpu_goes_on()

    async def end(self) -> None:
        """No more faults; then nothing moves, until what is owed has been paid and Prometheus has seen it."""
        await self.simulated.faults()
        async with exporter("run", **self.variables) as daemon:
            await self._moved_on(*STAMPS, within_s=120)
            await self._unlock()
            await self._steer(cpu=0, traffic_bytes_per_second=[0, 0])
            await self._exact(*STAMPS)
            try:
                await eventually(self._prometheus_agrees)
            except AssertionError as error:
                self.scrapes.wrong.append(str(error))
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 0, daemon.log()
        await self._judge()

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """A daemon that is killed at the end of the block."""
        async with exporter("run", **self.variables) as daemon:
            try:
                yield
            except Exception as error:
                error.add_note(f"the daemon's log ends so:\n{daemon.log()[-3000:]}")
                raise
            assert daemon.running.returncode is None, f"it ended by itself: {daemon.log()}"
            daemon.signal(signal.SIGKILL)
            await daemon.ended()
        assert "Traceback" not in daemon.log(), daemon.log()
        self.kills += 1

    async def _steer(self, **changes: object) -> None:
        """All VMs, from the next bucket on."""
        for vm_id in await self.simulated.vms(since=str(2 * self.begun_at)):
            await self.simulated.steer(vm_id, **changes)

    async def _pass(self, steps: int) -> None:
        await _CLOCK.sleep(steps * self.scrapes.step_s)

    async def _lock(self) -> None:
        self.locked_vm = min(series.vm_id for series in self.scrapes.newest(LOCKS))
        self.locked_at = _CLOCK.wall_s()
        await self.simulated.steer(self.locked_vm, locked=True)

        async def counted() -> bool:
            return self.scrapes.newest(LOCKS)[Series(LOCKS, self.locked_vm)].value == 1

        await eventually(counted)
        self.least_locked_s = self.locked_at - _CLOCK.wall_s()

    async def _unlock(self) -> None:
        self.least_locked_s += _CLOCK.wall_s() - self.locked_at
        await self.simulated.steer(self.locked_vm, locked=False)
        self.most_locked_s = _CLOCK.wall_s() - self.locked_at

    async def _cpu_stands_still(self) -> None:
        """At both edges of an outage, so that what was before and after can be told from what was in it.

        All move on first: the newest zeros are believed late, and with what a start takes a timestamp would stand so
        long as if nobody had looked.
        """
        await self._moved_on(BUSY, within_s=30)
        await self._steer(cpu=0)
        await self._exact(BUSY)

    async def _unseen(self, steps: int) -> None:
        """So many buckets, of which no window shows the busy ones any more."""
        await self._steer(cpu=None)
        await self._pass(steps - WINDOW_STEPS - 2)
        await self._steer(cpu=0)
        await self._pass(WINDOW_STEPS + 2)

    async def _cpu_goes_on(self) -> None:
        await self._moved_on(BUSY, within_s=120)
        self.since |= self.scrapes.newest(BUSY)
        self.scrapes.torn.clear()
        await self._steer(cpu=None)

    async def _moved_on(self, *families: str, within_s: float) -> None:
        """Wait until each timestamp is a later one."""
        before = self.scrapes.newest(*families)

        async def later() -> bool:
            newest = self.scrapes.newest(*families)
            behind = [series for series, sample in before.items() if newest[series].until_at <= sample.until_at]
            assert not behind, f"{len(behind)} of {len(before)} series stand still, as {behind[:3]}"
            return True

        await eventually(later, within_s=within_s)

    async def _exact(self, *families: str) -> None:
        """Wait until these have grown by the truth; of CPU those that were looked at in time: most of them."""
        torn = self.scrapes.torn
        since = {series: sample for series, sample in self.since.items() if series.family in families}

        async def true() -> bool:
            differences = self.scrapes.differences(await self.truth(), since)
            wrong = {series: by for series, by in differences.items() if series not in torn}
            assert not wrong, f"{len(wrong)} of {len(since)} series differ from the truth, as {list(wrong.items())[:3]}"
            return True

        try:
            await eventually(true, within_s=90, every_s=0.5)
        except AssertionError as error:
            self.scrapes.wrong.append(str(error))
        if 2 * len(torn) > len(self.scrapes.newest(BUSY)):
            self.scrapes.wrong.append(f"{len(torn)} CPU series were not looked at for most of a window")

    async def _prometheus_agrees(self) -> bool:
        there, here = await self.server.growth(*STAMPS), self.scrapes.growth(*STAMPS)
        assert there.keys() == here.keys()
        other = [(series, by, here[series]) for series, by in there.items() if not equal(by, here[series])]
        assert not other, f"{len(other)} series grew otherwise in Prometheus, as {other[:3]}"
        return True

    async def _judge(self) -> None:
        """What can be said of the whole only."""
        scrapes = self.scrapes
        scrapes.wrong += scrapes.beyond(await self.truth())
        scrapes.wrong += [f"{each} began at {first}" for each, first in scrapes.first(*STAMPS).items() if first.value]
        if scrapes.lost_s.get("traffic"):
            scrapes.wrong.append(f"{scrapes.lost_s['traffic']} s of traffic were lost")
        locks = {series.vm_id: sample.value for series, sample in scrapes.newest(LOCKS).items() if sample.value}
        if locks != {self.locked_vm: 1}:
            scrapes.wrong.append(f"the one lock of {self.locked_vm} was counted as {locks}")
        locked_s = scrapes.newest(LOCKED)[Series(LOCKED, self.locked_vm)].value
        if not self.least_locked_s - 5 <= locked_s <= self.most_locked_s:
            scrapes.wrong.append(
                f"{self.least_locked_s} to {self.most_locked_s} s of a lock were counted as {locked_s} s"
            )
