"""What the provider shows of the truth, and when: buckets, lag, unfilled ones, corrections."""

from collections.abc import Mapping
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


class Publication:
    """A bucket is published some time after it has ended; a few are partial for a step and corrected then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._options = world.options

    def cpu_stats(self, machine: Machine, period: str, now_s: float) -> dict[str, Any]:
        """The provider's CPU usage resource: chunks without times, oldest first."""
        count, steps = CPU_PERIODS[period]
        last = int(now_s // (self._options.step_s * steps))
        chunks = [self.cpu_percent(machine, chunk, steps, now_s) for chunk in range(last - count, last)]
        nothing = all(chunk is None for chunk in chunks)
        unfilled = None if machine.index % 3 == 2 else 0
        return {
            "lapse": _LAPSES[period],
            "machine_id": int(machine.id),
            "data": [] if nothing else [unfilled if chunk is None else chunk for chunk in chunks],
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
        data: dict[str, Any] = {}
        for key, bucket in enumerate(buckets):
            value = self.traffic_bytes(machine, interface, bucket, steps, now_s)
            if value is not None:
                data[str(key)] = {"traffic_out": value[1], "traffic_in": value[0]}
            elif machine.runs_at(bucket * self._options.step_s * steps) and machine.index % 3 != 1:
                unfilled = None if machine.index % 3 == 2 else 0
                data[str(key)] = {"traffic_out": unfilled, "traffic_in": unfilled}
        return {
            "network_id": interface.network_id,
            "is_public": interface.public,
            "data": data,
            "interface_id": interface.id,
        }

    def cpu_percent(self, machine: Machine, chunk: int, steps: int, now_s: float) -> float | None:
        """What is shown of a chunk: percent, the mean of its steps; None while there is nothing."""
        shown = self._share(machine, chunk, steps, now_s)
        known = [
            ratio
            for bucket in range(chunk * steps, (chunk + 1) * steps)
            if (ratio := self._world.cpu_ratio(machine, bucket)) is not None
        ]
        return round(100 * shown * sum(known) / len(known), 10) if shown and known else None

    def traffic_bytes(
        self, machine: Machine, interface: Interface, bucket: int, steps: int, now_s: float
    ) -> tuple[float, float] | None:
        """What is shown of a bucket: bytes in and out, the sums of its steps; None while there is nothing."""
        shown = self._share(machine, bucket, steps, now_s)
        if not shown:
            return None
        known = [
            value
            for fine in range(bucket * steps, (bucket + 1) * steps)
            if (value := self._world.traffic(machine, interface, fine)) is not None
        ]
        if not known:
            return None
        return shown * sum(value[0] for value in known), shown * sum(value[1] for value in known)

    def _share(self, machine: Machine, bucket: int, steps: int, now_s: float) -> float:
        """Which part of the truth is shown: nothing before publication, for some a part first, then all."""
        luck = chance(self._options.seed, "publication", machine.id, bucket, steps)
        ended_s = now_s - (bucket + 1) * self._options.step_s * steps
        # Each VM is published at its own pace, and no bucket before the one in front of it.
        lag_s = self._options.mean_lag_s * (0.5 + chance(self._options.seed, "lag", machine.id)[0])
        if ended_s < lag_s:
            return 0.0
        corrected = self._options.corrections and luck[0] < _CORRECTED_SHARE
        return _PARTIAL if corrected and ended_s < lag_s + self._options.step_s else 1.0


def _whole(at_s: float) -> float:
    return int(at_s) if at_s == int(at_s) else at_s


def spelt(width_s: float) -> str:
    """A width as the provider spells it."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if width_s % seconds == 0:
            count = int(width_s // seconds)
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{width_s:g} seconds"
