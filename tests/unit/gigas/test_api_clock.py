"""How far the provider's clock is from ours, learned from whole seconds."""

import math

from hypothesis import given
from hypothesis import strategies as st

from exporter.gigas.provider_clock import ProviderClock

DELAYS = st.floats(0.001, 5)
GAPS = st.floats(0, 300)


def observe(clock: ProviderClock, *, seen_at: float, offset_s: float, out_s: float, back_s: float) -> None:
    """An answer by a provider whose clock is `offset_s` ahead."""
    clock.observe(
        date_at=math.floor(seen_at + out_s + offset_s),
        sent_seen_at=seen_at,
        received_seen_at=seen_at + out_s + back_s,
    )


@given(offset_s=st.floats(-10_000, 10_000), exchanges=st.lists(st.tuples(GAPS, DELAYS, DELAYS), min_size=1))
def test_the_offset_is_never_further_off_than_one_answer_allows(
    offset_s: float, exchanges: list[tuple[float, float, float]]
) -> None:
    clock = ProviderClock()
    seen_at = 1_000_000.0
    for gap_s, out_s, back_s in exchanges:
        seen_at += gap_s
        observe(clock, seen_at=seen_at, offset_s=offset_s, out_s=out_s, back_s=back_s)
        seen_at += out_s + back_s
    widest_s = min(1 + out_s + back_s for _, out_s, back_s in exchanges[-1:])
    assert abs(clock.offset_s - offset_s) <= widest_s + 1e-6


@given(exchanges=st.lists(st.tuples(GAPS, DELAYS, DELAYS)))
def test_clocks_that_agree_are_not_corrected(exchanges: list[tuple[float, float, float]]) -> None:
    clock = ProviderClock()
    seen_at = 1_000_000.0
    for gap_s, out_s, back_s in exchanges:
        seen_at += gap_s
        observe(clock, seen_at=seen_at, offset_s=0, out_s=out_s, back_s=back_s)
        assert clock.offset_s == 0
        seen_at += out_s + back_s


def test_many_answers_tell_the_offset_to_less_than_a_second() -> None:
    clock = ProviderClock()
    for step in range(100):
        observe(clock, seen_at=1_000_000 + step * 0.37, offset_s=7.3, out_s=0.02, back_s=0.02)
    assert abs(clock.offset_s - 7.3) < 0.1


@given(before_s=st.floats(-5_000, 5_000), after_s=st.floats(-5_000, 5_000))
def test_a_clock_that_was_set_is_followed_at_the_first_answer(before_s: float, after_s: float) -> None:
    clock = ProviderClock()
    for step in range(10):
        observe(clock, seen_at=1_000_000 + step, offset_s=before_s, out_s=0.1, back_s=0.1)
    observe(clock, seen_at=1_000_020, offset_s=after_s, out_s=0.1, back_s=0.1)
    assert abs(clock.offset_s - after_s) <= 1.2 + 1e-6


def test_an_answer_received_before_it_was_asked_for_tells_nothing() -> None:
    clock = ProviderClock()
    clock.observe(date_at=5_000, sent_seen_at=100, received_seen_at=50)
    assert clock.offset_s == 0


def test_what_was_learned_is_loosened_by_time() -> None:
    clock = ProviderClock()
    for step in range(100):
        observe(clock, seen_at=1_000_000 + step * 0.37, offset_s=1.4, out_s=0.01, back_s=0.01)
    for step in range(1, 2_000):
        observe(clock, seen_at=1_000_100 + step * 10, offset_s=1.4 - step * 0.001, out_s=0.01, back_s=0.01)
    assert abs(clock.offset_s - (1.4 - 1.999)) < 0.3
