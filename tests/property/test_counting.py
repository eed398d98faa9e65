"""Whatever the provider shows, and whenever it is looked at: a counter grows by what the buckets hold in the end."""

import itertools
import math
from dataclasses import dataclass
from dataclasses import replace as replaced
from random import Random

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.collectors import CpuReading, InterfaceReading, TrafficReading
from exporter.counting import Grid, Manner, Series, Strip, Window, begin, complete_until_ms, enter, fold, leave
from exporter.counting.series import bucket_by_bucket, going_on
from exporter.fleet import Machine
from exporter.intake.folding import fold_cpu, fold_machine, fold_traffic
from exporter.ledger import VmRecord

WINDOW = 12
"""Buckets in the provider's shortest window."""
PAST = 40
EPOCH = 1_700_000_000 // 86_400 * 86_400
"""A multiple of every width that is tried."""


@dataclass(frozen=True)
class Provider:
    """What it shows: a bucket some time after its end, perhaps a part first; until then 0, or nothing.

    Buckets are numbered from the first look, `-PAST` being the first that there is. Lists are repeated for ever.
    """

    width: int
    amounts: list[float]
    lags: list[float]  # in widths
    partial: list[bool]
    unfilled: float | None
    first: int
    last: int
    """The buckets in which the machine ran."""

    def final(self, number: int) -> float:
        """What a bucket holds in the end."""
        return self.amounts[number % len(self.amounts)] if self.first <= number <= self.last else 0.0

    def shown(self, at: float) -> list[float | None]:
        """The window as it is shown so many widths after the first look."""
        until = math.floor(at)
        return [self._value(number, at) for number in range(until - WINDOW, until)]

    def _value(self, number: int, at: float) -> float | None:
        if not self.first <= number <= self.last:
            return self.unfilled
        # No bucket is published before the one in front of it.
        published = max(each + 1 + self.lags[each % len(self.lags)] for each in range(number - 3, number + 1))
        if at < published:
            return self.unfilled
        if self.partial[number % len(self.partial)] and at < published + 1.2:
            return self.final(number) / 2
        return self.final(number)


A_PROVIDER = Provider(300, [1.0], [0.0], [False], None, -PAST, PAST)

AMOUNTS = st.just(0.0) | st.floats(1e-3, 2.0**40) | st.integers(1, 10**9).map(float)


LONG_AGO = st.just(-PAST)


def providers(
    amounts: st.SearchStrategy[float] = AMOUNTS, *, first: st.SearchStrategy[int] = LONG_AGO, distinct: int = 0
) -> st.SearchStrategy[Provider]:
    return st.builds(
        Provider,
        width=st.sampled_from([2, 60, 300]),
        amounts=st.lists(amounts, min_size=distinct or 1, max_size=30, unique=distinct > 0),
        lags=st.lists(st.floats(0, 1.4), min_size=1, max_size=7),
        partial=st.lists(st.booleans(), min_size=1, max_size=7),
        unfilled=st.sampled_from([None, 0.0]),
        first=first,
        last=st.integers(8, 24),
    )


GAPS = st.lists(st.floats(0.2, WINDOW / 3), min_size=3, max_size=60)
"""Widths between two looks: never more than a third of a window."""
QUIET = (1.0,) * 6
"""At the end nothing changes any more."""


def instants(provider: Provider, gaps: list[float]) -> list[float]:
    """When it is looked at, in widths: from 0 until some time after the machine has stopped."""
    until = provider.last + 5.0
    times = [0.0]
    for gap in gaps:
        if times[-1] + gap < until:
            times.append(times[-1] + gap)
    while times[-1] < until:
        times.append(min(times[-1] + 2.5, until))
    return [*times, *itertools.accumulate(QUIET, initial=until)][:-1]


def record_at(now_at: float) -> VmRecord:
    machine = Machine(vm_id="24", label="web-1", hostname="web-1", status="online")
    return fold_machine(None, machine, asked_at=now_at, asked_seen_at=now_at, listed_before=False)


