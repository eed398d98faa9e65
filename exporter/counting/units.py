"""The provider does not say what its values are. Which unit do the values themselves support?"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from exporter.counting.window import Window, complete_until_ms

__all__ = ["Balance", "Load", "PercentOf", "TrafficUnit", "percent_of", "traffic_unit", "weigh"]

TrafficUnit = Literal["bytes", "bytes_per_second"]
PercentOf = Literal["vm", "core"]

_APART = 2
"""A coarse bucket is at least two fine ones wide: of less, sum and mean are too much alike."""
_WIDEST = 2.0
"""However far sum and mean lie apart, no more than twice or half of one is taken for it."""
_WHOLE = 100.0
_MEASURED = 1.02
"""How far above its limit a value may be measured: chunks and the accounting of CPU time end at different moments."""
_WELL_ABOVE = 1.1
_AT_LIMIT = 0.98
_STANDING = 3
"""So many chunks at the limit are no peak that happened to be there."""


class Balance(Struct, frozen=True, gc=False):
    """Coarse buckets, and what the fine buckets in each come to; quanta, added up over `buckets` of them."""

    buckets: int = 0
    coarse: int = 0
    sums: int = 0
    means: int = 0

    def __add__(self, other: "Balance") -> "Balance":
        return Balance(
            self.buckets + other.buckets,
            self.coarse + other.coarse,
            self.sums + other.sums,
            self.means + other.means,
        )


def weigh(fine: Window, coarse: Window) -> Balance:
    """Weigh one series' coarse buckets against its fine ones, values as the provider shows them.

    Only what is complete in both windows is weighed: a coarse bucket that filled fine ones cover without a gap. Where
    all of those are 0 it tells nothing. Fine buckets that straddle its bounds are shared out by time.

    >>> fine = Window(0, 10, (1, 3, 5, 7, 9, 0), asked_ms=60)
    >>> weigh(fine, Window(0, 20, (4, 12, 9), asked_ms=60))
    Balance(buckets=2, coarse=16, sums=16, means=8)
    """
    weighed = Balance()
    if coarse.width_ms < _APART * fine.width_ms:
        return weighed
    until_ms = min(_filled_until_ms(fine), _filled_until_ms(coarse))
    for bucket in coarse.buckets():
        if fine.start_ms <= bucket.start_ms and bucket.end_ms <= until_ms:
            held = _held(fine, bucket.start_ms, bucket.end_ms)
            if held:
                weighed += Balance(1, bucket.value, held, held * fine.width_ms // coarse.width_ms)
    return weighed


def _filled_until_ms(window: Window) -> int:
    """Zeros at the end may not be filled yet, however old they are."""
    never_ms = window.asked_ms - window.start_ms + 1
    until_ms = complete_until_ms(window, now_ms=window.asked_ms, idle_after_ms=never_ms)
    return window.start_ms if until_ms is None else until_ms


def _held(fine: Window, start_ms: int, end_ms: int) -> int | None:
    """What the window's buckets hold of that time; None where one of them is not there."""
    width_ms = fine.width_ms
    first, last = (start_ms - fine.start_ms) // width_ms, -((fine.start_ms - end_ms) // width_ms)
    held = 0
    for number, value in enumerate(fine.values[first:last], start=first):
        if value is None:
            return None
        bucket_ms = fine.start_ms + number * width_ms
        within_ms = min(end_ms, bucket_ms + width_ms) - max(start_ms, bucket_ms)
        held += value * within_ms // width_ms
    return held


def traffic_unit(balance: Balance) -> TrafficUnit | None:
    """Return the unit that a balance supports, or None where it supports neither.

    Of bytes in each bucket a coarse value is the sum of the fine ones; of averages it is their mean, and those are
    taken to be of bytes per second. Partial and corrected values may move the balance by a third of the way from one
    to the other, counted in factors, and by no more than twice.

    >>> [traffic_unit(Balance(4, coarse, sums=600, means=100)) for coarse in (600, 540, 100, 240, 1_500, 0)]
    ['bytes', 'bytes', 'bytes_per_second', None, None, None]
    """
    if balance.means <= 0:
        return None
    near = min(_WIDEST, (balance.sums / balance.means) ** (1 / 3))
    if balance.sums <= balance.coarse * near and balance.coarse <= balance.sums * near:
        return "bytes"
    if balance.means <= balance.coarse * near and balance.coarse <= balance.means * near:
        return "bytes_per_second"
    return None


class Load(Struct, frozen=True, gc=False):
    """The CPU chunks of a VM that has so many cores, in percent as the provider shows them."""

    vm: str
    cores: int
    percents: tuple[float, ...]

    @property
    def highest(self) -> float:
        return max(self.percents, default=0.0)

    @property
    def excessive(self) -> bool:
        """Whether it is more than all of the cores can do, whatever 100 % means."""
        return self.highest > _WHOLE * _WELL_ABOVE * self.cores


def percent_of(loads: Sequence[Load]) -> tuple[PercentOf | None, Load | None]:
    """Return what 100 % is of, as far as VMs of several cores tell, and the VM that tells most (None: there is none).

    Well above 100 % it is of one core: more than the whole VM there is not. Chunk after chunk at 100 % and none above,
    with several cores, supports the whole VM; it is no proof, since one busy core would look the same.

    >>> percent_of([Load("web", 4, (35.0, 250.0)), Load("small", 1, (100.0,))])
    ('core', Load(vm='web', cores=4, percents=(35.0, 250.0)))
    >>> percent_of([Load("web", 4, (35.0, 99.0, 100.0, 99.5)), Load("idle", 8, (1.0,))])[0]
    'vm'
    >>> percent_of([Load("web", 4, (35.0, 65.0))])[0] is None
    True
    """
    several = [load for load in loads if load.cores > 1 and load.percents]
    if not several:
        return None, None
    highest = max(several, key=lambda load: load.highest)
    if highest.highest > _WHOLE * _WELL_ABOVE:
        return (None if highest.excessive else "core"), highest
    standing = max(several, key=_at_limit)
    if highest.highest <= _WHOLE * _MEASURED and _at_limit(standing) >= _STANDING:
        return "vm", standing
    return None, highest


def _at_limit(load: Load) -> int:
    return sum(percent >= _WHOLE * _AT_LIMIT for percent in load.percents)
