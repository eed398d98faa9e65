"""Time-outs of many requests by one timer."""

import asyncio
from types import TracebackType
from typing import Self

__all__ = ["Deadlines"]


class Deadlines:
    """Give each of many requests equally long: the first to begin is the first to run out of time, so one timer will
    do. One for each request, set and cancelled, takes a tenth of a poll.
    """

    def __init__(self, lasts_s: float) -> None:
        self._lasts_s = lasts_s
        self._running: dict[_Deadline, float] = {}
        """By the order in which they began: when each ends, by the loop's clock."""
        self._set_in: asyncio.AbstractEventLoop | None = None
        """The loop that has the timer; None while nothing needs one."""

    def one(self) -> "_Deadline":
        """What is to hold a request (`with`). Raises TimeoutError where that takes too long."""
        return _Deadline(self)

    def begin(self, deadline: "_Deadline", loop: asyncio.AbstractEventLoop) -> None:
        self._running[deadline] = ends_s = loop.time() + self._lasts_s
        if self._set_in is not loop:
            self._set_timer(loop, ends_s)

    def end(self, deadline: "_Deadline") -> None:
        self._running.pop(deadline, None)

    def _set_timer(self, loop: asyncio.AbstractEventLoop, ends_s: float) -> None:
        loop.call_at(ends_s, self._end_those_that_passed, loop)
        self._set_in = loop

    def _end_those_that_passed(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        while self._running:
            deadline, ends_s = next(iter(self._running.items()))
            if ends_s > now_s:
                self._set_timer(loop, ends_s)
                return
            del self._running[deadline]
            deadline.passed()
        self._set_in = None


class _Deadline:
    """Ends what its task does inside, as `asyncio.timeout` does."""

    __slots__ = ("_all", "_cancelling", "_has_passed", "_task")

    def __init__(self, every: Deadlines) -> None:
        self._all = every
        self._has_passed = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task, self._cancelling = task, task.cancelling()
        self._all.begin(self, loop)
        return self

    def passed(self) -> None:
        self._has_passed = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all.end(self)
        # Cancelled by others, too: then theirs is what counts.
        if self._has_passed and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