def ended_between(provider: Provider, from_ms: int, until_ms: int) -> int:
    """What the buckets hold in the end that ended after the one instant and not after the other."""
    return sum(
        enter(provider.final(number))
        for number in range(-PAST, provider.last + 1)
        if from_ms < (EPOCH + (number + 1) * provider.width) * 1000 <= until_ms
    )


def traffic(provider: Provider, at: float) -> TrafficReading:
    values = tuple(provider.shown(at))
    width_ms, last = provider.width * 1000, math.floor(at)
    count = 1 + max((number for number, value in enumerate(values) if value is not None), default=-1)
    begin_ms = EPOCH * 1000 + (last - WINDOW) * width_ms
    asked_at = EPOCH + at * provider.width
    strip = Strip(begin_ms, EPOCH * 1000 + last * width_ms, values[:count], round(asked_at * 1000))
    return TrafficReading(
        account="production",
        vm_id="24",
        interfaces=(InterfaceReading("45", "1", public=True, receive=strip, transmit=strip),) if count else (),
        width_hint_ms=width_ms,
        refused=0,
        duplicates=0,
        asked_at=asked_at,
        asked_seen_at=asked_at,
    )


def cpu(provider: Provider, at: float, *, clock_error: float) -> CpuReading:
    """A list without times, of busy seconds; the provider's clock is read so many widths wrong."""
    asked_at = EPOCH + (at + clock_error) * provider.width
    values = tuple(provider.shown(at))
    nothing = all(value is None for value in values)
    return CpuReading(
        account="production",
        vm_id="24",
        values=() if nothing else values,
        width_ms=provider.width * 1000,
        cores=None,
        refused=0,
        asked_at=asked_at,
        asked_seen_at=asked_at,
    )


@given(provider=providers(), gaps=GAPS)
def test_traffic_grows_by_the_buckets_that_ended_between_its_timestamps(provider: Provider, gaps: list[float]) -> None:
    record = record_at(EPOCH)
    first: tuple[int, int] | None = None
    exposed = 0
    for at in instants(provider, gaps):
        record = fold_traffic(record, traffic(provider, at), created_at=None, grids={}, late_ms=0).record
        if "45" in record.interfaces:
            series = record.interfaces["45"].receive
            assert series.exposed >= exposed
            exposed = series.exposed
            first = first or (series.newest_ms, series.exposed)
    if first is None:
        return
    series = record.interfaces["45"].receive
    assert first[1] == 0
    assert series.exposed == ended_between(provider, first[0], series.newest_ms)
    assert record.interfaces["45"].transmit.exposed == series.exposed


@given(
    provider=providers(st.integers(1, 10**6).map(float), distinct=2 * WINDOW),
    gaps=GAPS,
    clock_errors=st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=5),
)
def test_cpu_grows_by_the_chunks_that_ended_between_its_timestamps(
    provider: Provider, gaps: list[float], clock_errors: list[float]
) -> None:
    """Distinct values make up for a clock that is nearly a chunk wrong; where lists end, only it can say."""
    record = record_at(EPOCH)
    first: int | None = None
    beside_ms = 0
    for count, at in enumerate(instants(provider, gaps)):
        reading = cpu(provider, at, clock_error=clock_errors[count % len(clock_errors)])
        record = fold_cpu(record, reading, created_at=None, grids={}, late_ms=0).record
        if record.cpu is not None and reading.values:
            beside_ms = record.cpu.told.end_ms - (EPOCH + math.floor(at) * provider.width) * 1000
            first = record.cpu.series.newest_ms - beside_ms if first is None else first
    if record.cpu is None or first is None:
        return
    series = record.cpu.series
    assert series.exposed == ended_between(provider, first, series.newest_ms - beside_ms)


