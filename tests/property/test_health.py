"""A collector has failed when no VM that says how it fares can be looked at: whatever came, went, turned and failed."""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.gigas import GigasError, NotFound, TimedOut
from exporter.schedule.health import Health

ERRORS = (NotFound("production", "bw_stats", 404), TimedOut("production", "bw_stats", "no answer in time"))


@dataclass
class Seen:
    """A VM as the test knows it."""

    running: bool
    error: GigasError | None = None


class Fares(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.health = Health()
        self.vms: dict[str, Seen] = {}
        self.last: GigasError | None = None
        self.came = 0

    def _some(self, number: int) -> str:
        return sorted(self.vms)[number % len(self.vms)]

    @rule(running=st.booleans())
    def comes(self, running: bool) -> None:
        self.came += 1
        self.vms[str(self.came)] = Seen(running)
        self.health.came(running=running)

    @precondition(lambda self: self.vms)
    @rule(number=st.integers(0, 99))
    def goes(self, number: int) -> None:
        vm_id = self._some(number)
        self.health.went(vm_id, running=self.vms.pop(vm_id).running)

    @precondition(lambda self: self.vms)
    @rule(number=st.integers(0, 99))
    def turns(self, number: int) -> None:
        vm_id = self._some(number)
        self.vms[vm_id].running = not self.vms[vm_id].running
        self.health.turned(vm_id, running=self.vms[vm_id].running)

    @precondition(lambda self: self.vms)
    @rule(number=st.integers(0, 99), error=st.sampled_from(ERRORS))
    def fails(self, number: int, error: GigasError) -> None:
        vm_id = self._some(number)
        before = self.vms[vm_id].error
        self.vms[vm_id].error = self.last = error
        assert self.health.failed(vm_id, error, running=self.vms[vm_id].running) == (before is not error)

    @precondition(lambda self: self.vms)
    @rule(number=st.integers(0, 99))
    def answers(self, number: int) -> None:
        vm_id = self._some(number)
        failed, self.vms[vm_id].error = self.vms[vm_id].error is not None, None
        assert self.health.answered(vm_id, running=self.vms[vm_id].running) == failed

    @invariant()
    def is_as_the_vms_are(self) -> None:
        failing = [vm for vm in self.vms.values() if vm.error is not None]
        running = [vm for vm in self.vms.values() if vm.running]
        asked = running or list(self.vms.values())
        assert (self.health.running, self.health.failing) == (len(running), len(failing))
        assert self.health.causes == tuple(sorted({vm.error.cause for vm in failing if vm.error}))
        all_fail = bool(asked) and all(vm.error is not None for vm in asked)
        assert self.health.whole_failure() == (self.last if all_fail else None)


TestFares = Fares.TestCase


def test_some_speak_for_all_until_one_has_answered() -> None:
    health = Health()
    for _ in range(3):
        health.came(running=True)
    health.take_for_all(2)
    health.failed("a", ERRORS[0], running=True)
    assert health.whole_failure() is None
    health.failed("b", ERRORS[1], running=True)
    assert health.whole_failure() is ERRORS[1]
    health.answered("a", running=True)
    health.failed("a", ERRORS[0], running=True)
    assert health.whole_failure() is None
