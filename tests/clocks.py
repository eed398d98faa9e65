"""A clock for those who work in steps."""

from exporter.clock import SystemClock

__all__ = ["LaboriousClock"]

_LAP_S = 1_000.0


class LaboriousClock(SystemClock):
    """Whoever looks at it has worked for `part_s` since the last look, and others for long when somebody gave way."""

    def __init__(self, part_s: float = 1.0) -> None:
        super().__init__()
        self._part_s, self._now_s = part_s, 0.0
        self.looks = self.gave_way = 0

    def monotonic_s(self) -> float:
        self.looks += 1
        self._now_s += self._part_s
        return self._now_s

    async def give_way(self) -> None:
        self.gave_way += 1
        self._now_s += _LAP_S
        await super().give_way()

    @property
    def worked_s(self) -> float:
        """By the one who looks at it: between the looks, without what others did."""
        return (self.looks - 1 - self.gave_way) * self._part_s