@given(provider=providers(first=st.integers(-WINDOW + 1, 0)), gaps=GAPS)
def test_of_a_machine_younger_than_the_window_everything_counts_after_its_zero_was_shown(
    provider: Provider, gaps: list[float]
) -> None:
    created_at = EPOCH + (provider.first + 0.4) * provider.width
    record = record_at(max(EPOCH, created_at))
    zero_since_at: float | None = None
    for at in instants(provider, gaps):
        reading = traffic(provider, at)
        record = fold_traffic(record, reading, created_at=created_at, grids={}, late_ms=0).record
        if "45" in record.interfaces:
            zero_since_at = zero_since_at or reading.asked_at
            if record.interfaces["45"].receive.exposed:
                assert reading.asked_at - zero_since_at >= provider.width - 0.001  # it is taken in whole milliseconds
    if "45" in record.interfaces:
        series = record.interfaces["45"].receive
        assert series.exposed == ended_between(provider, 0, series.newest_ms)


@given(
    provider=providers(st.floats(1.0, 1e6)),
    lag=st.floats(0.0, 5.0),
    jitters=st.lists(st.floats(0.0, 0.4), min_size=1, max_size=5),
    gaps=st.lists(st.floats(0.2, 1.2), min_size=30, max_size=60),
)
def test_a_bucket_that_is_published_late_is_never_taken_for_idleness(
    provider: Provider, lag: float, jitters: list[float], gaps: list[float]
) -> None:
    """However late that is, as long as it is about as late as the buckets before it."""
    busy = replaced(provider, lags=[lag + jitter for jitter in jitters], unfilled=0.0, partial=[False])
    record, late_ms = record_at(EPOCH), 0
    for at in instants(busy, gaps):
        if at > busy.last:
            break
        gained = fold_traffic(record, traffic(busy, at), created_at=None, grids={}, late_ms=late_ms)
        record, late_ms = gained.record, gained.late_ms
        if "45" in record.interfaces:
            newest = record.interfaces["45"].receive.newest
            assert newest is not None
            assert newest.value > 0


@given(
    lag_s=st.floats(0, 120),
    gaps_s=st.lists(st.floats(60, 1_200), min_size=20, max_size=40),
    loads=st.lists(st.floats(50, 150), min_size=1, max_size=9),
)
def test_windows_that_slide_with_the_clock_are_counted_nearly(
    lag_s: float, gaps_s: list[float], loads: list[float]
) -> None:
    """Buckets have other bounds in each answer, and the newest is partial for a while; values are shared by time."""

    def done(until_s: float) -> float:
        minutes, rest = divmod(until_s, 60)
        whole = sum(loads[minute % len(loads)] for minute in range(int(minutes)))
        return 60 * whole + rest * loads[int(minutes) % len(loads)]

    record, now_s, first_ms = record_at(EPOCH), 7_200.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        bounds = [now_s - 3_600 + 300 * number for number in range(13)]
        values = tuple(done(min(end, now_s - lag_s)) - done(start) for start, end in itertools.pairwise(bounds))
        begin_ms = round((EPOCH + bounds[0]) * 1000)
        strip = Strip(begin_ms, begin_ms + 3_600_000, values, begin_ms + 3_600_000)
        interfaces = (InterfaceReading("45", "1", public=True, receive=strip, transmit=strip),)
        reading = replace(
            traffic(A_PROVIDER, 0.0), interfaces=interfaces, width_hint_ms=300_000, asked_at=EPOCH + now_s
        )
        record = fold_traffic(record, reading, created_at=None, grids={}, late_ms=0).record
        first_ms = first_ms or record.interfaces["45"].receive.newest_ms
    series = record.interfaces["45"].receive
    true = done(series.newest_ms / 1000 - EPOCH) - done(first_ms / 1000 - EPOCH)
    assert abs(leave(series.exposed) - true) <= 150 * (lag_s + 300)


VALUES = st.lists(st.none() | st.integers(0, 5), min_size=4, max_size=4)


