"""Pauses after a refused credential."""

from exporter.gigas.refusals import Refusals


def pauses(refusals: Refusals, count: int, secret: str = "old") -> list[float]:
    now_s = 100.0
    seen = []
    for _ in range(count):
        refusals.refused(secret, shown_s=now_s, now_s=now_s)
        seen.append(refusals.wait_s(secret, now_s=now_s))
        now_s += seen[-1]
        assert refusals.wait_s(secret, now_s=now_s) == 0
    return seen


def test_pauses_grow_to_just_under_five_minutes() -> None:
    assert pauses(Refusals(), 8) == [10, 20, 40, 80, 160, 285, 285, 285]


def test_another_secret_may_be_shown_at_once_and_starts_anew() -> None:
    refusals = Refusals()
    pauses(refusals, 5)
    assert refusals.wait_s("new", now_s=100) == 0
    assert pauses(refusals, 2, "new") == [10, 20]


def test_requests_that_were_under_way_do_not_lengthen_the_pause() -> None:
    refusals = Refusals()
    for _ in range(32):
        refusals.refused("old", shown_s=99, now_s=100)
    assert refusals.wait_s("old", now_s=100) == 10


def test_a_credential_that_is_taken_ends_the_memory_of_its_refusals() -> None:
    refusals = Refusals()
    pauses(refusals, 5)
    refusals.accepted("old", shown_s=1_000)
    assert pauses(refusals, 1) == [10]


def test_a_request_from_before_the_refusal_does_not_end_the_pause() -> None:
    refusals = Refusals()
    refusals.refused("old", shown_s=100, now_s=100)
    refusals.accepted("old", shown_s=99)
    assert refusals.wait_s("old", now_s=100) == 10


def test_while_one_tries_again_the_others_wait() -> None:
    refusals = Refusals()
    refusals.refused("old", shown_s=100, now_s=100)
    refusals.probing(now_s=110, probe_s=15)
    assert refusals.wait_s("old", now_s=110) == 15
