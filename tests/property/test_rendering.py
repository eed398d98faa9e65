"""Our lines are those that prometheus_client would write, and every reader gets back what was put in."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.fleet import SpellView, Vm
from exporter.metrics import FAMILIES
from exporter.metrics.catalogue import VM_LABELS, Sample, VmFamily
from exporter.metrics.render import Renderer, identity_of, openmetrics_header, text_header, written
from tests.builders import cpu, interface, vm

VM_FAMILIES = [family for family in FAMILIES if isinstance(family, VmFamily)]
Labels = Mapping[str, str]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(
    st.floats(),
    st.integers(min_value=-(2**60), max_value=2**60).map(float),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-7, 0.1, 999_999.0, 1e6, 123_456_789.0, 1e15, 1e16, 1e21, 1.7e308]),
)


class Reference(Collector):
    """A family's samples through prometheus_client's own objects."""

    def __init__(self, family: VmFamily, vms: Iterable[Vm]) -> None:
        self._family, self._vms = family, vms

    def collect(self) -> Iterator[Metric]:
        family = self._family
        of_type = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}[family.type]
        metric = of_type(family.name, family.help, labels=(*VM_LABELS, *family.labels), unit=family.unit)
        for each in self._vms:
            for values, number in family.samples(each):
                metric.add_metric([each.account, each.machine.vm_id, each.machine.name, *values], number)
        yield metric


def reference(family: VmFamily, vms: Iterable[Vm], generate: Callable[[CollectorRegistry], bytes]) -> str:
    registry = CollectorRegistry()
    registry.register(Reference(family, vms))
    return generate(registry).decode()


def ours(header: bytes, family: VmFamily, vms: list[Vm]) -> str:
    return (header + Renderer().lines(family, vms, map(identity_of, vms))).decode()


def with_sorted_labels(page: str) -> list[str]:
    """Labels sorted, as prometheus_client does; ours stand in the contract's order. The rest is compared as written."""
    lines = []
    for line in page.removesuffix("# EOF\n").split("\n")[:-1]:
        if line.startswith("#"):
            lines.append(line)
            continue
        (sample,) = next(iter(text_families(line + "\n"))).samples
        lines.append(f"{sample.name}{sorted(sample.labels.items())}{line.rpartition(' ')[2]}")
    return lines


def assert_same(family: VmFamily, vms: list[Vm]) -> None:
    text = reference(family, vms, generate_latest)
    openmetrics = reference(family, vms, generate_openmetrics)
    assert with_sorted_labels(ours(text_header(family), family, vms)) == with_sorted_labels(text)
    assert with_sorted_labels(ours(openmetrics_header(family), family, vms)) == with_sorted_labels(openmetrics)


def made_up(name: str, values: Callable[[Vm], Iterable[Sample]]) -> VmFamily:
    counter = name.endswith("_total")
    return VmFamily(
        name=name,
        type="counter" if counter else "gauge",
        unit="bytes" if counter else "",
        help="Made up.",
        collector="cpu",
        labels=("first", "second"),
        samples=values,
    )


@pytest.mark.parametrize("name", ["gigas_made_up", "gigas_made_up_bytes_total"])
@given(given_=st.lists(st.tuples(texts, texts, texts, numbers), min_size=1, max_size=4))
def test_any_sample_is_written_as_prometheus_client_writes_it(
    name: str, given_: list[tuple[str, str, str, float]]
) -> None:
    vms = [vm(vm_id=str(index), label=label) for index, (label, *_) in enumerate(given_)]

    def values(snapshot: Vm) -> Iterable[Sample]:
        _, first, second, number = given_[int(snapshot.machine.vm_id)]
        yield (first, second), number

    assert_same(made_up(name, values), vms)


@given(number=numbers)
@example(number=999_999.9999999999)
@example(number=1e6)
@example(number=-1e6)
@example(number=9_999_999_999_999_998.0)
@example(number=1e16)
@example(number=float("-inf"))
def test_a_number_is_written_as_prometheus_client_writes_it(number: float) -> None:
    assert written(number) == floatToGoString(number)