@given(texts=st.lists(VALUES, min_size=2, max_size=4), order=st.randoms(use_true_random=False))
def test_answers_of_one_window_fold_alike_in_any_order_and_twice_is_once(
    texts: list[list[int | None]], order: Random
) -> None:
    """The value that was asked for last counts, whichever answer is taken first."""
    windows = [Window(0, 10_000, tuple(each), asked_ms=40_000 + number) for number, each in enumerate(texts)]
    shuffled = [*windows, *windows]
    order.shuffle(shuffled)

    def folded(answers: list[Window]) -> int:
        manner = Manner(final_after_ms=0, settled_after_ms=0)
        series = Series(settled_ms=0, left_ms=0, newest_ms=0, complete_ms=0, held_until_ms=0, began_ms=0)
        for answer in answers:
            complete_ms = complete_until_ms(answer, now_ms=answer.asked_ms, idle_after_ms=20_000)
            series = fold(series, answer, manner=manner, complete_ms=complete_ms, now_ms=90_000, off=None)
        return sum(bucket.value for bucket in series.buckets())

    assert folded(shuffled) == folded(windows)


@given(
    provider=providers(first=st.integers(-PAST, 0)),
    gaps=st.lists(st.floats(0.2, 1.5) | st.floats(0.2, 2 * WINDOW), min_size=3, max_size=60),
    settled_after=st.integers(0, WINDOW),
    hold=st.integers(0, 3),
    span=st.integers(WINDOW // 2, 2 * WINDOW),
    looks=st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, 1, 3]), st.sampled_from([1, 1, 1, 3]), st.sampled_from([0, 0, 0, 0.3, 1.3])
        ),
        min_size=1,
        max_size=7,
    ),
)
def test_an_answer_that_goes_on_counts_as_it_does_bucket_by_bucket(
    *,
    provider: Provider,
    gaps: list[float],
    settled_after: int,
    hold: int,
    span: int,
    looks: list[tuple[int, int, float]],
) -> None:
    """`looks`: how many buckets a look does not find at the end, by how much it overstates the last one that it does,
    and how old it is when it comes, in widths.
    """
    width_ms = provider.width * 1000
    longer = Grid(width_ms=5 * width_ms, end_ms=EPOCH * 1000 + 2 * width_ms, count=span)
    manner = Manner(
        final_after_ms=settled_after * width_ms,
        settled_after_ms=settled_after * width_ms,
        hold_ms=hold * width_ms,
        grids=(longer,) if hold else (),
    )
    series: Series | None = None
    went_on = 0
    for came, (missing, times, old) in zip(instants(provider, gaps), itertools.cycle(looks), strict=False):
        at = came - old
        last, now_ms = math.floor(at), EPOCH * 1000 + round(at * width_ms)
        values = tuple(None if value is None else enter(value) for value in provider.shown(at)[: WINDOW - missing])
        values = (*values[:-1], values[-1] and values[-1] * times)
        window = Window(EPOCH * 1000 + (last - WINDOW) * width_ms, width_ms, values, now_ms)
        complete_ms = complete_until_ms(window, now_ms=now_ms, idle_after_ms=3 * width_ms)
        if series is None:
            if complete_ms is None:
                continue
            series = begin(
                window, counts_from_ms=now_ms - width_ms, from_birth=False, complete_ms=complete_ms, now_ms=now_ms
            )
        gone_on = going_on(series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms)
        series = bucket_by_bucket(series, window, manner=manner, complete_ms=complete_ms, now_ms=now_ms, off=None)
        assert gone_on is None or gone_on == series
        went_on += gone_on is not None
    event(f"went on {min(went_on, 5)} times or more")


@given(value=st.floats(0, 2.0**60))
def test_a_value_comes_out_as_it_went_in(value: float) -> None:
    kept = leave(enter(value))
    assert kept == value if value >= 2**12 else abs(kept - value) <= 2.0**-41
