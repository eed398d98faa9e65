"""Pages read back: samples by name and labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics import Own

__all__ = ["Page", "VmLabels", "text_of"]

VmLabels = Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """A page in text 0.0.4."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @staticmethod
    def of(text: str) -> "Page":
        found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in found, f"twice on one page: {key}"
                found[key] = sample.value
        return Page(found)

    def each(self, name: str, **labels: str) -> Iterator[tuple[VmLabels, float]]:
        """The samples of a name that have (at least) these labels."""
        wanted = labels.items()
        for (family, told), value in self.samples.items():
            if family == name and wanted <= dict(told).items():
                yield dict(told), value

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample of that name with these labels; None if there is none."""
        found = [value for _, value in self.each(name, **labels)]
        assert len(found) <= 1, f"{name}{labels}: {len(found)} samples"
        return found[0] if found else None

    def one(self, name: str, **labels: str) -> float:
        """The one sample of that name with these labels, which must be there."""
        found = self.value(name, **labels)
        assert found is not None, f"{name}{labels} is not on the page"
        return found

    def vm_ids(self) -> set[str]:
        """Of the VMs that have any series."""
        return {dict(labels)["vm_id"] for _, labels in self.samples if "vm_id" in dict(labels)}

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}


def text_of(own: Own, *, openmetrics: bool = False) -> str:
    """What the daemon's own families say."""
    return b"".join(plain for each in own.stretches(openmetrics=openmetrics) for plain in each.plain).decode()
