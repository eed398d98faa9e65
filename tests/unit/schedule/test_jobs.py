"""A few jobs nudge at intervals; a wall clock that jumps silences none of them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from exporter.clock import SystemClock
from exporter.schedule import Jobs
from tests.waiting import eventually


class SetClock(SystemClock):
    """A wall clock that somebody sets; whoever sleeps is woken at once."""

    ahead_s = 0.0

    def wall_s(self) -> float:
        return super().wall_s() + self.ahead_s

    async def sleep(self, delay_s: float) -> None:  # noqa: ARG002
        await super().sleep(0.01)


@asynccontextmanager
async def at_work(clock: SystemClock) -> AsyncIterator[Jobs]:
    jobs = Jobs(clock=clock)
    jobs.start()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(jobs.watch_clock())
        await clock.sleep(0)  # It has read both clocks.
        try:
            yield jobs
        finally:
            watching.cancel()
            jobs.stop()


async def test_a_job_nudges_at_its_interval_and_in_the_thread_of_the_event_loop() -> None:
    threads: list[int] = []
    async with at_work(SystemClock()) as jobs:
        jobs.add("nudging", lambda: threads.append(threading.get_ident()), interval_s=0.1)

        async def nudged() -> bool:
            return len(threads) >= 3

        await eventually(nudged, within_s=5)
    assert set(threads) == {threading.get_ident()}


@pytest.mark.parametrize("ahead_s", [3_600.0, -3_600.0, 5.0])
async def test_a_wall_clock_that_jumps_nudges_and_arms_every_job_anew(ahead_s: float) -> None:
    clock, nudged = SetClock(), asyncio.Event()
    async with at_work(clock) as jobs:
        jobs.add("seldom", nudged.set, interval_s=3_000.0)
        armed = jobs._scheduler.get_job("seldom").next_run_time
        clock.ahead_s = ahead_s
        async with asyncio.timeout(5):
            await nudged.wait()
        assert jobs._scheduler.get_job("seldom").next_run_time != armed


async def test_a_wall_clock_that_drifts_is_left_alone() -> None:
    clock, nudges = SetClock(), list[int]()
    async with at_work(clock) as jobs:
        jobs.add("seldom", lambda: nudges.append(1), interval_s=3_000.0)
        for _ in range(20):
            clock.ahead_s += 0.5
            await clock.sleep(0)
    assert nudges == []


async def test_a_job_that_is_removed_nudges_no_more() -> None:
    clock, nudges = SetClock(), list[int]()
    async with at_work(clock) as jobs:
        jobs.add("gone", lambda: nudges.append(1), interval_s=3_000.0)
        jobs.remove("gone")
        clock.ahead_s = 3_600.0
        for _ in range(5):
            await clock.sleep(0)
    assert nudges == []
