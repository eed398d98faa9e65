"""What is remembered comes back as it was, whatever it is."""

import types
import typing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.counting import Series, Spell, Window
from exporter.ledger import AccountRecord, CpuAccount, VmRecord
from exporter.ledger.codec import account_from, account_text, listed_from, listed_text, vm_from, vm_text

INTEGERS = st.integers(-(2**200), 2**200)
NUMBERS = st.floats(allow_nan=False)
# Bounds that are close to each other, so that neighbours and gaps, and answers that are the same, come up.
SMALL = st.integers(-3, 3)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    float: NUMBERS,
    str: st.text(),
    bool: st.booleans(),
    type(None): st.none(),
}
BUCKETS = st.tuples(SMALL, SMALL, INTEGERS, SMALL)


@st.composite
def horizons(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    """Buckets side by side now and then, and anything else."""
    buckets, at = [], draw(SMALL)
    for gap, width, value, asked in draw(st.lists(BUCKETS, max_size=12)):
        start = at + draw(st.sampled_from([0, 0, 0, gap]))
        at = start + draw(st.sampled_from([10, 10, width]))
        buckets.append((start, at, value, draw(st.sampled_from([7, 7, asked]))))
    return tuple(buckets)


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Every field of it, also those that have a default and those that are added tomorrow."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: horizons() if name == "horizon" else values(hints[name]) for name in hints})


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


@given(horizons())
def test_buckets_come_back_however_they_lie(horizon: tuple[tuple[int, ...], ...]) -> None:
    series = Series(settled_ms=0, left_ms=0, newest_ms=0, complete_ms=0, held_until_ms=0, began_ms=0, horizon=horizon)
    cpu = CpuAccount(series, Window(0, 1, (), 0), since_ms=0, on_grid=True)
    spell = Spell(0.0, 0.0)
    record = VmRecord(
        vm_id="1", name="", known_since_at=0.0, appeared=True, running_since_ms=0, lock=spell, suspension=spell, cpu=cpu
    )
    assert vm_from(vm_text(record)) == record


@given(st.dictionaries(st.text(), st.none() | st.booleans() | INTEGERS | NUMBERS | st.text()))
def test_a_listed_machine_comes_back(listed: dict[str, Any]) -> None:
    assert listed_from(listed_text(listed)) == listed
