"""What outlives a fault of ours: the only place that catches every exception."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.clock import Clock

__all__ = ["TaskFailed", "outlived", "supervise"]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_FORGIVEN_AFTER_S = 300.0
"""A task that ran so long before it failed is started again at once, so to speak: with the first pause."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """Event: a fault of the exporter itself. The task starts again after `pause_s`; None: only this piece of work is
    given up, and comes again when it is due.
    """

    task: str
    error: Exception
    pause_s: float | None


async def supervise(
    task: str, run: Callable[[], Awaitable[None]], *, clock: Clock, on_event: Callable[[TaskFailed], None]
) -> None:
    """Run it until it returns or is cancelled; tell of every exception and start it again, with growing pauses."""
    pause_s = _FIRST_PAUSE_S
    while True:
        started_s = clock.monotonic_s()
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - a bug is told, counted, and run again
            if clock.monotonic_s() - started_s > _FORGIVEN_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            on_event(TaskFailed(task, error, pause_s))
            await clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            return


async def outlived(task: str, work: Callable[[], Awaitable[None]], *, on_event: Callable[[TaskFailed], None]) -> bool:
    """Do one piece of a task's work; return whether that went without a fault of ours, and tell of it if not.

    A bug that one VM's answer meets must not end the looks at all the others.
    """
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - as above, for a piece
        on_event(TaskFailed(task, error, None))
        return False
    return True
