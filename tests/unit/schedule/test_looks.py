"""Each VM is looked at when it is due, whatever becomes of the others."""

import asyncio
import itertools
from functools import partial

from exporter.clock import SystemClock
from exporter.collectors import SHORTEST
from exporter.fleet import Outcome
from exporter.intake import Taken
from exporter.schedule import AgesSeen, LooksBegan, TaskFailed
from exporter.schedule.pace import Habit, Learned
from tests.builders import interface, vm
from tests.unit.schedule.looking import ACCOUNT, Looking, looking, not_found
from tests.waiting import eventually


async def test_a_vm_that_appears_is_looked_at_at_once_whatever_the_interval() -> None:
    async with looking(interval_s=900.0) as at_work:
        await at_work.listed("a", "b")
        await eventually(lambda: at_work.asked("a", "b"), within_s=2)
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("c"), within_s=2)
        assert at_work.provider.asked == {"a": 1, "b": 1, "c": 1}


async def test_a_vm_that_runs_again_is_looked_at_at_once() -> None:
    async with looking(interval_s=0.1) as at_work:
        await at_work.listed("a", status="offline")
        await eventually(lambda: at_work.asked("a"), within_s=2)
        await at_work.listed("a", status="offline")
        assert at_work.provider.asked["a"] == 1
        await at_work.listed("a", status="online")
        await eventually(lambda: at_work.asked("a", times=2), within_s=2)


async def test_a_vm_that_hangs_delays_no_other() -> None:
    async with looking(workers=2) as at_work:
        at_work.provider.hanging["a"] = asyncio.Event()
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("a", "b", "c"), within_s=2)
        for more in range(5):
            await at_work.listed("a", "b", "c", f"new-{more}")
            await eventually(partial(at_work.asked, f"new-{more}"), within_s=2)
        assert at_work.provider.asked["a"] == 1  # it is not asked a second time meanwhile
        assert at_work.round._health.whole_failure() is None


async def test_a_run_that_lasts_is_told_of_at_every_interval() -> None:
    async with looking(interval_s=0.1) as at_work:
        at_work.provider.hanging["a"] = asyncio.Event()
        await at_work.listed("a")
        await eventually(lambda: at_work.asked("a"))

        async def told() -> bool:
            at_work.round.nudge()
            return len(at_work.runs()) >= 3

        await eventually(told, within_s=3)
        assert all(run.error is None for run in at_work.runs())


async def test_no_more_vms_are_looked_at_at_the_same_time_than_there_are_workers() -> None:
    async with looking(workers=3) as at_work:
        names = [f"vm-{number}" for number in range(20)]
        await at_work.listed(*names)
        await eventually(lambda: at_work.asked(*names))
        assert at_work.provider.most_at_once == 3


async def test_a_vm_that_fails_is_asked_again_and_is_one_failing_of_many() -> None:
    async with looking() as at_work:
        at_work.provider.failing["a"] = not_found()
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("a", "b", "c", times=1))
        await eventually(lambda: at_work.asked("a", times=3), within_s=5)
        assert at_work.provider.asked["b"] == 1
        last = at_work.runs()[-1]
        assert (last.error, last.failing, last.vms, last.causes) == (None, 1, 3, ("HTTP 404",))
        assert [event.vm_id for event in at_work.failures()] == ["a"]  # once, not at every look


async def test_a_failure_is_told_when_it_begins_changes_and_ends() -> None:
    async with looking() as at_work:
        at_work.provider.failing["a"] = not_found()
        await at_work.listed("a", "b")
        await eventually(lambda: at_work.asked("a", times=2))
        at_work.provider.failing["a"] = not_found("HTTP 410")
        await eventually(lambda: told(at_work, 2))
        del at_work.provider.failing["a"]
        await eventually(lambda: told(at_work, 3), within_s=5)
        causes = [event.error and event.error.cause for event in at_work.failures()]
        assert causes == ["HTTP 404", "HTTP 410", None]
        await eventually(lambda: nothing_fails(at_work))


async def told(at_work: Looking, times: int) -> bool:
    return len(at_work.failures()) >= times


async def nothing_fails(at_work: Looking) -> bool:
    return at_work.runs()[-1].failing == 0


async def test_a_collector_fails_as_a_whole_when_no_running_vm_can_be_looked_at() -> None:
    async with looking() as at_work:
        for vm_id in ("a", "b", "c"):
            at_work.provider.failing[vm_id] = not_found()
        await at_work.listed("a", "b", "c")
        await eventually(lambda: failed_as_a_whole(at_work))
        at_work.provider.failing.clear()
        await eventually(lambda: nothing_fails(at_work), within_s=5)
        assert at_work.runs()[-1].error is None


