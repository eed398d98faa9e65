"""A provider in numbers: what really was, bucket by bucket, and what it shows of that at any instant.

Instants are in widths of its finest buckets; bucket `n` covers `[n, n + 1)`. Values are quanta, so that sums are exact.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from exporter.collectors import SHORTEST, CpuReading, InterfaceReading, TrafficReading
from exporter.counting import Grid, Strip, leave

__all__ = ["CPU_PERIODS", "EPOCH", "GRAIN", "TRAFFIC_PERIODS", "WIDTH_S", "History", "at_s", "grids_of", "number_of"]

EPOCH = 1_700_000_000 // 86_400 * 86_400
"""A multiple of every width here."""
WIDTH_S = 2
_QUIET = 6
TRAFFIC_PERIODS: Mapping[str, tuple[int, int]] = {SHORTEST: (1, 12), "-1day": (6, 8), "-1M": (24, 16), "-1Y": (96, 40)}
"""By period: how many of the finest buckets one of its buckets has, and how many it shows."""
CPU_PERIODS: Mapping[str, tuple[int, int]] = {SHORTEST: (1, 12), "-30days": (48, 80)}


def at_s(at: float) -> float:
    """UNIX seconds."""
    return EPOCH + at * WIDTH_S


def number_of(at_ms: int) -> int:
    """The bucket that begins then."""
    return (at_ms // 1000 - EPOCH) // WIDTH_S


def grids_of(periods: Mapping[str, tuple[int, int]]) -> dict[str, Grid]:
    """Where the buckets of the longer ones lie."""
    return {
        period: Grid(steps * WIDTH_S * 1000, EPOCH * 1000, count)
        for period, (steps, count) in periods.items()
        if period != SHORTEST
    }


GRAIN = 2**20
"""Values are so many quanta, or several: a double holds them, and their sums and halves."""


@dataclass
class History:
    """`seed` decides what was, up to `most` grains in a bucket. One is published `lags` after its end, none before the
    one in front of it; for `corrected_after` widths it shows so many `halves` of what it holds in the end. Not
    published: `unfilled`.
    """

    seed: int
    idle_share: float = 0.2
    lags: tuple[float, ...] = (0.3,)
    halves: tuple[int, ...] = (2,)
    corrected_after: float = 1.5
    unfilled: int | None = None
    most: int = 2**40
    ends_at: int | None = None
    """From then on nothing happens any more, but for one last bucket in which all that is overcounted is worked off,
    when nothing before it changes any more."""
    off: list[range] = field(default_factory=list)
    """The buckets in which the machine did not run: there are none of these."""
    _sums: dict[int, int] = field(default_factory=dict)
    _shown_most: dict[int, int] = field(default_factory=dict)

    @property
    def last(self) -> int | None:
        """The last bucket that holds anything."""
        return None if self.ends_at is None else self.ends_at + _QUIET

    def final(self, number: int) -> int:
        """What a bucket holds in the end."""
        if self.ends_at is not None and number >= self.ends_at:
            return 64 * self.most * GRAIN if number == self.last else 0
        if self._is_off(number):
            return 0
        chance = Random(f"{self.seed}/{number}")  # noqa: S311 - a made-up life
        return 0 if chance.random() < self.idle_share else (1 + chance.randrange(self.most)) * GRAIN

    def total(self, first: int, end: int) -> int:
        """What the buckets from one to before another hold together in the end."""
        return sum(self._final(number) for number in range(first, end))

    def shown_at_most(self, first: int, end: int) -> int:
        """What was shown of them at most, each by itself, or would have been."""
        return sum(max(self._final(number), self._shown_most.get(number, 0)) for number in range(first, end))

    def traffic(self, period: str, at: float) -> TrafficReading:
        """What `bw_stats` answers."""
        steps, count = TRAFFIC_PERIODS[period]
        last = math.floor(at / steps)
        values = tuple(self._window(range(last - count, last), steps, at))
        begin_ms, end_ms = (round(at_s(number * steps) * 1000) for number in (last - count, last))
        there = 1 + max((place for place, value in enumerate(values) if value is not None), default=-1)
        strip = Strip(begin_ms, end_ms, values[:there], round(at_s(at) * 1000))
        return TrafficReading(
            account="production",
            vm_id="24",
            interfaces=(InterfaceReading("45", "1", public=True, receive=strip, transmit=strip),) if there else (),
            width_hint_ms=steps * WIDTH_S * 1000,
            refused=0,
            duplicates=0,
            asked_at=at_s(at),
            asked_seen_at=at_s(at),
            period=period,
        )

    def cpu(self, period: str, at: float) -> CpuReading:
        """What `cpu_stats` answers, as busy time."""
        steps, count = CPU_PERIODS[period]
        last = math.floor(at / steps)
        return CpuReading(
            account="production",
            vm_id="24",
            values=tuple(self._window(range(last - count, last), steps, at)),
            width_ms=steps * WIDTH_S * 1000,
            cores=None,
            refused=0,
            asked_at=at_s(at),
            asked_seen_at=at_s(at),
            period=period,
        )

    def _window(self, buckets: range, steps: int, at: float) -> Iterator[float | None]:
        for bucket in buckets:
            lags = (self.lags[each % len(self.lags)] + (each + 1) * steps for each in range(bucket - 3, bucket + 1))
            published = max(lags)
            if at < published:
                yield self.unfilled
                continue
            parts = range(bucket * steps, (bucket + 1) * steps)
            if all(self._is_off(number) for number in parts):
                yield None
                continue
            value = self.total(parts.start, parts.stop)
            if at < published + self.corrected_after and bucket != self.last:
                # A sum that was shown too large would make good what it shows for its parts.
                halves = self.halves[bucket % len(self.halves)]
                value = value * (halves if steps == 1 else min(halves, 2)) // 2
            if steps == 1:
                self._shown_most[bucket] = max(value, self._shown_most.get(bucket, 0))
            yield leave(value)

    def _is_off(self, number: int) -> bool:
        return any(number in span for span in self.off)

    def _final(self, number: int) -> int:
        if number not in self._sums:
            self._sums[number] = self.final(number)
        return self._sums[number]
