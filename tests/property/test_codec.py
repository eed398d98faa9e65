"""What is remembered comes back as it was, whatever it is."""

import types
import typing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.counting import Bucket, Horizon, KeptWindow, Series, Window, horizon_of, packed, runs_of, unpacked
from exporter.ledger import AccountRecord, VmRecord
from exporter.ledger.codec import account_from, account_text, listed_from, listed_text, vm_from, vm_text

INTEGERS = st.integers(-(2**200), 2**200)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
"""Instants and durations: documents with others are refused, and no record holds one (`soundness`)."""
# Bounds that are close to each other, so that neighbours and gaps, and answers that are the same, come up.
SMALL = st.integers(-3, 3)
RUNS = st.tuples(INTEGERS, INTEGERS, INTEGERS, st.lists(INTEGERS, max_size=5).map(tuple))
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    float: NUMBERS,
    str: st.text(),
    bool: st.booleans(),
    type(None): st.none(),
    KeptWindow: st.builds(
        Window, INTEGERS, INTEGERS, st.lists(st.none() | INTEGERS, max_size=5).map(tuple), INTEGERS
    ).map(Window.rested),
    Horizon: st.lists(RUNS, max_size=5).map(lambda runs: horizon_of(tuple(runs))),
}
BUCKETS = st.tuples(SMALL, st.integers(1, 3), INTEGERS, SMALL)


@st.composite
def neighbours(draw: st.DrawFn) -> list[Bucket]:
    """Buckets side by side now and then, and anything else."""
    buckets, at = [], draw(SMALL)
    for gap, width, value, asked in draw(st.lists(BUCKETS, max_size=12)):
        start = at + draw(st.sampled_from([0, 0, 0, gap]))
        at = start + draw(st.sampled_from([2, 2, width]))
        buckets.append(Bucket(start, at, value, draw(st.sampled_from([7, 7, asked]))))
    return buckets


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Every field of it, also those that have a default and those that are added tomorrow."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values(hints[name]) for name in hints})


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever a field of that type may hold."""
    if hint in PLAIN:
        return PLAIN[hint]
    inside = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return st.one_of([values(each) for each in inside])
    match typing.get_origin(hint):
        case None:
            return records(hint)
        case kind if kind is tuple and inside[-1] is Ellipsis:
            return st.lists(values(inside[0]), max_size=5).map(tuple)
        case kind if kind is tuple:
            return st.tuples(*map(values, inside))
        case _:
            return st.dictionaries(st.text(max_size=3), values(inside[1]), max_size=3)


@given(records(VmRecord))
def test_a_machine_comes_back(record: VmRecord) -> None:
    assert repr(vm_from(vm_text(record))) == repr(record)


@given(records(AccountRecord))
def test_an_account_comes_back(record: AccountRecord) -> None:
    assert repr(account_from(account_text(record))) == repr(record)


@given(neighbours())
def test_buckets_come_back_however_they_lie(buckets: list[Bucket]) -> None:
    horizon = packed(buckets)
    assert unpacked(runs_of(horizon)) == buckets
    assert packed(unpacked(runs_of(horizon))) == horizon


@given(neighbours(), SMALL)
def test_what_is_taken_from_runs_is_what_the_buckets_say(buckets: list[Bucket], at: int) -> None:
    told = sorted(buckets, key=lambda bucket: bucket.end_ms)
    series = Series(
        settled_ms=0, left_ms=at, newest_ms=at, complete_ms=0, held_until_ms=0, began_ms=0, base=5, horizon=packed(told)
    )
    ended = [bucket for bucket in told if bucket.end_ms <= at]
    assert series.left() == ended
    assert series.true == 5 + sum(bucket.value for bucket in ended)
    assert series.last == (told[-1] if told else None)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | INTEGERS | NUMBERS | st.text()))
def test_a_listed_machine_comes_back(listed: dict[str, Any]) -> None:
    assert listed_from(listed_text(listed)) == listed