async def failed_as_a_whole(at_work: Looking) -> bool:
    return bool(at_work.runs()) and at_work.runs()[-1].error is not None


async def test_while_nothing_answers_one_vm_at_a_time_is_tried() -> None:
    async with looking(interval_s=0.05, workers=8) as at_work:
        names = [f"vm-{number}" for number in range(40)]
        for name in names:
            at_work.provider.failing[name] = not_found()
        await at_work.listed(*names)
        await eventually(lambda: failed_as_a_whole(at_work))
        first, at_work.provider.most_at_once = at_work.provider.asked.total(), 0
        assert first <= len(names) + 8
        await eventually(lambda: tried(at_work, first + 4), within_s=10)
        assert at_work.provider.most_at_once == 1
        at_work.provider.failing.clear()
        await eventually(lambda: at_work.asked(*names), within_s=10)


async def tried(at_work: Looking, times: int) -> bool:
    return at_work.provider.asked.total() >= times


async def test_vms_that_are_off_do_not_say_how_the_collector_fares() -> None:
    async with looking() as at_work:
        await at_work.listed("off", status="offline")
        await eventually(lambda: at_work.asked("off"))
        await eventually(lambda: has_run(at_work))
        assert at_work.runs()[-1].error is None


async def has_run(at_work: Looking) -> bool:
    return bool(at_work.runs())


async def test_a_bug_that_one_vm_meets_ends_no_look_at_the_others() -> None:
    async with looking() as at_work:
        at_work.provider.failing["a"] = ZeroDivisionError("a bug")
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("a", "b", "c"))
        await at_work.listed("a", "b", "c", "d")
        await eventually(lambda: at_work.asked("d"))
        bugs = [event for event in at_work.events if isinstance(event, TaskFailed)]
        assert [(bug.task, type(bug.error)) for bug in bugs] == [("production/traffic", ZeroDivisionError)]
        assert at_work.provider.asked["a"] == 1


async def test_a_vm_that_goes_is_forgotten_even_while_it_is_looked_at() -> None:
    async with looking() as at_work:
        at_work.provider.failing["a"] = not_found()
        at_work.provider.failing["b"] = not_found()
        at_work.provider.hanging["b"] = asyncio.Event()
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("a", "b", "c"))
        await at_work.listed("c")
        at_work.provider.hanging["b"].set()
        await at_work.listed("c")
        round_ = at_work.round
        await eventually(lambda: idle(at_work))
        assert set(round_._watched) == {"c"}
        assert (round_._health.running, round_._health.failing) == (1, 0)
        assert "a" not in round_._due
        assert "b" not in round_._due


async def idle(at_work: Looking) -> bool:
    """Nothing is looked at, and the next look is some time away: a VM that is gone must not keep the task awake."""
    wait_s = at_work.round._wait_s()
    return not at_work.round._looking and wait_s is not None and wait_s > 0.1


async def test_a_round_that_stops_lets_what_is_in_flight_end_and_begins_nothing() -> None:
    async with looking(runs=False) as at_work, asyncio.TaskGroup() as group:
        at_work.provider.hanging["a"] = asyncio.Event()
        running = group.create_task(at_work.round.run())
        await at_work.listed("a")
        await eventually(lambda: at_work.asked("a"))
        at_work.round.stop()
        await at_work.listed("a", "b")
        assert not running.done()
        at_work.provider.hanging["a"].set()
        await running
        await at_work.intake.settled()
        assert at_work.provider.asked == {"a": 1}
        assert at_work.fleet.vms("production")["a"].interfaces


async def test_a_round_that_was_ended_by_a_fault_looks_at_every_vm_again() -> None:
    async with looking(runs=False) as at_work:
        at_work.provider.hanging["a"] = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(at_work.round.run())
            await at_work.listed("a")
            await eventually(lambda: at_work.asked("a"))
            running.cancel()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(at_work.round.run())
            await eventually(lambda: at_work.asked("a", times=2))
            running.cancel()


