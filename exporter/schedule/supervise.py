"""A long-lived task that is started again when a fault of ours ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.clock import Clock

__all__ = ["TaskFailed", "supervise"]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_FORGIVEN_AFTER_S = 300.0
"""A task that ran so long before it failed is started again at once, so to speak: with the first pause."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """Event: a fault of the exporter itself. The task starts again after `pause_s`."""

    task: str
    error: Exception
    pause_s: float


async def supervise(
    task: str, run: Callable[[], Awaitable[None]], *, clock: Clock, on_event: Callable[[TaskFailed], None]
) -> None:
    """Run it until it returns or is cancelled; tell of every exception and start it again, with growing pauses."""
    pause_s = _FIRST_PAUSE_S
    while True:
        started_s = clock.monotonic_s()
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - the one place that outlives a bug: it is told, counted, and run again
            if clock.monotonic_s() - started_s > _FORGIVEN_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            on_event(TaskFailed(task, error, pause_s))
            await clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            return
