"""What a simulation is made of."""

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Clock", "SimulatorOptions"]


class Clock(Protocol):
    """The time of the simulation: UNIX seconds, and waiting."""

    def wall_s(self) -> float: ...

    async def sleep(self, delay_s: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """`step_s`: the width of the finest buckets. `lag_s`: how long after its end a bucket is published, on the average.

    `skew_s`: by how much the provider's clock is ahead. `lock_s`: how long a queued operation takes; a step by default.
    `history_steps`: for how many buckets before the start there is a past; 9 000 fill `-1M` and `-30days`. The accounts
    are alike in size and share the credentials. `traffic_unit` and `cpu_percent_of`: what the provider does not say.
    """

    vms: int = 25
    step_s: float = 300.0
    seed: int = 1
    accounts: tuple[str, ...] = ("17893",)
    api_key: str = "demo-key"
    login: str = "demo"
    password: str = "demo-password"  # noqa: S105 - of a simulation
    page_cap: int = 500
    lag_s: float | None = None
    token_lifetime_s: float = 1_800.0
    corrections: bool = True
    skew_s: float = 0.0
    lock_s: float | None = None
    history_steps: int = 9_000
    traffic_unit: Literal["bytes", "bytes_per_second"] = "bytes"
    cpu_percent_of: Literal["vm", "core"] = "vm"

    @property
    def mean_lag_s(self) -> float:
        return 0.2 * self.step_s if self.lag_s is None else self.lag_s

    @property
    def operation_s(self) -> float:
        return self.step_s if self.lock_s is None else self.lock_s