async def test_a_round_that_is_made_anew_looks_at_the_vms_that_are_known_at_once() -> None:
    async with looking() as at_work:
        await at_work.listed("a")
        await eventually(lambda: at_work.asked("a"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(at_work.build().run())
            await eventually(lambda: at_work.asked("a", times=2))
            running.cancel()


async def test_once_looks_at_every_vm_and_gives_up_when_the_first_ones_all_fail() -> None:
    async with looking(runs=False, workers=4) as at_work:
        names = [f"vm-{number}" for number in range(30)]
        await at_work.listed(*names)
        assert await at_work.round.once() is None
        assert at_work.provider.asked.total() == 30
    async with looking(runs=False, workers=4) as at_work:
        await at_work.listed(*names)
        for name in names:
            at_work.provider.failing[name] = not_found()
        error = await at_work.round.once()
        assert error is not None
        assert at_work.provider.asked.total() <= 8
        outcomes = {vm.traffic_outcome for vm in at_work.fleet.vms("production").values()}
        assert outcomes == {Outcome.FAILING}
        assert at_work.runs()[-1].error is error


def know_counted(at_work: Looking, **until_at: float | None) -> None:
    """Have these VMs in the fleet, as a restart leaves them: counted until then (None: nothing is)."""
    at_work.fleet.replace(
        ACCOUNT,
        [
            vm(ACCOUNT, vm_id=vm_id, interfaces=() if at is None else (interface(until_at=at),))
            for vm_id, at in until_at.items()
        ],
    )


async def test_after_a_start_vms_without_statistics_come_first_and_then_the_oldest() -> None:
    async with looking(runs=False, workers=1) as at_work, asyncio.TaskGroup() as group:
        know_counted(at_work, a=700.0, b=None, c=100.0, d=900.0, e=None, f=400.0)
        running = group.create_task(at_work.round.run())
        await eventually(lambda: at_work.asked(*"abcdef"))
        running.cancel()
        assert list(at_work.provider.asked) == ["b", "e", "c", "f", "a", "d"]


async def test_one_vm_that_always_fails_does_not_keep_the_others_from_being_tried_after_an_outage() -> None:
    async with looking(runs=False, workers=2, interval_s=0.1) as at_work, asyncio.TaskGroup() as group:
        know_counted(at_work, a=None, b=200.0, c=100.0)
        at_work.provider.failing |= {vm_id: not_found() for vm_id in "abc"}
        running = group.create_task(at_work.round.run())
        await eventually(lambda: failed_as_a_whole(at_work))
        del at_work.provider.failing["b"], at_work.provider.failing["c"]
        # By then it is due again itself: who has failed least is tried, not who has waited for longest.
        await eventually(lambda: at_work.asked("b", "c", times=2), within_s=10)
        running.cancel()


async def test_once_looks_at_the_oldest_first() -> None:
    async with looking(runs=False, workers=1) as at_work:
        know_counted(at_work, a=700.0, b=None, c=100.0)
        await at_work.round.once()
        assert list(at_work.provider.asked) == ["b", "c", "a"]


async def test_how_late_a_look_begins_is_told_and_how_many_wait() -> None:
    async with looking(workers=1) as at_work:
        at_work.provider.hanging["a"] = asyncio.Event()
        await at_work.listed("a", "b", "c")
        await eventually(lambda: at_work.asked("a"))
        at_work.provider.hanging["a"].set()
        await eventually(lambda: at_work.asked("b", "c"))
        begun = [event for event in at_work.events if isinstance(event, LooksBegan)]
        assert [event.due for event in begun] == [2, 1, 0]
        late_s = [late_s for event in begun for late_s in event.late_s]
        assert len(late_s) == 3
        assert all(0 <= each < 5 for each in late_s)
        assert late_s == sorted(late_s)


async def test_looks_that_become_due_shortly_after_each_other_are_begun_together() -> None:
    async with looking(workers=8) as at_work:
        names = [f"vm-{number}" for number in range(6)]
        await at_work.listed(*names)
        await eventually(lambda: at_work.asked(*names))
        await at_work.intake.settled()
        at_work.provider.most_at_once = 0
        now_s = SystemClock().monotonic_s()
        for number, name in enumerate(names):
            at_work.round._due.put(name, now_s + 0.2 + 0.005 * number)
        at_work.round.nudge()
        await eventually(lambda: at_work.asked(*names, times=2))
        assert at_work.provider.most_at_once >= 3  # one wakes the round, the others are due when it looks again


async def test_a_look_that_would_come_too_early_by_what_was_learned_since_is_put_off() -> None:
    async with looking() as at_work:
        await at_work.listed("a", "b")
        await eventually(lambda: at_work.asked("a", "b"))
        await at_work.intake.settled()
        at_work.round._learned = Learned(width_s=10.0, lag=0.3)
        now_s = SystemClock().monotonic_s()
        for vm_id, placed in (("a", 0.2), ("b", 0.3)):
            known = at_work.round._watched[vm_id]
            known.habit, known.placed_s = Habit(placed=placed), now_s
            at_work.round._due.put(vm_id, now_s)
        at_work.events.clear()
        at_work.round.nudge()
        await eventually(lambda: at_work.asked("a", "b", times=2))
        assert [event.due for event in at_work.events if isinstance(event, LooksBegan)] == [0, 0]
        assert SystemClock().monotonic_s() - now_s >= 1.0
        late_s = [late_s for event in at_work.events if isinstance(event, LooksBegan) for late_s in event.late_s]
        assert all(0 <= each < 0.5 for each in late_s)


async def test_a_vm_that_runs_again_is_looked_at_at_once_however_much_was_learned_since() -> None:
    async with looking() as at_work:
        await at_work.listed("a")
        await eventually(lambda: at_work.asked("a"))
        await at_work.intake.settled()
        at_work.round._watched["a"].habit = Habit(placed=0.1)
        at_work.round._learned = Learned(width_s=100.0, lag=0.9)
        await at_work.listed("a", status="offline")
        await at_work.listed("a")
        await eventually(lambda: at_work.asked("a", times=2), within_s=10)


async def test_a_vm_of_which_another_look_would_tell_what_this_one_did_not_is_looked_at_as_soon_as_may_be() -> None:
    async with looking(interval_s=0.1) as at_work:
        await at_work.listed("a", "b")
        await eventually(lambda: at_work.asked("a", "b"))
        await at_work.intake.settled()
        for vm_id, again in (("a", True), ("b", False)):
            end_at = SystemClock().wall_s() // 100 * 100
            at_work.round.taken(
                Taken(
                    account=ACCOUNT,
                    vm_id=vm_id,
                    collector="traffic",
                    period=SHORTEST,
                    asked_at=end_at + 1,
                    end_at=end_at,
                    width_s=100.0,
                    filled=(True, True),
                    buckets=12,
                    again=again,
                )
            )
        await eventually(lambda: at_work.asked("a", times=2), within_s=2)
        assert at_work.provider.asked["b"] == 1


async def test_the_ages_of_running_vms_of_which_something_is_counted_are_told_by_the_providers_clock() -> None:
    async with looking(runs=False) as at_work:
        at_work.provider.ahead_s = 5_000.0
        now_at = SystemClock().wall_s()
        know_counted(at_work, a=now_at - 60, b=None, c=now_at - 600)
        at_work.fleet.replace(ACCOUNT, [vm(ACCOUNT, vm_id="off", status="offline", interfaces=(interface(),))])
        await at_work.round.once()  # An answer tells how the clocks differ.
        await at_work.round.tell_ages()
        told = [event for event in at_work.events if isinstance(event, AgesSeen)]
        assert [round(age_s, -1) for event in told for age_s in event.ages_s] == [5_060, 5_600]


async def test_the_ages_of_many_vms_are_told_in_steps() -> None:
    async with looking(runs=False) as at_work:
        know_counted(at_work, **{f"vm-{number}": 100.0 for number in range(450)})
        await at_work.round._know_vms()
        await at_work.round.tell_ages()
        told = [event for event in at_work.events if isinstance(event, AgesSeen)]
        assert [len(event.ages_s) for event in told] == [200, 200, 50]


async def test_the_ages_of_a_large_fleet_are_told_in_turn() -> None:
    async with looking(runs=False) as at_work:
        know_counted(at_work, **{f"vm-{number}": 100.0 * number for number in range(2_500)})
        await at_work.round._know_vms()
        turns: list[list[float]] = []
        for _ in range(4):
            at_work.events.clear()
            await at_work.round.tell_ages()
            turns.append([age_s for event in at_work.events if isinstance(event, AgesSeen) for age_s in event.ages_s])
        assert [len(told) for told in turns] == [1_000, 1_000, 500, 1_000]
        # Time goes on while they are told, but not by as much as lies between two VMs.
        assert all(older - newer > 50 for older, newer in itertools.pairwise(itertools.chain.from_iterable(turns[:3])))
        assert [round(age_s - first_s, -2) for age_s, first_s in zip(turns[3], turns[0], strict=True)] == [0.0] * 1_000
