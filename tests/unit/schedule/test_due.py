"""The heap of VMs: whoever has been due for longest comes first, and each is in it once."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.schedule.due import Due


def drained(due: Due, *, until_s: float = 1e9) -> list[str]:
    found = []
    while (vm_id := due.pop(until_s=until_s)) is not None:
        found.append(vm_id)
    return found


def test_whoever_has_been_due_for_longest_comes_first() -> None:
    due = Due()
    for vm_id, at_s in (("b", 2.0), ("c", 3.0), ("a", 1.0), ("later", 9.0)):
        due.put(vm_id, at_s)
    assert drained(due, until_s=5.0) == ["a", "b", "c"]
    assert due.next_s() == 9.0


def test_a_vm_is_due_at_the_instant_that_was_told_last() -> None:
    due = Due()
    due.put("a", 1.0)
    due.put("a", 7.0)
    assert due.pop(until_s=5.0) is None
    due.put("a", 2.0)
    due.put("a", 2.0)
    assert drained(due, until_s=9.0) == ["a"]


def test_a_vm_that_is_dropped_is_not_due() -> None:
    due = Due()
    due.put("a", 1.0)
    due.drop("a")
    due.drop("never there")
    assert "a" not in due
    assert due.next_s() is None
    assert drained(due) == []


changes = st.tuples(st.sampled_from(["put", "drop", "pop"]), st.sampled_from("abcd"), st.floats(0, 10))


@given(st.lists(changes))
def test_it_is_like_a_plain_table_of_instants(history: list[tuple[str, str, float]]) -> None:
    due, table = Due(), dict[str, float]()
    for change, vm_id, at_s in history:
        if change == "put":
            due.put(vm_id, at_s)
            table[vm_id] = at_s
        elif change == "drop":
            due.drop(vm_id)
            table.pop(vm_id, None)
        else:
            popped = due.pop(until_s=at_s)
            ready = sorted(each for each in table.values() if each <= at_s)
            assert (popped is None) == (not ready)
            if popped is not None:
                assert table.pop(popped) == ready[0]
        assert due.next_s() == min(table.values(), default=None)
