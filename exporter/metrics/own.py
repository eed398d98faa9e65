"""The daemon's own families, by prometheus_client, built from the catalogue."""

import copy
import platform
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar, cast

from prometheus_client import (
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

_Metric = TypeVar("_Metric", Gauge, Counter, Histogram)


class Own:
    """Every `OwnFamily` as a metric of prometheus_client, by name, and what that tells of the process.

    A family is rendered at a scrape if it has been asked for, to be changed, since the one before: prometheus_client
    takes 6 µs a sample.
    """

    def __init__(self, *, version: str) -> None:
        # A `_created` beside each counter would store one more series and helps nobody without a feature flag.
        disable_created_metrics()
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        families = [family for family in FAMILIES if isinstance(family, OwnFamily)]
        for family in families:
            self._build(family)
        self._series: dict[tuple[str, ...], Gauge | Counter | Histogram] = {}
        """By name and values of labels, once asked for: prometheus_client takes as long to find one as to change it."""
        self._families = MappingProxyType({**self._gauges, **self._counters, **self._histograms})
        self._of_process = ProcessCollector(registry=None)
        self._platform = _in_each_format(PlatformCollector(registry=None))
        """What does not change while the process lives."""
        self._ready: dict[str, dict[bool, bytes]] = {family.name: {} for family in families}
        """By family and format (whether it is OpenMetrics), while it is as it was."""
        self.gauge("gigas_exporter_build_info", version, platform.python_version()).set(1)

    def gauge(self, name: str, *labels: str) -> Gauge:
        """The series with those values of labels (none: the metric itself), to be changed at once: who keeps it and
        changes it later is not seen on the page. So are those below.
        """
        return self._of(self._gauges, name, labels)

    def counter(self, name: str, *labels: str) -> Counter:
        return self._of(self._counters, name, labels)

    def histogram(self, name: str, *labels: str) -> Histogram:
        return self._of(self._histograms, name, labels)

    def _of(self, metrics: Mapping[str, _Metric], name: str, labels: tuple[str, ...]) -> _Metric:
        self._ready[name].clear()
        if not labels:
            return metrics[name]
        which = (name, *labels)
        if which not in self._series:
            self._series[which] = metrics[name].labels(*labels)
        return cast("_Metric", self._series[which])

    def lines(self, *, openmetrics: bool, accounts: frozenset[str] | None = None) -> Iterator[bytes]:
        """The lines of the families one by one, in OpenMetrics 1.0, without the `# EOF` that ends a page, or in text
        0.0.4; of those that have accounts, these only (None: all).
        """
        for name, ready in self._ready.items():
            if accounts is not None:
                yield _rendered(_Part(self._families[name], accounts), openmetrics=openmetrics)
                continue
            if openmetrics not in ready:
                ready[openmetrics] = _rendered(self._families[name], openmetrics=openmetrics)
            yield ready[openmetrics]
        yield _rendered(self._of_process, openmetrics=openmetrics)
        yield self._platform[openmetrics]

    def forget(self, name: str, **labels: str) -> None:
        """Drop the series of a family that have these labels; without any, all."""
        self._ready[name].clear()
        self._series = {which: series for which, series in self._series.items() if which[0] != name}
        if labels:
            self._families[name].remove_by_labels(labels)
        else:
            self._families[name].clear()

    def forget_account(self, account: str) -> None:
        """Drop the series of an account that is not watched any more."""
        for family in FAMILIES:
            if family.name in self._families and "account" in family.labels:
                self.forget(family.name, account=account)

    def _build(self, family: OwnFamily) -> None:
        name, text, labels, unit = family.name, family.help, family.labels, family.unit
        if family.type == "gauge":
            self._gauges[name] = Gauge(name, text, labels, unit=unit, registry=None)
        elif family.type == "counter":
            self._counters[name] = Counter(name, text, labels, unit=unit, registry=None)
        else:
            self._histograms[name] = Histogram(name, text, labels, unit=unit, registry=None, buckets=family.buckets)


def _in_each_format(collector: Collector) -> Mapping[bool, bytes]:
    """By whether it is OpenMetrics."""
    return {openmetrics: _rendered(collector, openmetrics=openmetrics) for openmetrics in (False, True)}


def _rendered(collector: Collector, *, openmetrics: bool) -> bytes:
    page: bytes = generate_latest_openmetrics(collector) if openmetrics else generate_latest(collector)
    return page.removesuffix(_EOF)


class _Part(Collector):
    """A collector as those see it who asked for some accounts: samples of no account stay."""

    def __init__(self, whole: Collector, accounts: frozenset[str]) -> None:
        self._whole = whole
        self._accounts = accounts

    def collect(self) -> Iterator[Metric]:
        for metric in self._whole.collect():
            part = copy.copy(metric)  # The collector may keep its own.
            part.samples = [
                sample for sample in metric.samples if sample.labels.get("account") in {None, *self._accounts}
            ]
            yield part
