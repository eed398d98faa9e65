"""The few jobs of APScheduler: one for each account and collector, each of which only nudges the task that works.

Its jobs run on wall time, are cancelled at shutdown and drop late runs (APScheduler 3.11): work done inside them would
be lost for any of these, a nudge is not.
"""

from collections.abc import Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from exporter.clock import Clock

__all__ = ["Jobs"]

_JITTER = 0.1
"""By this share of its interval a job comes sooner or later, so that accounts and exporters do not march in step."""
_LOOK_EVERY_S = 5.0
_JUMP_S = 2.0
"""A difference between wall and monotonic time that is no drift."""


class Jobs:
    """Nudges at intervals."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._nudges: dict[str, tuple[Callable[[], None], float]] = {}
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    def add(self, job_id: str, nudge: Callable[[], None], *, interval_s: float) -> None:
        # A coroutine function: APScheduler runs any other in a thread, from which no event of the loop may be set.
        async def nudging() -> None:
            nudge()

        self._nudges[job_id] = nudge, interval_s
        self._scheduler.add_job(nudging, self._trigger(interval_s), id=job_id, replace_existing=True)

    def remove(self, job_id: str) -> None:
        del self._nudges[job_id]
        self._scheduler.remove_job(job_id)

    async def watch_clock(self) -> None:
        """Arm the jobs anew when the wall clock has jumped: set back an hour, they would be silent for an hour."""
        before_s = self._clock.wall_s() - self._clock.monotonic_s()
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            now_s = self._clock.wall_s() - self._clock.monotonic_s()
            if abs(now_s - before_s) > _JUMP_S:
                self._arm_anew()
            before_s = now_s

    def _arm_anew(self) -> None:
        for job_id, (nudge, interval_s) in self._nudges.items():
            nudge()
            self._scheduler.reschedule_job(job_id, trigger=self._trigger(interval_s))

    @staticmethod
    def _trigger(interval_s: float) -> IntervalTrigger:
        # APScheduler asks its jitter for whole seconds only in its documentation, not in its arithmetic.
        return IntervalTrigger(seconds=interval_s, jitter=_JITTER * interval_s, timezone="UTC")
