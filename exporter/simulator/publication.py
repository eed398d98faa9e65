"""What the provider shows of the truth, and when: buckets, lag, unfilled ones, corrections."""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from exporter.simulator.lives import chance
from exporter.simulator.world import Interface, Machine, World

__all__ = ["BW_PERIODS", "CPU_PERIODS", "Publication", "spelt"]

BW_PERIODS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"-1H": (12, 1), "-1day": (48, 6), "-1M": (373, 24), "-1Y": (366, 288)}
)
"""How many buckets a period shows, and of how many steps each."""
CPU_PERIODS: Mapping[str, tuple[int, int]] = MappingProxyType({"-1H": (12, 1), "-30days": (30, 288)})
_LAPSES = {"-1H": "last hour", "-30days": "last 30 days"}
_PARTIAL = 0.6
_CORRECTED_SHARE = 0.1
_LONGEST_CORRECTION_STEPS = 2
_KEPT = 2**14


class Publication:
    """A bucket is published some time after it has ended; a few are partial for a step or two and corrected then.

    What is not published yet is a 0, absent, or null: each VM has one of these habits. CPU lists keep their length.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._options = world.options
        # An ended bucket does not change any more, and the longest periods have thousands of steps a VM.
        self._coarse_ratio = lru_cache(_KEPT)(self._mean_ratio)
        self._coarse_traffic = lru_cache(_KEPT)(self._sum_of_traffic)
        self._lag_share = lru_cache(_KEPT)(lambda vm_id: 0.5 + chance(world.options.seed, "lag", vm_id)[0])

    def cpu_worked_out(self, machine: Machine, period: str, now_s: float) -> Iterator[None]:
        """Work out what a longer period of CPU shows, a chunk a step, and keep it.

        Long periods hold thousands of steps of a VM: together they take more than a tenth of a second.
        """
        count, steps = CPU_PERIODS[period]
        last = int(now_s // (self._options.step_s * steps))
        for chunk in range(last - count, last) if steps > 1 else ():
            yield
            self.cpu_percent(machine, chunk, steps, now_s)

    def bw_worked_out(self, machine: Machine, period: str, now_s: float) -> Iterator[None]:
        """Work out what a longer period of traffic shows, a bucket a step, and keep it."""
        count, steps = BW_PERIODS[period]
        last = int(now_s // (self._options.step_s * steps))
        for bucket in range(last - count, last) if steps > 1 else ():
            yield
            for interface in machine.interfaces:
                self.traffic_bytes(machine, interface, bucket, steps, now_s)

    def cpu_stats(self, machine: Machine, period: str, now_s: float) -> dict[str, Any]:
        """The provider's CPU usage resource: chunks without times, oldest first."""
        count, steps = CPU_PERIODS[period]
        last = int(now_s // (self._options.step_s * steps))
        whole = machine.cpus if self._options.cpu_percent_of == "core" else 1
        percents = (self.cpu_percent(machine, chunk, steps, now_s) for chunk in range(last - count, last))
        chunks = [None if percent is None else whole * percent for percent in percents]
        nothing = all(chunk is None for chunk in chunks)
        return {
            "lapse": _LAPSES[period],
            "machine_id": int(machine.id),
            "data": [] if nothing else [_unfilled(machine) if chunk is None else chunk for chunk in chunks],
            "time_units": spelt(self._options.step_s * steps),
        }

    def bw_stats(self, machine: Machine, period: str, now_s: float) -> dict[str, Any]:
        """The provider's network usage resource: buckets by number for each interface."""
        count, steps = BW_PERIODS[period]
        width_s = self._options.step_s * steps
        last = int(now_s // width_s)
        traffic = [
            [self._interface(machine, interface, range(last - count, last), steps, now_s)]
            for interface in machine.interfaces
        ]
        nothing = all(not interface[0]["data"] for interface in traffic)
        return {
            "date_from": _whole((last - count) * width_s),
            "traffic": {} if nothing else traffic,
            "date_to": _whole(last * width_s),
        }

    def _interface(
        self, machine: Machine, interface: Interface, buckets: range, steps: int, now_s: float
    ) -> dict[str, Any]:
        width_s = self._options.step_s * steps
        unit = width_s if self._options.traffic_unit == "bytes_per_second" else 1
        data: dict[str, Any] = {}
        for key, bucket in enumerate(buckets):
            value = self.traffic_bytes(machine, interface, bucket, steps, now_s)
            if value is not None:
                data[str(key)] = {"traffic_out": value[1] / unit, "traffic_in": value[0] / unit}
            elif (
                machine.index % 3 != 1 and machine.runs_at(bucket * width_s) and interface.since_at <= bucket * width_s
            ):
                data[str(key)] = {"traffic_out": _unfilled(machine), "traffic_in": _unfilled(machine)}
        return {
            "network_id": interface.network_id,
            "is_public": interface.public,
            "data": data,
            "interface_id": interface.id,
        }

    def cpu_percent(self, machine: Machine, chunk: int, steps: int, now_s: float) -> float | None:
        """What is shown of a chunk: percent, the mean of its steps; None while there is nothing."""
        shown = self._share(machine, chunk, steps, now_s)
        if not shown:
            return None
        ratio = self._world.cpu_ratio(machine, chunk) if steps == 1 else self._coarse_ratio(machine, chunk, steps)
        return None if ratio is None else round(100 * shown * ratio, 10)

    def traffic_bytes(
        self, machine: Machine, interface: Interface, bucket: int, steps: int, now_s: float
    ) -> tuple[float, float] | None:
        """What is shown of a bucket: bytes in and out, the sums of its steps; None while there is nothing."""
        shown = self._share(machine, bucket, steps, now_s)
        if not shown:
            return None
        if steps == 1:
            value = self._world.traffic(machine, interface, bucket)
        else:
            value = self._coarse_traffic(machine, interface, bucket, steps)
        return None if value is None else (shown * value[0], shown * value[1])

    def _mean_ratio(self, machine: Machine, chunk: int, steps: int) -> float | None:
        ratios = [self._world.cpu_ratio(machine, step) for step in self._steps(chunk, steps)]
        known = [ratio for ratio in ratios if ratio is not None]
        return math.fsum(known) / len(known) if known else None

    def _sum_of_traffic(
        self, machine: Machine, interface: Interface, bucket: int, steps: int
    ) -> tuple[float, float] | None:
        values = [self._world.traffic(machine, interface, step) for step in self._steps(bucket, steps)]
        known = [value for value in values if value is not None]
        return (math.fsum(value[0] for value in known), math.fsum(value[1] for value in known)) if known else None

    def _steps(self, bucket: int, steps: int) -> range:
        """The finest buckets of a coarse one, as far as there is a past."""
        return range(max(bucket * steps, self._world.first_bucket), (bucket + 1) * steps)

    def _share(self, machine: Machine, bucket: int, steps: int, now_s: float) -> float:
        """Which part of the truth is shown: nothing before publication, for some a part first, then all."""
        step_s = self._options.step_s
        # Each VM is published at its own pace, and no bucket before the one in front of it.
        published_s = now_s - (bucket + 1) * step_s * steps - self._options.mean_lag_s * self._lag_share(machine.id)
        if published_s < 0:
            return 0.0
        if not self._options.corrections or published_s >= _LONGEST_CORRECTION_STEPS * step_s:
            return 1.0
        luck = chance(self._options.seed, "publication", machine.id, bucket, steps)
        corrected_s = step_s * (1 + int(_LONGEST_CORRECTION_STEPS * luck[1]))
        return _PARTIAL if luck[0] < _CORRECTED_SHARE and published_s < corrected_s else 1.0


def _unfilled(machine: Machine) -> int | None:
    """How the provider writes a value that it does not have yet: of a third of the VMs null, else the documented 0."""
    return None if machine.index % 3 == 2 else 0


def _whole(at_s: float) -> float:
    return int(at_s) if at_s == int(at_s) else at_s


def spelt(width_s: float) -> str:
    """A width as the provider spells it."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if width_s % seconds == 0:
            count = int(width_s // seconds)
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{width_s:g} seconds"
