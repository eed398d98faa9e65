"""A task that a fault of ours ends is told of and started again, ever later while it fails."""

import asyncio

import pytest

from exporter.clock import SystemClock
from exporter.schedule import TaskFailed, supervise
from exporter.schedule.supervise import outlived


class SwiftClock(SystemClock):
    """Monotonic time is what has been slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic_s(self) -> float:
        return sum(self.slept)

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)


async def test_a_task_is_started_again_with_pauses_that_grow_to_a_minute() -> None:
    clock, told, runs = SwiftClock(), list[TaskFailed](), iter(range(9))

    async def run() -> None:
        if next(runs) < 8:
            raise ZeroDivisionError

    await supervise("page", run, clock=clock, on_event=told.append)
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [(each.task, each.pause_s) for each in told] == [("page", pause_s) for pause_s in clock.slept]


async def test_a_task_that_went_well_for_minutes_is_started_again_soon() -> None:
    clock, runs = SwiftClock(), iter([1.0, 1.0, 1.0, 400.0, None])

    async def run() -> None:
        lasts_s = next(runs)
        if lasts_s is not None:
            clock.slept.append(lasts_s)
            raise ZeroDivisionError

    await supervise("page", run, clock=clock, on_event=lambda _: None)
    assert clock.slept[1::2] == [1, 2, 4, 1]


async def test_a_task_that_is_cancelled_stays_so() -> None:
    async with asyncio.TaskGroup() as group:
        told: list[TaskFailed] = []
        never = asyncio.Event().wait

        async def run() -> None:
            await never()

        task = group.create_task(supervise("page", run, clock=SystemClock(), on_event=told.append))
        await SystemClock().sleep(0)
        task.cancel()
    assert told == []
    assert task.cancelled()


async def test_a_piece_of_work_that_meets_a_bug_is_told_of_and_given_up() -> None:
    told: list[TaskFailed] = []

    async def work() -> None:
        raise ZeroDivisionError

    async def works() -> None:
        return

    assert not await outlived("production/cpu", work, on_event=told.append)
    assert [(each.task, each.pause_s) for each in told] == [("production/cpu", None)]
    assert await outlived("production/cpu", works, on_event=told.append)
    assert len(told) == 1
    with pytest.raises(asyncio.CancelledError):
        await outlived("production/cpu", _cancelled, on_event=told.append)


async def _cancelled() -> None:
    raise asyncio.CancelledError
