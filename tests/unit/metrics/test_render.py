"""Snapshots become lines."""

from exporter.fleet import AccountView
from exporter.metrics import FAMILIES
from exporter.metrics.catalogue import AccountFamily, VmFamily
from exporter.metrics.render import account_lines
from tests.builders import vm

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
    assert account_lines(family, account, []).decode() == line


def test_names_follow_the_rules_of_prometheus() -> None:
    for family in FAMILIES:
        assert family.name.endswith("_total") == (family.type == "counter"), family.name
        base = family.name.removesuffix("_total")
        assert not family.unit or base.endswith(f"_{family.unit}"), family.name
        assert family.help.endswith("."), family.name
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
