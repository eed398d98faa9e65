"""For how long an event loop is held: a task that wants to run every millisecond notes how much later it did."""

import asyncio
import time

__all__ = ["Ticker"]

_TICK_S = 0.001
_CALIBRATED_S = 2.0


class Ticker:
    """`held_ms`, since it was last taken: for how long the loop was held, and for how much of that its thread was at
    work, not waiting for the processor. `cost_s`: what one tick costs the processor, as an empty loop tells.
    """

    def __init__(self) -> None:
        self.held_ms: list[tuple[float, float]] = []
        self.ticks = 0
        self.cost_s = 0.0
        self._taken = False

    async def run(self) -> None:
        while True:
            before_s, worked_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_TICK_S)
            if not self._taken:  # Else taking the values is what has held the loop.
                held_s = time.perf_counter() - before_s - _TICK_S
                self.held_ms.append((1000 * held_s, 1000 * min(held_s, time.thread_time() - worked_s)))
            self._taken = False
            self.ticks += 1

    def take(self) -> list[tuple[float, float]]:
        """What was noted since the last time."""
        taken, self.held_ms = self.held_ms, []
        self._taken = True
        return taken

    async def calibrate(self) -> list[tuple[float, float]]:
        """Tick in an otherwise empty loop for a while; return how long even that was held."""
        ticks, used_s = self.ticks, time.process_time()
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self.run())
            await asyncio.sleep(_CALIBRATED_S)
            ticking.cancel()
        self.cost_s = (time.process_time() - used_s) / (self.ticks - ticks)
        return self.take()
