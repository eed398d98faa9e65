"""Snapshots become lines."""

import pytest

from exporter.fleet import AccountView, Vm
from exporter.metrics import FAMILIES
from exporter.metrics.catalogue import AccountFamily, TallyFamily, VmFamily
from exporter.metrics.render import account_lines, tally_lines
from exporter.metrics.runs import summed
from tests.builders import cpu, interface, vm

VM_FAMILIES = [family for family in FAMILIES if isinstance(family, VmFamily)]


def test_a_status_that_no_page_lists_is_shown_beside_the_known_ones() -> None:
    status = next(family for family in VM_FAMILIES if family.name == "gigas_vm_status")
    assert dict(status.samples(vm(status="migrating"))) == {
        ("offline",): 0.0,
        ("online",): 0.0,
        ("recovery",): 0.0,
        ("unbuilt",): 0.0,
        ("migrating",): 1.0,
    }


def test_the_operators_labels_stand_on_account_info() -> None:
    family = next(each for each in FAMILIES if each.name == "gigas_account_info")
    assert isinstance(family, AccountFamily)
    account = AccountView(name="production", account_id="17893", labels={"team": 'w"eb'})
    line = 'gigas_account_info{account="production",account_id="17893",team="w\\"eb"} 1.0\n'
    assert account_lines(family, account).decode() == line


def test_names_follow_the_rules_of_prometheus() -> None:
    for family in FAMILIES:
        assert family.name.endswith("_total") == (family.type == "counter"), family.name
        base = family.name.removesuffix("_total")
        assert not family.unit or base.endswith(f"_{family.unit}"), family.name
        assert family.help.endswith("."), family.name
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


OWING = [
    vm(vm_id="1"),  # Of which nothing is counted yet.
    vm(vm_id="2", cpu=cpu(), interfaces=(interface(),)),
    vm(
        vm_id="3",
        cpu=cpu(owed_s=600.0, overcounted_s=2.5),
        interfaces=(interface(owed_s=300.0, overcounted_bytes=7.0), interface(owed_s=900.0, overcounted_bytes=5.0)),
    ),
    vm(vm_id="4", cpu=cpu(owed_s=60.0, overcounted_s=1.0), interfaces=(interface(),)),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gigas_exporter_catching_up_vms", {',collector="cpu"': 2.0, ',collector="traffic"': 1.0}),
        # Of a VM that of the interface that waits for longest: they wait for the same answers.
        ("gigas_exporter_owed_seconds", {',collector="cpu"': 660.0, ',collector="traffic"': 900.0}),
        ("gigas_exporter_overcounted_bytes", {"": 12.0}),
        ("gigas_exporter_overcounted_cpu_seconds", {"": 3.5}),
    ],
)
def test_what_is_owed_and_overcounted_is_summed_over_the_account_and_is_0_where_there_is_nothing(
    name: str, expected: dict[str, float]
) -> None:
    assert _of_account(name, OWING) == expected
    assert _of_account(name, OWING[:2]) == dict.fromkeys(expected, 0.0)
    assert _of_account(name, [], listed=False) == {}


def _of_account(name: str, vms: list[Vm], *, listed: bool = True) -> dict[str, float]:
    """The samples of a family, by what stands behind the label of the account."""
    family = next(each for each in FAMILIES if each.name == name)
    assert isinstance(family, TallyFamily)
    account = AccountView(name="production", account_id="17893", listed=listed)
    text = tally_lines(family, account, summed(map(family.tally, vms))).decode()
    lines = (line.split(" ") for line in text.splitlines())
    return {
        labels.removeprefix(f'{name}{{account="production"').removesuffix("}"): float(value) for labels, value in lines
    }
