"""How many may be under way: what makes it more, and what makes it less."""

import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from exporter.gigas.window import Window


@dataclass
class Provider:
    """Answers as many at once as there is room for; the others wait, in a queue of its own."""

    bears: float = math.inf
    takes_s: float = 0.1

    def duration_s(self, at_once: float) -> float:
        return self.takes_s * max(1.0, at_once / self.bears)


def after(window: Window, provider: Provider, *, rounds: int, from_s: float = 0.0) -> float:
    """Fill the window for so many round trips; return the time."""
    now_s = from_s
    for _ in range(rounds):
        sent_s, count = now_s, int(window.size)
        duration_s = provider.duration_s(count)
        now_s += duration_s
        for _ in range(count):
            window.answered(now_s, sent_s=sent_s, duration_s=duration_s, is_full=True)
    return now_s


def test_it_doubles_with_each_round_trip_until_the_first_trouble_then_grows_by_one() -> None:
    window = Window(1_000)
    after(window, Provider(), rounds=3)
    assert window.size == 64
    window.refused(1.0, sent_s=1.0, is_paced=False)
    assert window.size == 32
    after(window, Provider(), rounds=3, from_s=1.0)
    assert 34.5 < window.size <= 35


def test_it_doubles_no_longer_once_requests_wait_for_each_other() -> None:
    window = Window(1_000)
    after(window, Provider(bears=8, takes_s=0.002), rounds=5)
    assert window.size < 40


def test_it_does_not_grow_while_requests_wait_in_our_own_loop() -> None:
    """Some milliseconds more than at best are no slowness of the provider's, and nothing is gained by more of them."""
    window, provider = Window(128), Provider(bears=8, takes_s=0.002)
    until_s = after(window, provider, rounds=20)
    grown = window.size
    after(window, provider, rounds=300, from_s=until_s)
    assert 8 <= window.size == grown < 128


def test_where_answers_become_slow_it_stays_near_what_the_provider_bears() -> None:
    window = Window(256)
    sizes = []
    now_s = after(window, Provider(bears=20), rounds=40)
    for _ in range(300):
        now_s = after(window, Provider(bears=20), rounds=1, from_s=now_s)
        sizes.append(window.size)
    assert 20 <= sum(sizes) / len(sizes) <= 3 * 20


def test_a_provider_that_is_slow_without_our_doing_is_asked_by_a_few_at_a_time_for_two_minutes_at_most() -> None:
    window = Window(32)
    now_s = after(window, Provider(takes_s=0.02), rounds=10)
    now_s = slow_s = after(window, Provider(takes_s=0.5), rounds=100, from_s=now_s)
    assert window.size == 6
    while now_s < slow_s + 120:
        now_s = after(window, Provider(takes_s=0.5), rounds=1, from_s=now_s)
    assert window.size == 32


def test_a_millisecond_more_is_not_slow() -> None:
    window = Window(32)
    now_s = after(window, Provider(takes_s=0.002), rounds=10)
    after(window, Provider(takes_s=0.05), rounds=100, from_s=now_s)
    assert window.size == 32


def test_failures_with_nothing_answered_in_between_shrink_it_once_for_all_that_were_sent_before() -> None:
    window = Window(32)
    after(window, Provider(), rounds=5)
    for _ in range(32):
        window.failed(20.0, sent_s=10.0, is_busy=True)
    assert window.size == 0.7 * 32


def test_a_failure_while_others_are_answered_shrinks_nothing() -> None:
    window = Window(32)
    after(window, Provider(), rounds=5)
    window.answered(15.0, sent_s=14.9, duration_s=0.1, is_full=True)
    window.failed(20.0, sent_s=10.0, is_busy=True)
    assert window.size == 32


def test_failures_alone_leave_six() -> None:
    window = Window(32)
    for at in range(100):
        window.failed(at + 0.5, sent_s=at, is_busy=True)
    assert window.size == 6
    small = Window(2)
    small.failed(0.5, sent_s=0.0, is_busy=True)
    assert small.size == 2


NEWS = st.tuples(
    st.sampled_from(["answered", "refused", "failed"]), st.floats(0, 5), st.floats(0, 100), st.booleans(), st.booleans()
)


@given(most=st.integers(1, 64), news=st.lists(NEWS, max_size=200))
def test_it_is_never_below_one_nor_above_the_ceiling(
    most: int, news: list[tuple[str, float, float, bool, bool]]
) -> None:
    window, now_s = Window(most), 0.0
    for kind, passed_s, duration_s, is_full, is_paced in news:
        now_s += passed_s
        sent_s = now_s - duration_s
        if kind == "answered":
            window.answered(now_s, sent_s=sent_s, duration_s=duration_s, is_full=is_full)
        elif kind == "refused":
            window.refused(now_s, sent_s=sent_s, is_paced=is_paced)
        else:
            window.failed(now_s, sent_s=sent_s, is_busy=is_full)
        assert 1 <= window.size <= most


@given(most=st.integers(3, 64), size=st.floats(3, 64))
def test_two_that_share_leave_a_place_to_a_third(most: int, size: float) -> None:
    window = Window(most)
    window.size = min(size, most)
    each = each_of_two(window, most)
    assert 2 * each + 1 <= window.size


@given(most=st.integers(5, 1_000), slow=st.booleans())
def test_however_slow_answers_are_and_whatever_fails_two_that_share_have_two_places_each(most: int, slow: bool) -> None:
    window = Window(most)
    now_s = after(window, Provider(takes_s=0.02), rounds=10)
    if slow:
        after(window, Provider(takes_s=0.5), rounds=100, from_s=now_s)
    for at in range(100):
        window.failed(now_s + at + 0.5, sent_s=now_s + at, is_busy=True)
    assert window.size == min(most, 6)
    assert each_of_two(window, most) >= 2


def each_of_two(window: Window, most: int) -> int:
    """So many places has each of two collectors, as they divide them."""
    return max(1, int((most - 1) // 2 * window.share))
