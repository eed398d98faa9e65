"""What the provider of the measurements knows, as pure functions: whoever measures can say what is right.

Every VM is online and has two interfaces. Its values are a walk through a table: cheap to make, of as many digits as
the provider's own, and different from bucket to bucket.
"""

import math
import random

__all__ = [
    "ACCOUNT",
    "FIRST_VM",
    "INTERFACES",
    "WAYS",
    "busy_ratio",
    "number_of",
    "percents",
    "published_at",
    "traffic",
    "vm_id",
]

ACCOUNT = "17893"
FIRST_VM = 178_931_000_000
INTERFACES = ("45", "46")
WAYS = ("in", "out")
_COUNT = 1_009
"""A prime, so that VMs which start a stride apart do not meet."""
_VM_STRIDE = 31
_WAY_STRIDE = 251
_LEAST_LAG = 0.1
_OWN_LAG = 0.1
"""How much longer a bucket of some VMs takes to be published, as a share of its width, and … """
_LUCK_LAG = 0.1
"""… how much longer some buckets of each do."""

_chance = random.Random(5)
_PERCENTS = tuple(round(_chance.uniform(1, 99), 10) for _ in range(_COUNT))
_BYTES = tuple(_chance.uniform(1e3, 5e6) for _ in range(_COUNT))


def vm_id(number: int) -> str:
    return str(FIRST_VM + number)


def number_of(vm: str) -> int:
    """Which VM, from 0, an id names."""
    return int(vm) - FIRST_VM


def published_at(number: int, bucket: int, step_s: float) -> float:
    """When a bucket that ends at `(bucket + 1) * step_s` is first shown: each VM is late in its own way, and that
    varies from bucket to bucket.
    """
    own = _share(number * 40_503)
    luck = _share(number * 31_153 + bucket * 40_503)
    return (bucket + 1 + _LEAST_LAG + _OWN_LAG * own + _LUCK_LAG * luck) * step_s


def percents(number: int, first: int, count: int) -> list[float]:
    """CPU usage of so many chunks in a row."""
    return [_PERCENTS[(number * _VM_STRIDE + chunk) % _COUNT] for chunk in range(first, first + count)]


def busy_ratio(number: int, first: int, count: int) -> float:
    """The chunks' sum: times their width, the seconds that the VM was busy."""
    return math.fsum(percents(number, first, count)) / 100


def traffic(number: int, interface: str, way: str, first: int, count: int) -> list[float]:
    """Bytes in so many buckets in a row."""
    start = number * _VM_STRIDE + _WAY_STRIDE * (2 * INTERFACES.index(interface) + WAYS.index(way))
    return [_BYTES[(start + bucket) % _COUNT] for bucket in range(first, first + count)]


def _share(seed: int) -> float:
    return (seed & 0xFFFF) / 0x10000
