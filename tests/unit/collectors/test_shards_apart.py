"""Which shard a VM is of. It is the same in every version: of shards of two versions, both would have a VM, or none."""

from collections import Counter

import pytest

from exporter.collectors.inventory import in_shard

_VMS = 100_000


def shards_of(account_id: str, vm_id: str, total: int) -> list[int]:
    return [index for index in range(total) if in_shard(account_id=account_id, vm_id=vm_id, index=index, total=total)]


@pytest.mark.parametrize(
    ("account_id", "vm_id", "shards"),
    [
        ("17893", "24", (0, 2, 8, 36)),
        ("17893", "178931011513", (1, 1, 1, 73)),
        ("17893", "178931011514", (1, 1, 7, 3)),
        ("42", "178931011513", (0, 1, 10, 78)),
        ("17893", "m\N{LATIN SMALL LETTER A WITH ACUTE}quina", (1, 0, 3, 43)),
    ],
)
def test_a_vm_is_for_ever_of_the_same_shard(account_id: str, vm_id: str, shards: tuple[int, ...]) -> None:
    """Numbers that `printf 17893/24 | b2sum -l 64` gives, too: the remainder of 0xbb72484c453ea420."""
    assert [shards_of(account_id, vm_id, total) for total in (2, 3, 12, 100)] == [[shard] for shard in shards]


@pytest.mark.parametrize("first_id", [0, 178_931_000_000])
def test_twelve_shards_have_each_vm_once_and_as_many_each(first_id: int) -> None:
    shards = [shards_of("17893", str(first_id + number), 12) for number in range(_VMS)]
    assert all(len(each) == 1 for each in shards)
    counts = Counter(shard for (shard,) in shards)
    assert sorted(counts) == list(range(12))
    assert all(abs(count - _VMS / 12) <= 0.05 * _VMS / 12 for count in counts.values())


@pytest.mark.parametrize("factor", [2, 3])
def test_of_a_multiple_of_shards_each_has_vms_of_one_of_those_before(factor: int) -> None:
    """So that a ledger can be handed on (docs/scaling.md)."""
    for number in range(200):
        (before,), (after,) = (shards_of("17893", str(number), total) for total in (3, 3 * factor))
        assert after % 3 == before


def test_one_shard_has_all() -> None:
    assert in_shard(account_id="17893", vm_id="24", index=0, total=1)
