"""Locks and suspensions, from look to look."""

from exporter.counting import Spell, observe, unseen


def history(*looks: tuple[float, bool], ahead_s: float = 0.0) -> Spell:
    """Looks by both clocks, the provider's so much ahead."""
    (seen_at, on), *rest = looks
    spell = unseen(on=on, seen_at=seen_at, at=seen_at + ahead_s)
    for seen_at, on in rest:
        spell = observe(spell, on=on, seen_at=seen_at, at=seen_at + ahead_s)
    return spell


def test_a_lock_there_at_first_sight_was_not_seen_to_begin() -> None:
    assert history((100, True)) == Spell(100, 100, since_seen_at=100, begun=0)


def test_a_lock_counts_when_it_begins_and_its_beginning_stays() -> None:
    assert history((0, False), (60, True), (120, True)) == Spell(120, 120, since_seen_at=60, begun=1, lasted_s=60)


def test_a_lock_that_ended_leaves_its_count_and_its_time() -> None:
    assert history((0, True), (60, True), (120, False)) == Spell(120, 120, since_seen_at=None, begun=0, lasted_s=60)


def test_a_lock_seen_before_and_after_a_time_when_nobody_looked_lasted_through_it() -> None:
    assert history((0, True), (10_000, True)).lasted_s == 10_000


def test_a_clock_set_back_takes_no_time_away() -> None:
    assert history((1_000, True), (1_060, True), (500, True), (560, True)).lasted_s == 120


def test_a_clock_set_forward_gives_no_time() -> None:
    locked = unseen(on=True, seen_at=1_000.0, at=5_000.0)
    ours_set = observe(locked, on=True, seen_at=4_660.0, at=5_060.0)
    assert ours_set.lasted_s == 60
    assert observe(ours_set, on=True, seen_at=4_720.0, at=9_000.0).lasted_s == 120
