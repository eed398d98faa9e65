"""Ceilings of an account."""

import asyncio
from random import Random

import pytest

from exporter.gigas.limits import Limiter
from tests.unit.gigas.doubles import JumpingClock, settled


class Traffic:
    """Requests that take a second each, and what is seen of them."""

    def __init__(
        self,
        *,
        concurrency: int = 4,
        per_second: float = 0.0,
        takes_s: float = 1.0,
        clock: JumpingClock | None = None,
    ) -> None:
        self.clock = JumpingClock() if clock is None else clock
        self.waits_s: list[float] = []
        self.limiter = Limiter(
            max_concurrency=concurrency,
            requests_per_second=per_second,
            clock=self.clock,
            random=Random(1),  # noqa: S311 - jitter
            on_wait=self.waits_s.append,
        )
        self.takes_s = takes_s
        self.sent_s: list[float] = []
        self.at_once = 0
        self.most_at_once = 0

    async def request(self) -> None:
        with await self.limiter.place():
            await self.limiter.turn()
            sent_s = self.clock.monotonic_s()
            self.sent_s.append(sent_s)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self.clock.sleep(self.takes_s)
                self.limiter.succeeded(sent_s=sent_s, duration_s=self.takes_s)
            finally:
                self.at_once -= 1

    async def burst(self, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.request())

    def refuse(self, retry_after_s: float | None = 1) -> None:
        self.limiter.refused(sent_s=self.clock.monotonic_s(), retry_after_s=retry_after_s)


async def test_no_more_are_under_way_than_the_ceiling_says() -> None:
    traffic = Traffic(concurrency=4)
    await traffic.clock.run(traffic.burst(10))
    assert traffic.sent_s == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert traffic.most_at_once == 4


async def test_requests_are_spaced_as_the_rate_says() -> None:
    traffic = Traffic(concurrency=10, per_second=4)
    await traffic.clock.run(traffic.burst(5))
    assert traffic.sent_s == [0, 0.25, 0.5, 0.75, 1.0]


async def test_no_rate_means_no_spacing() -> None:
    traffic = Traffic(concurrency=8)
    await traffic.clock.run(traffic.burst(8))
    assert traffic.sent_s == [0] * 8
    assert traffic.waits_s == []


async def test_after_a_while_without_requests_a_few_go_at_once_as_many_as_a_twentieth_of_a_second_has() -> None:
    traffic = Traffic(concurrency=8, per_second=40)
    await traffic.clock.run(traffic.burst(1))
    traffic.sent_s.clear()
    await traffic.clock.run(traffic.burst(4))
    assert traffic.sent_s == pytest.approx([1, 1, 1.025, 1.05])


async def test_where_turns_are_late_the_next_are_so_much_sooner() -> None:
    class LateClock(JumpingClock):
        async def sleep(self, delay_s: float) -> None:
            await super().sleep(delay_s + 0.001)

    traffic = Traffic(concurrency=8, per_second=100, takes_s=0.01, clock=LateClock())
    await traffic.clock.run(traffic.burst(201))
    assert traffic.sent_s[-1] == pytest.approx(2.0, abs=0.05)


async def test_many_go_at_once_only_after_answers_have_come() -> None:
    traffic = Traffic(concurrency=32)
    await traffic.clock.run(traffic.burst(100))
    assert [traffic.sent_s.count(at_s) for at_s in range(5)] == [8, 16, 32, 32, 12]


async def test_who_waits_for_a_window_that_grows_is_not_told_as_held() -> None:
    traffic = Traffic(concurrency=32)
    await traffic.clock.run(traffic.burst(20))
    assert traffic.waits_s == []


async def test_what_is_not_used_does_not_grow() -> None:
    traffic = Traffic(concurrency=32)
    for _ in range(100):
        await traffic.clock.run(traffic.burst(2))
    traffic.sent_s.clear()
    now_s = traffic.clock.monotonic_s()
    await traffic.clock.run(traffic.burst(20))
    assert traffic.sent_s.count(now_s) == 8


async def test_waits_are_told_and_only_waits() -> None:
    traffic = Traffic(concurrency=1)
    await traffic.clock.run(traffic.burst(3))
    assert traffic.waits_s == [1, 2]


async def test_a_429_stops_the_whole_account_for_as_long_as_it_says() -> None:
    traffic = Traffic(concurrency=4)
    traffic.limiter.refused(sent_s=0, retry_after_s=7)
    await traffic.clock.run(traffic.burst(1))
    assert traffic.sent_s == [7]
    assert traffic.waits_s == [7]


async def test_a_429_met_while_others_wait_holds_them_too() -> None:
    traffic = Traffic(concurrency=2, takes_s=1)

    async def refused_in_between() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.burst(3))
            await traffic.clock.sleep(0.5)
            traffic.limiter.refused(sent_s=0, retry_after_s=5)

    await traffic.clock.run(refused_in_between())
    assert traffic.sent_s == [0, 0, 5.5]


