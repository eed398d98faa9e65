"""What is read of counters through a whole run, and the laws that it is held to by the provider's truth."""

import bisect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

from tests.exposition import Page

__all__ = ["BUSY", "LOCKED", "LOCKS", "RECEIVED", "SENT", "STAMPS", "Sample", "Scrapes", "Series", "Truth", "equal"]

RECEIVED = "gigas_vm_network_receive_bytes_total"
SENT = "gigas_vm_network_transmit_bytes_total"
BUSY = "gigas_vm_cpu_busy_seconds_total"
LOCKS, LOCKED = "gigas_vm_locks_total", "gigas_vm_locked_seconds_total"
STAMPS = {
    RECEIVED: "gigas_vm_network_timestamp_seconds",
    SENT: "gigas_vm_network_timestamp_seconds",
    BUSY: "gigas_vm_cpu_usage_timestamp_seconds",
}
LOST = "gigas_exporter_lost_seconds_total"

SURELY_SEEN_STEPS = 8
"""By a look so much later the shortest window still shows what was not final at the look before."""

_MOST_COUNTED_BEFORE = 3
"""By its first scrape a counter may hold so many buckets: those that ended between the first look and it."""


class Series(NamedTuple):
    family: str
    vm_id: str
    interface_id: str = ""


class Sample(NamedTuple):
    """`until_at`: the timestamp beside the counter, the end of the newest bucket that it holds."""

    value: float
    until_at: float = 0.0


class Truth:
    """What the buckets of each series hold in the end, by their ends."""

    def __init__(self, vms: Mapping[str, Any], step_s: float) -> None:
        self._ends: dict[Series, list[float]] = {}
        self._totals: dict[Series, list[float]] = {}
        for vm_id, vm in vms.items():
            self._add(Series(BUSY, vm_id), {end: ratio * step_s for end, ratio in vm["cpu"].items()})
            for interface_id, interface in vm["interfaces"].items():
                for way, family in enumerate((RECEIVED, SENT)):
                    buckets = {end: both[way] for end, both in interface["traffic"].items()}
                    self._add(Series(family, vm_id, interface_id), buckets)

    def _add(self, series: Series, buckets: Mapping[str, float]) -> None:
        if buckets:
            in_order = sorted((float(end), value) for end, value in buckets.items())
            self._ends[series] = [end for end, _ in in_order]
            self._totals[series] = list(accumulate((value for _, value in in_order), initial=0.0))

    def series(self) -> set[Series]:
        return set(self._ends)

    def between(self, series: Series, after_at: float, until_at: float) -> float:
        """The sum of the buckets that ended after the one instant and until the other."""
        ends, totals = self._ends[series], self._totals[series]
        return totals[bisect.bisect_right(ends, until_at)] - totals[bisect.bisect_right(ends, after_at)]


@dataclass
class Scrapes:
    """Every change of every counter that was seen, and what was wrong with it at once.

    `torn`: CPU series that nobody looked at for so long that the shortest window may not tell all.
    """

    step_s: float
    history: dict[Series, list[Sample]] = field(default_factory=dict)
    torn: set[Series] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    lost_s: dict[str, float] = field(default_factory=dict)
    read: int = 0
    refused: int = 0
    incomplete: int = 0

    def record(self, page: Page) -> bool:
        """Take note of a page. Whether it has all series that were ever seen."""
        self.read += 1
        seen = 0
        stamps = {
            (name, labels["vm_id"], labels.get("interface_id", "")): value
            for name in set(STAMPS.values())
            for labels, value in page.each(name)
        }
        for family in (*STAMPS, LOCKS, LOCKED):
            for labels, value in page.each(family):
                series = Series(family, labels["vm_id"], labels.get("interface_id", ""))
                until_at = stamps[STAMPS[family], *series[1:]] if family in STAMPS else 0.0
                self._append(series, Sample(value, until_at))
                seen += 1
        complete = seen == len(self.history)
        self.incomplete += not complete
        for labels, value in page.each(LOST):
            collector = labels["collector"]
            self.lost_s[collector] = max(self.lost_s.get(collector, 0.0), value)
        return complete

    def _append(self, series: Series, sample: Sample) -> None:
        known = self.history.setdefault(series, [])
        if known and sample.value < known[-1].value:
            self.wrong.append(f"scrape {self.read}: {series} fell from {known[-1]} to {sample}")
        if known and series.family == BUSY and sample.until_at - known[-1].until_at > SURELY_SEEN_STEPS * self.step_s:
            self.torn.add(series)
        if not known or known[-1] != sample:
            known.append(sample)

    def first(self, *families: str) -> dict[Series, Sample]:
        return {series: known[0] for series, known in self.history.items() if series.family in families}

    def newest(self, *families: str) -> dict[Series, Sample]:
        return {series: known[-1] for series, known in self.history.items() if series.family in families}

    def growth(self, *families: str) -> dict[Series, float]:
        """By how much each has grown since it was first seen."""
        newest = self.newest(*families)
        return {series: newest[series].value - first.value for series, first in self.first(*families).items()}

    def differences(self, truth: Truth, since: Mapping[Series, Sample]) -> dict[Series, float]:
        """By how much each has grown too much or too little since those samples; only of those that are wrong."""
        found = {}
        for series, before in since.items():
            now = self.history[series][-1]
            true = truth.between(series, before.until_at, now.until_at)
            if not equal(now.value - before.value, true):
                found[series] = now.value - before.value - true
        return found

    def untrue(self, truth: Truth) -> dict[Series, float]:
        """By how much each is beside the sum of all buckets from where it began until its timestamp; only of those that
        are wrong. One that was first seen at 0 began at its timestamp; one that had counted, some buckets before it.
        """
        found = {}
        for series, (first, *_) in self.history.items():
            if series.family not in STAMPS:
                continue
            now = self.history[series][-1]
            counted_before = range(1, _MOST_COUNTED_BEFORE + 1) if first.value else (0,)
            sums = [truth.between(series, first.until_at - self.step_s * each, now.until_at) for each in counted_before]
            if not any(math.isclose(now.value, each, rel_tol=1e-9) for each in sums):
                found[series] = min((now.value - each for each in sums), key=abs)
        return found

    def beyond(self, truth: Truth) -> Iterator[str]:
        """Samples that hold more than there was between the first one's timestamp and their own."""
        for series, (first, *later) in self.history.items():
            if series.family not in STAMPS:
                continue
            for sample in later:
                most = truth.between(series, first.until_at, sample.until_at)
                if sample.value - first.value > most and not equal(sample.value - first.value, most):
                    yield f"{series} showed {sample} when there was {most}"


def equal(counted: float, true: float) -> bool:
    return math.isclose(counted, true, rel_tol=1e-9, abs_tol=1e-6)