@given(given_=st.lists(st.one_of(numbers, st.booleans(), st.integers(-3, 3), st.sampled_from([0.0, -0.0])), min_size=1))
def test_a_number_is_written_alike_whatever_was_written_before_it(given_: list[float]) -> None:
    vms = [vm(vm_id=str(index)) for index in range(len(given_))]
    family = made_up("gigas_made_up", lambda snapshot: ((("", ""), given_[int(snapshot.machine.vm_id)]),))
    lines = ours(b"", family, vms).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == list(map(floatToGoString, given_))


@given(
    names=st.lists(texts, min_size=1, max_size=4),
    number=st.floats(min_value=0, max_value=2.0**60),
)
def test_every_family_of_vms_is_written_as_prometheus_client_writes_it(names: list[str], number: float) -> None:
    vms = [
        vm(
            vm_id=str(index),
            label=name,
            hostname=f"host-{index}",
            cpus=4,
            cpu_shares=1,
            memory_bytes=2**30,
            created_at=1_527_582_049.0,
            updated_at=1_527_582_049.5,
            lock=SpellView(1_700_000_000.123, 3, number),
            suspension=SpellView(1_700_000_000.0, 1, number),
            cpu=cpu(busy_s=number),
            interfaces=(interface(receive_bytes=number), interface(interface_id="46", public=False)),
        )
        for index, name in enumerate(names)
    ]
    renderer, identities = Renderer(), list(map(identity_of, vms))
    for family in VM_FAMILIES:
        lines = renderer.lines(family, vms, identities)  # What it has written before is used again.
        assert lines, family.name
        assert lines.decode() == ours(b"", family, vms)
        assert_same(family, vms)


def read_back(families: Iterable[Metric]) -> dict[str, Labels]:
    return {sample.labels["vm_id"]: sample.labels for family in families for sample in family.samples}


AWKWARD = (
    '"',
    "\\",
    "\n",
    "\\n",
    '\\"',
    "\r\n",
    " blank ",
    "\t",
    "a}b{c,d=",
    "\x00",
    "\x85\u2028",
    "☕🚀",
    "#",
    "# EOF",
)


@given(values=st.lists(texts, min_size=1, max_size=4))
@example(values=list(AWKWARD))
def test_each_parser_reads_the_label_values_that_were_written(values: list[str]) -> None:
    vms = [vm(account=value, vm_id=str(index), label=value, hostname=value) for index, value in enumerate(values)]
    (info,) = (family for family in VM_FAMILIES if family.name == "gigas_vm_info")
    text = read_back(text_families(ours(text_header(info), info, vms)))
    openmetrics = read_back(openmetrics_families(ours(openmetrics_header(info), info, vms) + "# EOF\n"))
    for index, value in enumerate(values):
        for labels in (text[str(index)], openmetrics[str(index)]):
            assert [labels["account"], labels["vm"], labels["hostname"]] == [value] * 3


@given(numbers_=st.lists(numbers, min_size=1, max_size=4))
def test_each_parser_reads_the_numbers_that_were_written(numbers_: list[float]) -> None:
    vms = [vm(vm_id=str(index)) for index in range(len(numbers_))]
    family = made_up("gigas_made_up", lambda snapshot: ((("", ""), numbers_[int(snapshot.machine.vm_id)]),))
    text = ours(text_header(family), family, vms)
    openmetrics = ours(openmetrics_header(family), family, vms) + "# EOF\n"
    for families in (text_families(text), openmetrics_families(openmetrics)):
        read = [sample.value for family_ in families for sample in family_.samples]
        assert list(map(repr, read)) == list(map(repr, numbers_))  # NaN is not equal to itself.


@given(label=st.text(st.characters(categories=["Cs", "Lu"]), min_size=1, max_size=6))
def test_what_cannot_be_written_costs_its_characters_and_no_page(label: str) -> None:
    named = vm(label=label)
    for family in VM_FAMILIES:
        lines = Renderer().lines(family, [named], [identity_of(named)])
        assert lines.decode().endswith("\n") or not lines