async def test_no_pause_is_longer_than_a_minute() -> None:
    traffic = Traffic()
    for strike in range(20):
        traffic.limiter.refused(sent_s=strike, retry_after_s=None)
    await traffic.clock.run(traffic.burst(1))
    assert 30 <= traffic.sent_s[0] <= 60


async def test_without_retry_after_the_pauses_grow() -> None:
    traffic = Traffic()
    pauses_s = []
    for _ in range(5):
        now_s = traffic.clock.monotonic_s()
        traffic.limiter.refused(sent_s=now_s, retry_after_s=None)
        await traffic.clock.run(traffic.limiter.turn())
        pauses_s.append(traffic.clock.monotonic_s() - now_s)
    for at, pause_s in enumerate(pauses_s):
        assert 2**at <= pause_s <= 2 ** (at + 1)


async def test_where_the_provider_refuses_again_what_it_asked_to_wait_for_grows() -> None:
    traffic = Traffic()
    pauses_s = []
    for _ in range(7):
        now_s = traffic.clock.monotonic_s()
        traffic.refuse(1)
        await traffic.clock.run(traffic.limiter.turn())
        pauses_s.append(traffic.clock.monotonic_s() - now_s)
    assert pauses_s == [1, 2, 4, 8, 16, 16, 16]


async def test_a_wave_of_429_counts_as_one() -> None:
    traffic = Traffic(concurrency=32)
    await traffic.clock.advance(1)
    for _ in range(32):
        traffic.limiter.refused(sent_s=0.5, retry_after_s=1)
    traffic.limiter.succeeded(sent_s=traffic.clock.monotonic_s())
    assert await first_at_once(traffic) == 4


async def first_at_once(traffic: Traffic) -> int:
    """How many go at once, before any has been answered."""
    traffic.sent_s.clear()
    await traffic.clock.advance(60)
    now_s = traffic.clock.monotonic_s()
    await traffic.clock.run(traffic.burst(40))
    return traffic.sent_s.count(now_s)


async def test_after_a_pause_one_goes_first_and_the_others_when_it_is_answered() -> None:
    traffic = Traffic(concurrency=8, takes_s=0.5)
    traffic.refuse(3)
    await traffic.clock.run(traffic.burst(4))
    assert traffic.sent_s == [3, 3.5, 3.5, 3.5]


async def test_where_the_first_one_after_a_pause_is_given_up_the_next_one_goes() -> None:
    traffic = Traffic(concurrency=8, takes_s=100)
    traffic.refuse(3)
    async with asyncio.TaskGroup() as group:
        first, *others = [group.create_task(traffic.request()) for _ in range(3)]
        await traffic.clock.advance(10)
        assert traffic.sent_s == [3]
        first.cancel()
        await traffic.clock.advance(1)
        assert traffic.sent_s == [3, 10]
        for each in others:
            each.cancel()


async def test_after_a_429_fewer_go_at_once_and_answers_give_it_back() -> None:
    traffic = Traffic(concurrency=8)
    for _ in range(4):
        await traffic.clock.advance(10)
        traffic.refuse()
    traffic.limiter.succeeded(sent_s=traffic.clock.monotonic_s())
    assert await first_at_once(traffic) == 1
    assert traffic.most_at_once == 8


@pytest.mark.parametrize("seed", range(20))
async def test_a_cancelled_request_leaves_its_place_to_another(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - order of events
    traffic = Traffic(concurrency=3)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(traffic.request()) for _ in range(30)]
        for _ in range(40):
            random.choice(tasks).cancel()
            if random.random() < 0.5:
                await traffic.clock.advance(random.choice([0, 0.5, 1]))
        while not all(task.done() for task in tasks):
            await traffic.clock.advance(1)
    assert traffic.at_once == 0
    traffic.most_at_once = 0
    await traffic.clock.run(traffic.burst(9))
    assert traffic.most_at_once == 3
    await settled()


async def test_an_answer_to_a_request_from_before_a_429_gives_nothing_back() -> None:
    traffic = Traffic(concurrency=1)
    await traffic.clock.advance(10)
    traffic.refuse(1)
    traffic.limiter.succeeded(sent_s=9)
    await traffic.clock.run(traffic.burst(2))
    assert traffic.sent_s == [11, 12]  # One at a time still, until the first one after the pause is answered.


async def test_a_place_given_to_a_request_that_is_cancelled_at_that_moment_goes_to_the_next() -> None:
    traffic = Traffic(concurrency=1)
    async with asyncio.TaskGroup() as group:
        with await traffic.limiter.place():
            waits = group.create_task(traffic.request())
            await settled()
        waits.cancel()
    assert traffic.sent_s == []
    await traffic.clock.run(traffic.burst(2))
    assert traffic.sent_s == [0, 1]
