"""A VM that owes something is asked for a longer period when that can pay, and what is new does not wait for it."""

import asyncio

import pytest

from exporter.schedule import TaskFailed
from tests.unit.schedule.looking import ACCOUNT, WIDTH_S, Looking, looking, looking_back, not_found, overloaded
from tests.waiting import eventually


async def test_a_vm_that_owes_something_is_asked_for_the_period_that_can_pay_when_it_can_and_not_sooner() -> None:
    async with looking_back("a", "b") as at_work:
        at_work.owes("a", "-1M", in_s=50.0)
        assert (at_work.back.wait_s(), await at_work.begin()) == (50.0, [])
        at_work.clock.now_s += 49.9
        assert await at_work.begin() == []
        at_work.clock.now_s += 0.1
        assert await at_work.begin() == ["a"]
        assert at_work.provider.asked_longer == [("a", "-1M")]
        assert (at_work.back.wait_s(), await at_work.begin()) == (None, [])


async def test_what_can_be_paid_at_the_instant_of_an_answer_is_due_at_once_though_that_is_rounded() -> None:
    async with looking_back("a") as at_work:
        at_work.owes("a", in_s=0.0005)
        assert await at_work.begin() == ["a"]


async def test_what_the_newest_answer_says_counts() -> None:
    async with looking_back("a", "b") as at_work:
        at_work.owes("a", "-1day", in_s=50.0)
        at_work.owes("a", "-1M")
        at_work.owes("b")
        at_work.owes_nothing("b")
        assert await at_work.begin() == ["a"]
        assert at_work.provider.asked_longer == [("a", "-1M")]


async def test_the_next_one_is_not_asked_before_a_width_has_passed() -> None:
    """What the first one leaves owed is told by its own answer, and can mostly be paid only later."""
    async with looking_back("a") as at_work:
        at_work.owes("a")
        assert await at_work.begin() == ["a"]
        at_work.owes("a", "-1M")
        at_work.clock.now_s += WIDTH_S - 0.1
        assert await at_work.begin() == []
        at_work.owes("a", "-1M")
        at_work.clock.now_s += 0.1
        assert await at_work.begin() == ["a"]


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (4, 1), (8, 2), (33, 8)])
async def test_a_quarter_of_the_workers_at_most_look_back(workers: int, at_once: int) -> None:
    vm_ids = [f"vm-{number}" for number in range(20)]
    async with looking_back(*vm_ids, workers=workers) as at_work:
        for vm_id in vm_ids:
            at_work.owes(vm_id)
        begun = [at_work.back.startable() for _ in range(at_once)]
        assert None not in begun
        assert (at_work.back.startable(), at_work.back.wait_s()) == (None, None)
        await at_work.back.look(str(begun[0]))
        assert at_work.back.startable() not in {None, *begun}


async def test_a_vm_that_fails_is_asked_again_ever_later_whatever_its_other_looks_say() -> None:
    async with looking_back("a", workers=100) as at_work:
        at_work.provider.longer["a"] = overloaded("HTTP 500")
        at_work.owes("a")
        waited = []
        for _ in range(4):
            assert await at_work.begin() == ["a"]
            at_work.owes("a")
            wait_s = at_work.back.wait_s()
            assert wait_s is not None
            waited.append(wait_s)
            at_work.clock.now_s += wait_s
        assert waited == sorted(waited)
        assert waited[0] > 10
        assert waited[1] == pytest.approx(2 * waited[0])
        assert waited[-1] <= 45
        assert [(event.vm_id, event.error.cause, event.is_owed) for event in at_work.failures] == [
            ("a", "HTTP 500", True)
        ] * 4


async def test_a_vm_that_was_answered_has_not_failed_before() -> None:
    async with looking_back("a", workers=100) as at_work:
        waited = []
        for answer in (overloaded(), overloaded(), 1, overloaded()):
            at_work.provider.longer["a"] = answer
            at_work.owes("a")
            at_work.clock.now_s += max(WIDTH_S, at_work.back.wait_s() or 0.0)
            assert await at_work.begin() == ["a"]
            waited.append(at_work.back.wait_s())
        assert waited[2] is None
        assert waited[3] == waited[0]
        assert waited[1] != waited[0]


