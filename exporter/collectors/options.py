"""What collectors are told: the settings that decide what is asked and how an answer is understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One account's. `timezone` is that of the provider's naive times; the last three are what it does not document."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    shard_index: int = 0
    shard_total: int = 1
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    memory_unit: Literal["MiB", "MB"] = "MiB"
    cpu_percent_of: Literal["vm", "core"] = "vm"
    traffic_unit: Literal["bytes", "bytes_per_second"] = "bytes"
