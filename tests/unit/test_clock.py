"""Who goes on when, and what of the clock is the process' own."""

import asyncio
import sys

import pytest

from exporter.clock import Stint, SystemClock, take_short_turns
from tests.clocks import LaboriousClock


class Laps:
    """Counts the laps of the loop, and notes who went on in which."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.lap = 0
        self.went_on: list[tuple[int, str]] = []
        self._next_lap()

    def _next_lap(self) -> None:
        self.lap += 1
        asyncio.get_running_loop().call_soon(self._next_lap)

    async def work(self, name: str, steps: int) -> None:
        for _ in range(steps):
            await self.clock.give_way()
            self.went_on.append((self.lap, name))


async def test_of_those_who_give_way_one_goes_on_in_each_lap_and_each_in_its_turn() -> None:
    laps = Laps()
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(laps.work(name, steps=4))
    assert [name for _, name in laps.went_on] == list("abc" * 4)
    numbers = [lap for lap, _ in laps.went_on]
    assert len(set(numbers)) == len(numbers)
    assert numbers[-1] - numbers[0] == len(numbers) - 1  # No lap is without one.


async def test_who_gives_way_alone_goes_on_in_the_next_lap() -> None:
    laps = Laps()
    began = laps.lap
    await laps.work("a", steps=5)
    assert [lap for lap, _ in laps.went_on] == list(range(began + 1, began + 6))


async def test_who_is_cancelled_while_it_waits_keeps_nobody_waiting() -> None:
    laps = Laps()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(laps.work(name, steps=3)) for name in "abc"]
        await laps.clock.sleep(0)
        for task in tasks[:2]:
            task.cancel()
    assert [name for _, name in laps.went_on] == ["c"] * 3
    assert all(task.cancelled() for task in tasks[:2])


async def test_a_stint_gives_way_after_a_millisecond_of_work_and_tells_what_was_worked() -> None:
    clock = LaboriousClock(part_s=1 / 2048)
    stint, gave_way = Stint(clock), []
    for _ in range(6):
        await stint.part_done()
        gave_way.append(clock.gave_way)
    assert gave_way == [0, 0, 1, 1, 1, 2]
    assert stint.spent_s == pytest.approx(clock.worked_s)
    assert clock.worked_s < 1


def test_threads_take_turns_of_a_millisecond() -> None:
    before_s = sys.getswitchinterval()
    try:
        take_short_turns()
        assert sys.getswitchinterval() == 0.001
    finally:
        sys.setswitchinterval(before_s)
