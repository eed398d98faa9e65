"""Whatever happens to the provider, to the answers and to us: each bucket is counted once.

A history is what really was. The provider shows it late, partially, too large at first, or not at all; looks are
missed, come twice or out of order; the exporter is away for longer than the shortest window shows, and is killed before
or after it has committed. At every moment the counter has not fallen and is not more than was shown; when all is quiet
it is what really was.
"""

import math
import os
from collections.abc import Mapping
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from exporter.collectors import SHORTEST, CpuReading, TrafficReading
from exporter.counting import Ask, Grid, Series, enter
from exporter.fleet import Machine
from exporter.intake.arrears import reckon, repay_cpu, repay_traffic
from exporter.intake.folding import fold_cpu, fold_machine, fold_traffic
from exporter.ledger import VmRecord
from exporter.ledger.codec import vm_from, vm_text
from tests.histories import CPU_PERIODS, GRAIN, TRAFFIC_PERIODS, WIDTH_S, History, at_s, grids_of, number_of

EXAMPLES = int(os.environ.get("EXACTNESS_EXAMPLES", "100"))
LATE_MS = 3 * WIDTH_S * 1000
"""As late as buckets are here, which looks would teach."""
MACHINE = Machine(vm_id="24", label="web-1", hostname="web-1", status="online", created_at=0.0)

SOME_WIDTHS = st.integers(2, 60).map(lambda twentieths: twentieths / 20)
MORE_THAN_A_WINDOW = st.integers(60, 1_000).map(lambda twentieths: twentieths / 20)
DAYS = st.integers(50, 250).map(float)


class Counting(RuleBasedStateMachine):
    """Rules are what may happen; `count` is what the exporter does with an answer."""

    looks_at_first: ClassVar[int]
    most_estimated_ms: ClassVar[int | None] = 0
    grids: ClassVar[Mapping[str, Grid]]

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.5
        self.ask: Ask | None = None
        self.lost_ms = self.estimated_ms = 0
        self.kept: list[TrafficReading | CpuReading] = []
        self.last: TrafficReading | CpuReading | None = None
        self.first_ms: int | None = None
        self.exposed = 0
        self.bound = 0, 0
        self.record = fold_machine(None, MACHINE, asked_at=at_s(0.0), asked_seen_at=at_s(0.0), listed_before=False)

    def history(self, **of: object) -> History:
        raise NotImplementedError

    def reading(self, period: str) -> TrafficReading | CpuReading:
        raise NotImplementedError

    def folded(self, reading: TrafficReading | CpuReading) -> VmRecord:
        raise NotImplementedError

    def series(self) -> Series | None:
        raise NotImplementedError

    @initialize(
        seed=st.integers(0, 2**32),
        idle_share=st.sampled_from([0.0, 0.2, 0.8]),
        lags=st.lists(st.integers(0, 14).map(lambda tenths: tenths / 10), min_size=1, max_size=7).map(tuple),
        halves=st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple),
        corrected_after=st.integers(0, 20).map(lambda tenths: tenths / 10),
        unfilled=st.sampled_from([None, 0]),
    )
    def begin(self, **of: object) -> None:
        """It has been counted for long enough to know the sums at the bounds of longer buckets."""
        self.happened = self.history(**of)
        for _ in range(self.looks_at_first):
            self.look(1.0)

    def count(self, reading: TrafficReading | CpuReading) -> None:
        """Take an answer: fold, commit; what is shown then is what was committed."""
        self.last = reading
        folded = self.folded(reading)
        collector, now_ms = reading.collector, round(reading.asked_at * 1000)
        reckoned = reckon(folded, collector, grids=self.grids, now_ms=now_ms)
        self.record, self.ask = reckoned.record, reckoned.ask
        self.lost_ms += reckoned.lost_ms
        series = self.series()
        if series is None:
            return
        if self.first_ms is None:
            self.first_ms = series.newest_ms
        assert series.exposed >= self.exposed, "a counter fell"
        if not self.estimated_ms:
            assert series.exposed <= self.shown_at_most(self.first_ms, series), "more is counted than was shown"
        self.exposed = series.exposed

    def pass_widths(self, widths: float) -> None:
        self.at = round(self.at + widths, 2)

    def shown_at_most(self, first_ms: int, series: Series) -> int:
        """What has been shown until now of what may be counted; what is settled is not added up again each time."""
        first, settled = number_of(first_ms) + self.bound[0], number_of(series.settled_ms)
        if settled > first:
            self.bound = settled - number_of(first_ms), self.bound[1] + self.happened.shown_at_most(first, settled)
            first = settled
        return self.bound[1] + self.happened.shown_at_most(first, number_of(series.newest_ms))

    @rule(after=SOME_WIDTHS)
    def look(self, after: float) -> None:
        self.pass_widths(after)
        self.count(self.reading(SHORTEST))

    @rule(widths=MORE_THAN_A_WINDOW | DAYS)
    def be_away(self, widths: float) -> None:
        self.pass_widths(widths)

    @rule(after=SOME_WIDTHS, committed=st.booleans())
    def be_killed(self, after: float, *, committed: bool) -> None:
        """With an answer in hand, before it was committed or after; what was committed is read again."""
        before = self.record, self.ask, self.lost_ms, self.exposed, self.first_ms
        self.look(after)
        if not committed:
            self.record, self.ask, self.lost_ms, self.exposed, self.first_ms = before
        self.record = vm_from(vm_text(self.record))

    @precondition(lambda self: self.is_due())
    @rule()
    def look_back(self) -> None:
        assert self.ask is not None
        self.pass_widths(0.05)
        self.count(self.reading(self.ask.period))

    @rule(after=SOME_WIDTHS)
    def look_and_have_the_answer_later(self, after: float) -> None:
        self.pass_widths(after)
        self.kept.append(self.reading(SHORTEST))

    @precondition(lambda self: self.kept)
    @rule(place=st.integers(0, 99))
    def have_an_answer_late(self, place: int) -> None:
        self.count(self.kept.pop(place % len(self.kept)))

    def be_listed(self, *, running: bool) -> None:
        machine = replace(MACHINE, status="online" if running else "offline")
        asked_at = at_s(self.at)
        self.record = fold_machine(self.record, machine, asked_at=asked_at, asked_seen_at=asked_at, listed_before=True)

    @precondition(lambda self: self.last)
    @rule()
    def have_an_answer_twice(self) -> None:
        assert self.last is not None
        self.count(self.last)
        series = self.series()
        self.count(self.last)
        assert self.series() == series

    def is_due(self) -> bool:
        return self.ask is not None and self.ask.at_ms <= at_s(self.at) * 1000

    def teardown(self) -> None:
        if not hasattr(self, "happened"):
            return
        self.happened.ends_at = math.floor(self.at) + 2
        for _ in range(120):
            self.look(1.0)
            if self.is_due():
                self.look_back()
            series = self.series()
            if self.ask is None and series is not None and number_of(series.settled_ms) > self.happened.ends_at + 8:
                break
        self.is_exact()

    def is_exact(self) -> None:
        series = self.series()
        assert series is not None
        assert self.first_ms is not None
        assert series.settled_ms == series.left_ms, "something is owed for ever"
        assert self.lost_ms == 0
        if self.estimated_ms:
            assert self.most_estimated_ms is None
            return
        assert series.true == series.exposed
        assert series.true == self.happened.total(number_of(self.first_ms), number_of(series.newest_ms))