async def test_a_vm_is_not_looked_back_at_twice_at_the_same_time() -> None:
    async with looking_back("a", workers=100) as at_work:
        at_work.owes("a")
        at_work.provider.hanging_longer = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(at_work.begin())
            await eventually(lambda: asked_back(at_work.provider.asked_longer, 1))
            at_work.owes("a")
            at_work.clock.now_s += 2 * WIDTH_S
            assert at_work.back.startable() is None
            at_work.provider.hanging_longer.set()


async def test_while_all_fail_one_at_a_time_is_tried_and_when_one_is_answered_the_others_follow() -> None:
    vm_ids = [f"vm-{number:03}" for number in range(200)]
    async with looking_back(*vm_ids, workers=32) as at_work:
        at_work.provider.longer = dict.fromkeys(vm_ids, overloaded())
        for vm_id in vm_ids:
            at_work.owes(vm_id)
        assert len(await at_work.begin()) == 8
        for _ in range(10):
            wait_s = at_work.back.wait_s()
            assert wait_s is not None
            assert wait_s > 5
            at_work.clock.now_s += wait_s
            assert len(await at_work.begin()) == 1
        at_work.clock.now_s += 45
        begun = [at_work.back.startable(), at_work.back.startable()]
        assert begun[1] is None
        at_work.provider.longer = dict.fromkeys(vm_ids, 1)
        await at_work.back.look(str(begun[0]))
        assert {begun[0], *await at_work.begin()} == set(vm_ids)


async def test_a_vm_that_fails_alone_holds_up_no_other() -> None:
    vm_ids = [f"vm-{number:03}" for number in range(20)]
    async with looking_back("bad", *vm_ids, workers=8) as at_work:
        at_work.provider.longer["bad"] = overloaded()
        for vm_id in ("bad", *vm_ids):
            at_work.owes(vm_id)
        assert len(await at_work.begin()) == 21


async def test_a_vm_that_is_gone_is_forgotten() -> None:
    async with looking_back("a", "b") as at_work:
        at_work.owes("a")
        at_work.owes("b")
        at_work.back.forget("a")
        at_work.fleet.replace(ACCOUNT, (), ["a", "b"])
        assert await at_work.begin() == ["b"]
        assert at_work.provider.asked_longer == []
        at_work.back.forget("b")
        assert (at_work.back.owing, at_work.back.wait_s()) == (0, None)


async def test_a_vm_that_goes_while_it_fails_is_not_asked_again() -> None:
    async with looking_back("a", workers=100) as at_work:
        at_work.provider.longer["a"] = overloaded()
        at_work.provider.hanging_longer = asyncio.Event()
        at_work.owes("a")
        async with asyncio.TaskGroup() as group:
            looking_at = group.create_task(at_work.begin())
            await eventually(lambda: asked_back(at_work.provider.asked_longer, 1))
            at_work.back.forget("a")
            at_work.provider.hanging_longer.set()
        assert looking_at.result() == ["a"]
        assert at_work.back.wait_s() is None


async def asked_back(asked: list[tuple[str, str]], times: int) -> bool:
    return len(asked) >= times


async def test_vms_count_as_owing_when_something_is_missing_and_not_when_a_period_is_to_show_itself() -> None:
    async with looking_back("a", "b", "c") as at_work:
        at_work.owes("a")
        at_work.owes("b", in_s=5_000.0)
        at_work.owes("c", is_owed=False)
        assert at_work.back.owing == 2
        at_work.provider.longer["c"] = overloaded()
        await at_work.begin()
        assert [event.is_owed for event in at_work.failures] == [False]
        at_work.owes_nothing("a")
        assert at_work.back.owing == 1


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_look_back_that_was_cut_off_or_met_a_fault_of_ours_is_due_again_with_the_next_answer(
    failures: int,
) -> None:
    async with looking_back("a", workers=100) as at_work:
        at_work.owes("a")
        for error in (*[overloaded()] * failures, ZeroDivisionError("a bug")):
            at_work.provider.longer["a"] = error
            at_work.clock.now_s += at_work.back.wait_s() or 0.0
            vm_id = at_work.back.startable()
            assert vm_id == "a"
            if isinstance(error, ZeroDivisionError):
                with pytest.raises(ZeroDivisionError):
                    await at_work.back.look(vm_id)
            else:
                await at_work.back.look(vm_id)
        assert at_work.back.wait_s() is None
        at_work.provider.longer["a"] = 1
        at_work.owes("a")
        at_work.clock.now_s += WIDTH_S
        assert await at_work.begin() == ["a"]


