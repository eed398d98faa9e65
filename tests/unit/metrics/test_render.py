"""Snapshots become lines, the same as prometheus_client would write them."""

import math
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from exporter.fleet import AccountView, SpellView, Vm
from exporter.metrics import FAMILIES
from exporter.metrics.catalogue import VM_LABELS, AccountFamily, VmFamily
from exporter.metrics.render import account_lines, openmetrics_header, text_header, vm_blocks
from tests.builders import cpu, interface, vm

VM_FAMILIES = [family for family in FAMILIES if isinstance(family, VmFamily)]
awkward = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


class Reference(Collector):
    """The same families and samples through prometheus_client's own objects."""

    def __init__(self, family: VmFamily, vms: list[Vm]) -> None:
        self._family, self._vms = family, vms

    def collect(self) -> Iterator[Metric]:
        family = self._family
        labels = (*VM_LABELS, *family.labels)
        metric: CounterMetricFamily | GaugeMetricFamily
        if family.type == "counter":
            metric = CounterMetricFamily(family.name, family.help, labels=labels, unit=family.unit)
        else:
            metric = GaugeMetricFamily(family.name, family.help, labels=labels, unit=family.unit)
        for each in self._vms:
            for values, number in family.samples(each):
                metric.add_metric([each.account, each.machine.vm_id, each.machine.name, *values], number)
        yield metric


def ours(header: bytes, family: VmFamily, vms: list[Vm]) -> str:
    return (header + vm_blocks([family], vms).get(family.name, b"")).decode()


def with_sorted_labels(page: str) -> list[str]:
    """Labels sorted, as prometheus_client does; ours stand in the contract's order."""
    lines = []
    for line in page.split("\n")[:-1]:
        if line.startswith("#"):
            lines.append(line)
            continue
        (sample,) = next(iter(text_string_to_metric_families(line + "\n"))).samples
        lines.append(f"{sample.name}{sorted(sample.labels.items())}{line.rpartition(' ')[2]}")
    return lines


@given(
    names=st.lists(awkward, min_size=1, max_size=4),
    numbers=st.floats(min_value=0, max_value=2.0**60),
)
def test_lines_equal_those_of_prometheus_client(names: list[str], numbers: float) -> None:
    vms = [
        vm(
            vm_id=str(index),
            label=name,
            hostname=f"host-{index}",
            cpus=4,
            memory_bytes=2**30,
            created_at=1_527_582_049.0,
            updated_at=1_527_582_049.5,
            lock=SpellView(1_700_000_000.123, 3, numbers),
            cpu=cpu(busy_s=numbers),
            interfaces=(interface(receive_bytes=numbers), interface(interface_id="46", public=False)),
        )
        for index, name in enumerate(names)
    ]
    for family in VM_FAMILIES:
        registry = CollectorRegistry()
        registry.register(Reference(family, vms))
        text = generate_latest(registry).decode()
        openmetrics = generate_openmetrics(registry).decode().removesuffix("# EOF\n")
        if not vm_blocks([family], vms):
            continue
        assert with_sorted_labels(ours(text_header(family), family, vms)) == with_sorted_labels(text)
        assert with_sorted_labels(ours(openmetrics_header(family), family, vms)) == with_sorted_labels(openmetrics)


@given(label=awkward)
def test_label_values_survive_a_round_trip(label: str) -> None:
    page = b"".join(vm_blocks(VM_FAMILIES, [vm(label=label, hostname="host")]).values()).decode()
    names = {sample.labels["vm"] for family in text_string_to_metric_families(page) for sample in family.samples}
    assert names == {label or "host"}


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
        assert not math.isnan(len(family.labels))
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
