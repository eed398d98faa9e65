"""The heap of VMs: whoever has been due for longest comes first, and each is in it once."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.schedule.due import Due


def drained(due: Due, *, until_s: float = 1e9) -> list[str]:
    found = []
    while (popped := due.pop(until_s=until_s)) is not None:
        found.append(popped[0])
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


def test_of_those_that_are_due_the_one_of_least_rank_comes_first() -> None:
    due = Due(rank={"old": (1.0,), "older": (0.5,), "new": (9.0,), "not yet": (0.0,)}.__getitem__)
    for vm_id, at_s in (("new", 1.0), ("old", 3.0), ("older", 4.0), ("not yet", 9.0)):
        due.put(vm_id, at_s)
    assert drained(due, until_s=5.0) == ["older", "old", "new"]
    assert drained(due, until_s=9.0) == ["not yet"]


def test_a_vm_comes_with_the_instant_at_which_it_was_due_and_those_that_wait_are_counted() -> None:
    due = Due()
    for vm_id, at_s in (("a", 1.0), ("b", 2.0), ("later", 9.0)):
        due.put(vm_id, at_s)
    assert due.waiting == 0
    assert due.pop(until_s=5.0) == ("a", 1.0)
    assert due.waiting == 1
    due.put("b", 7.0)
    assert (due.waiting, due.pop(until_s=5.0), due.pop(until_s=8.0)) == (0, None, ("b", 7.0))


def test_many_that_are_due_together_are_ranked_in_steps() -> None:
    due = Due(rank=lambda vm_id: (-float(vm_id),))
    for number in range(1_200):
        due.put(str(number), 1.0)
    steps = 1
    while not due.gather(until_s=2.0):
        steps += 1
    assert (steps, due.waiting) == (7, 1_200)
    assert drained(due, until_s=2.0) == [str(number) for number in reversed(range(1_200))]


changes = st.tuples(st.sampled_from(["put", "drop", "pop"]), st.sampled_from("abcd"), st.floats(0, 10))


@given(st.lists(changes))
def test_it_is_like_a_plain_table_of_instants(history: list[tuple[str, str, float]]) -> None:
    due, table, now_s = Due(rank=lambda vm_id: (ord(vm_id),)), dict[str, float](), 0.0
    for change, vm_id, of_s in history:
        if change == "put":
            due.put(vm_id, now_s + of_s - 5)
            table[vm_id] = now_s + of_s - 5
        elif change == "drop":
            due.drop(vm_id)
            table.pop(vm_id, None)
        else:
            now_s += of_s
            popped = due.pop(until_s=now_s)
            ready = sorted(each for each, at_s in table.items() if at_s <= now_s)
            assert popped == ((ready[0], table.pop(ready[0])) if ready else None)
        next_s = due.next_s()
        assert (next_s is None) == (not table)
        assert next_s is None or next_s in table.values()
        assert next_s is None or next_s <= max(now_s, min(table.values()))
        assert all((vm_id in due) == (vm_id in table) for vm_id in "abcd")


def test_entries_that_count_no_more_are_dropped_in_steps_and_make_nobody_late() -> None:
    due = Due()
    for at_s in (1.0, 900.0):  # As after a look at each: due again at once if nothing comes of it, then much later.
        for number in range(2_000):
            due.put(str(number), at_s)
    assert due.next_s() == 1.0  # Too soon, which costs a lap of the loop.
    assert [due.next_s() for _ in range(10)][-1] == 900.0
    assert due.pop(until_s=899.0) is None
    assert due.pop(until_s=900.0) is not None
