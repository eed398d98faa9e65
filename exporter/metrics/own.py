"""The daemon's own families, by prometheus_client, built from the catalogue."""

import copy
import platform
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_latest_openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import FAMILIES, OwnFamily

__all__ = ["Own"]

_EOF = b"# EOF\n"


class Own:
    """Every `OwnFamily` as a metric of prometheus_client, by name, in a registry of its own."""

    def __init__(self, *, version: str) -> None:
        # A `_created` beside each counter would store one more series and helps nobody without a feature flag.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for family in FAMILIES:
            if isinstance(family, OwnFamily):
                self._build(family)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.gauge("gigas_exporter_build_info").labels(version, platform.python_version()).set(1)

    def gauge(self, name: str) -> Gauge:
        return self._gauges[name]

    def counter(self, name: str) -> Counter:
        return self._counters[name]

    def histogram(self, name: str) -> Histogram:
        return self._histograms[name]

    def text(self, *, accounts: frozenset[str] | None = None) -> bytes:
        """The families in text 0.0.4; of those that have accounts, these only (None: all)."""
        return generate_latest(_Part(self.registry, accounts))

    def openmetrics(self, *, accounts: frozenset[str] | None = None) -> bytes:
        """The same in OpenMetrics 1.0, without the `# EOF` that ends a page."""
        page: bytes = generate_latest_openmetrics(_Part(self.registry, accounts))
        return page.removesuffix(_EOF)

    def forget_account(self, account: str) -> None:
        """Drop the series of an account that is not watched any more."""
        metrics = {**self._gauges, **self._counters, **self._histograms}
        for family in FAMILIES:
            if family.name in metrics and "account" in family.labels:
                metrics[family.name].remove_by_labels({"account": account})

    def _build(self, family: OwnFamily) -> None:
        name, text, labels, unit = family.name, family.help, family.labels, family.unit
        if family.type == "gauge":
            self._gauges[name] = Gauge(name, text, labels, unit=unit, registry=self.registry)
        elif family.type == "counter":
            self._counters[name] = Counter(name, text, labels, unit=unit, registry=self.registry)
        else:
            self._histograms[name] = Histogram(
                name, text, labels, unit=unit, registry=self.registry, buckets=family.buckets
            )


class _Part(Collector):
    """A registry as those see it who asked for some accounts: samples of no account stay."""

    def __init__(self, registry: CollectorRegistry, accounts: frozenset[str] | None) -> None:
        self._registry = registry
        self._accounts = accounts

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            if self._accounts is None:
                yield metric
                continue
            part = copy.copy(metric)  # The registry's collectors may keep theirs.
            part.samples = [
                sample for sample in metric.samples if sample.labels.get("account") in {None, *self._accounts}
            ]
            yield part