class CountingTraffic(Counting):
    looks_at_first = 40
    grids = grids_of(TRAFFIC_PERIODS)

    def history(self, **of: object) -> History:
        return History(**of)  # type: ignore[arg-type]

    def reading(self, period: str) -> TrafficReading:
        return self.happened.traffic(period, self.at)

    def folded(self, reading: TrafficReading | CpuReading) -> VmRecord:
        assert isinstance(reading, TrafficReading)
        if reading.period == SHORTEST:
            return fold_traffic(self.record, reading, created_at=0.0, grids=self.grids, late_ms=LATE_MS).record
        repayment = repay_traffic(self.record, reading, grids=self.grids, late_ms=LATE_MS)
        self.estimated_ms += repayment.estimated_ms
        return repayment.record

    def series(self) -> Series | None:
        interface = self.record.interfaces.get("45")
        if interface is None:
            return None
        assert interface.receive == interface.transmit
        return interface.receive

    @rule(widths=st.integers(1, 40), looks=st.integers(0, 4), seen_after=st.sampled_from([0.1, 0.9]))
    def be_stopped_and_started(self, widths: int, looks: int, seen_after: float) -> None:
        """A listing shows it a little later; looks go on meanwhile, or do not."""
        stopped = math.floor(self.at) + 1
        self.happened.off.append(range(stopped, stopped + widths))
        self.at = stopped + seen_after
        self.be_listed(running=False)
        for _ in range(looks):
            self.look(max(0.0, widths - 1) / looks)
        self.at = stopped + widths + seen_after
        self.be_listed(running=True)


class CountingYoungTraffic(CountingTraffic):
    """Counted for a few looks only: a gap in a longer bucket in which the series began is the one estimate. What was
    told stays, also if it has changed since; so it does not, here.
    """

    looks_at_first = 3
    most_estimated_ms = None

    def history(self, **of: object) -> History:
        return super().history(**of | {"halves": (2,)})


class CountingCpu(Counting):
    """Its clock is right: lists carry no times, and after an absence nothing else says where they lie. A chunk that was
    told and has changed while nobody looked is not asked for again.
    """

    looks_at_first = 70
    grids = grids_of(CPU_PERIODS)

    def history(self, **of: object) -> History:
        busy = {"most": enter(WIDTH_S) // GRAIN, "halves": (2,), "unfilled": 0}
        return History(**of | busy)  # type: ignore[arg-type]

    def reading(self, period: str) -> CpuReading:
        return self.happened.cpu(period, self.at)

    def folded(self, reading: TrafficReading | CpuReading) -> VmRecord:
        assert isinstance(reading, CpuReading)
        if reading.period == SHORTEST:
            return fold_cpu(self.record, reading, created_at=0.0, grids=self.grids, late_ms=LATE_MS).record
        return repay_cpu(self.record, reading, grids=self.grids, late_ms=LATE_MS).record

    def series(self) -> Series | None:
        return None if self.record.cpu is None else self.record.cpu.series


CountingTraffic.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=12, deadline=None)
CountingYoungTraffic.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=12, deadline=None)
CountingCpu.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=12, deadline=None)

TestTrafficIsCountedExactly = CountingTraffic.TestCase
TestYoungTrafficIsCountedExactly = CountingYoungTraffic.TestCase
TestCpuIsCountedExactly = CountingCpu.TestCase
