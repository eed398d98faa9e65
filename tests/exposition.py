"""Pages read back: samples by name and labels."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics import Own

__all__ = ["Page", "VmLabels", "text_of"]

VmLabels = Mapping[str, str]
_Samples = Mapping[str, Sequence[tuple[VmLabels, float]]]

_FAMILY = re.compile(r"^(?=# HELP )", re.MULTILINE)


@lru_cache(4096)
def _samples(family: str) -> _Samples:
    """What one family's text tells, by name. From page to page most families stay as they are, and to take one apart
    takes long: the provider is often simulated in the same process, and must answer meanwhile.
    """
    found: dict[str, dict[frozenset[tuple[str, str]], tuple[VmLabels, float]]] = {}
    for metric in text_string_to_metric_families(family):
        for sample in metric.samples:
            named, labels = found.setdefault(sample.name, {}), frozenset(sample.labels.items())
            assert labels not in named, f"twice on one page: {sample.name}{sample.labels}"
            named[labels] = sample.labels, sample.value
    return {name: tuple(named.values()) for name, named in found.items()}


@dataclass(frozen=True)
class Page:
    """A page in text 0.0.4: samples by name."""

    samples: _Samples

    @staticmethod
    def of(text: str) -> "Page":
        found: dict[str, Sequence[tuple[VmLabels, float]]] = {}
        for family in _FAMILY.split(text):
            samples = _samples(family)
            assert found.keys().isdisjoint(samples), f"spread over one page: {found.keys() & samples.keys()}"
            found.update(samples)
        return Page(found)

    def each(self, name: str, **labels: str) -> Iterator[tuple[VmLabels, float]]:
        """The samples of a name that have (at least) these labels."""
        wanted = labels.items()
        return ((told, value) for told, value in self.samples.get(name, ()) if wanted <= told.items())

    def told(self, label: str) -> set[str]:
        """All values of a label."""
        return {told[label] for samples in self.samples.values() for told, _ in samples if label in told}

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
        return self.told("vm_id")

    def names(self) -> set[str]:
        return set(self.samples)


def text_of(own: Own, *, openmetrics: bool = False) -> str:
    """What the daemon's own families say."""
    return b"".join(own.lines(openmetrics=openmetrics)).decode()