async def owing_all(at_work: Looking, *vm_ids: str) -> None:
    """Make all of them owe something: the provider's time goes on by more than a window between two looks."""
    await at_work.listed(*vm_ids)
    await at_work.round.once()
    await at_work.intake.settled()
    at_work.provider.asked_longer.clear()
    at_work.provider.ahead_s += 30 * WIDTH_S
    at_work.round = at_work.build()
    await at_work.round.once()
    await at_work.intake.settled()


async def test_once_asks_every_vm_that_owes_something() -> None:
    async with looking(runs=False) as at_work:
        at_work.provider.longer = {"a": 150, "b": 150}
        await owing_all(at_work, "a", "b", "c")
        assert at_work.round._back.owing == 3
        await at_work.round.back_once()
        await at_work.intake.settled()
        assert {vm_id for vm_id, _ in at_work.provider.asked_longer} == {"a", "b", "c"}
        assert [event.vm_id for event in at_work.failures_back()] == ["c"]
        owed_s = {vm_id: vm.interfaces[0].owed_s for vm_id, vm in at_work.fleet.vms(ACCOUNT).items()}
        assert owed_s["a"] == owed_s["b"] < owed_s["c"]


async def test_looks_go_on_while_looks_back_last() -> None:
    async with looking(runs=False, workers=4) as at_work, asyncio.TaskGroup() as group:
        await owing_all(at_work, "a", "b")
        at_work.provider.hanging_longer = asyncio.Event()
        running = group.create_task(at_work.round.run())
        await eventually(lambda: asked_back(at_work.provider.asked_longer, 1))
        await at_work.listed("a", "b", "c", "d")
        await eventually(lambda: at_work.asked("c", "d"), within_s=2)
        assert at_work.provider.most_longer_at_once == 1
        at_work.provider.hanging_longer.set()
        await eventually(lambda: asked_back(at_work.provider.asked_longer, 2))
        at_work.round.stop()
        await running


async def test_while_the_collector_fails_as_a_whole_nobody_is_looked_back_at() -> None:
    async with looking(runs=False, interval_s=0.05) as at_work, asyncio.TaskGroup() as group:
        await owing_all(at_work, "a", "b")
        for vm_id in ("a", "b"):
            at_work.provider.failing[vm_id] = not_found()
        await at_work.round.once()
        running = group.create_task(at_work.round.run())
        asked = at_work.provider.asked["a"] + at_work.provider.asked["b"]
        await eventually(lambda: tried(at_work, asked + 3))
        assert at_work.provider.asked_longer == []
        at_work.provider.failing.clear()
        await eventually(lambda: asked_back(at_work.provider.asked_longer, 1))
        at_work.round.stop()
        await running


async def tried(at_work: Looking, times: int) -> bool:
    return at_work.provider.asked.total() >= times


async def test_a_bug_that_a_look_back_meets_ends_no_other_look() -> None:
    async with looking(runs=False) as at_work:
        at_work.provider.longer = {"a": ZeroDivisionError("a bug"), "b": 150}
        await owing_all(at_work, "a", "b")
        await at_work.round.back_once()
        assert {vm_id for vm_id, _ in at_work.provider.asked_longer} == {"a", "b"}
        bugs = [event for event in at_work.events if isinstance(event, TaskFailed)]
        assert [(bug.task, type(bug.error)) for bug in bugs] == [("production/traffic", ZeroDivisionError)]


async def test_a_period_that_the_provider_does_not_know_is_an_answer_and_holds_nobody_back() -> None:
    async with looking_back("a", "b", "c") as at_work:
        at_work.provider.longer = dict.fromkeys("abc", not_found())
        for vm_id in "abc":
            at_work.owes(vm_id)
        assert await at_work.begin() == ["a", "b", "c"]
        assert [event.error.code for event in at_work.failures] == ["404"] * 3
