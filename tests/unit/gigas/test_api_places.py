"""Places and turns under any history: none leaks, none is too many, nobody overtakes."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.gigas.limits import Limiter
from tests.unit.gigas.limiting import VirtualClock, in_virtual_time


@dataclass(frozen=True)
class Request:
    """One that begins so long after the one before, takes so long, ends so, and may be cancelled on its way."""

    after_s: float
    takes_s: float
    ends: str
    cancelled_after_s: float | None


REQUESTS = st.builds(
    Request,
    after_s=st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3]),
    takes_s=st.sampled_from([0.0, 0.1, 0.1, 2.0]),
    ends=st.sampled_from(["answered", "answered", "answered", "refused", "failed", "lost"]),
    cancelled_after_s=st.sampled_from([None, None, None, 0.0, 0.05, 1.0]),
)


@dataclass
class History:
    """What is seen of requests through a limiter."""

    most: int
    per_second: float
    came: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    at_once: int = 0

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.limiter = Limiter(
            max_concurrency=self.most,
            requests_per_second=self.per_second,
            clock=self.clock,
            random=Random(1),  # noqa: S311 - jitter
            on_wait=self._waited,
        )

    def _waited(self, waited_s: float) -> None:
        assert waited_s >= 0

    async def run(self, requests: list[Request]) -> None:
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                await self.clock.sleep(request.after_s)
                task = group.create_task(self._ask(number, request))
                if request.cancelled_after_s is not None:
                    group.create_task(self._cancel(task, request.cancelled_after_s))

    async def _cancel(self, task: asyncio.Task[None], after_s: float) -> None:
        await self.clock.sleep(after_s)
        task.cancel()

    async def _ask(self, number: int, request: Request) -> None:
        self.came.append(number)
        with await self.limiter.place():
            self.at_once += 1
            assert self.at_once <= self.most
            try:
                await self.limiter.turn()
                self.sent.append(number)
                sent_s = self.clock.monotonic_s()
                await self.clock.sleep(request.takes_s)
                self._end(request, sent_s)
            finally:
                self.at_once -= 1

    def _end(self, request: Request, sent_s: float) -> None:
        if request.ends == "answered":
            self.limiter.succeeded(sent_s=sent_s, duration_s=request.takes_s)
        elif request.ends == "refused":
            self.limiter.refused(sent_s=sent_s, retry_after_s=1.0)
        elif request.ends == "failed":
            self.limiter.failed(sent_s=sent_s)


def seen(requests: list[Request], *, most: int, per_second: float) -> History:
    async def run() -> Any:
        history = History(most, per_second)
        await history.run(requests)
        await history.clock.sleep(120)
        before = len(history.sent)
        for _ in range(40):  # Everything works as before: wide again, one after the other.
            await history.run([Request(0.0, 0.1, "answered", None)])
        assert len(history.sent) == before + 40
        await history.run([Request(0.0, 0.1, "answered", None)] * (3 * most))
        assert history.at_once == 0
        return history

    history: History = in_virtual_time(run)
    return history


@settings(max_examples=60)
@given(st.lists(REQUESTS, max_size=40), st.integers(1, 12), st.sampled_from([0.0, 5.0, 100.0]))
def test_no_place_leaks_nobody_is_forgotten_and_whoever_came_first_goes_first(
    requests: list[Request], most: int, per_second: float
) -> None:
    history = seen(requests, most=most, per_second=per_second)
    first = [number for number in history.sent[: len(requests)] if number < len(requests)]
    kept = [number for number, request in enumerate(requests) if request.cancelled_after_s is None]
    assert [number for number in first if number in kept][: len(kept)] == sorted(set(first) & set(kept))
    assert set(kept) <= set(history.sent)
