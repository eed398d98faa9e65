"""Many requests, one timer: each ends when its own time is over, and no sooner."""

import asyncio
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.gigas.deadlines import Deadlines

SHORT_S = 0.05


async def never() -> None:
    await asyncio.Event().wait()


async def hung(deadlines: Deadlines) -> float:
    """How long it was let hang."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    with pytest.raises(TimeoutError), deadlines.one():
        await never()
    return loop.time() - begun_s


async def test_what_hangs_is_ended_when_its_time_is_over_and_not_before() -> None:
    assert await hung(Deadlines(SHORT_S)) >= SHORT_S


async def test_each_has_its_whole_time_whenever_it_began() -> None:
    deadlines = Deadlines(SHORT_S)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(hung(deadlines))
        with deadlines.one():
            await SystemClock().sleep(SHORT_S / 2)
        second = group.create_task(hung(deadlines))
    assert min(first.result(), second.result()) >= SHORT_S
    assert await hung(deadlines) >= SHORT_S  # The timer had come to rest.


async def test_what_ends_in_time_is_left_alone() -> None:
    deadlines = Deadlines(SHORT_S)
    with deadlines.one():
        pass
    await hung(deadlines)  # Its time is over, too, by now.
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_inside_goes_through() -> None:
    with pytest.raises(ZeroDivisionError), Deadlines(SHORT_S).one():
        raise ZeroDivisionError


async def test_who_is_cancelled_by_others_is_cancelled_and_not_out_of_time() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hung(Deadlines(SHORT_S)))
        await SystemClock().sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_who_is_cancelled_by_others_as_well_is_cancelled() -> None:
    """Out of time first, and cancelled before it could say so: whoever cancelled waits for that."""
    deadlines, ended = Deadlines(SHORT_S), asyncio.Event()

    async def slow_to_end() -> None:
        with deadlines.one():
            try:
                await never()
            finally:
                ended.set()
                with pytest.raises(asyncio.CancelledError):
                    await never()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(slow_to_end())
        await ended.wait()
        task.cancel()
    assert task.cancelled()


async def test_a_thousand_that_end_in_time_set_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_at: Any = loop.call_at

    def counted(*arguments: Any, **more: Any) -> Any:
        timers.append(arguments)
        return call_at(*arguments, **more)

    monkeypatch.setattr(loop, "call_at", counted)
    deadlines = Deadlines(60.0)
    for _ in range(1_000):
        with deadlines.one():
            pass
    assert len(timers) == 1


def test_a_deadline_is_for_a_task() -> None:
    with pytest.raises(RuntimeError), Deadlines(SHORT_S).one():
        pass


def test_they_hold_in_another_loop_too() -> None:
    deadlines = Deadlines(SHORT_S)

    async def in_time() -> None:
        with deadlines.one():
            pass

    asyncio.run(in_time())
    assert asyncio.run(hung(deadlines)) >= SHORT_S
