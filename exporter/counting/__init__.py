"""What is new in an answer, as pure arithmetic: no input, output, clock, chance or log.

A bucket (traffic) or chunk (CPU) is its absolute bounds, in integer milliseconds; a value is an integer of 2**-40 of
its unit (`quantum`), so that sums are associative and nothing drifts. `window` is what an answer shows as absolute
buckets, `strip` finds how wide they are, `cpu` places lists that carry no times, `series` counts each complete bucket
once, and `spells` follows locks and suspensions. Invariants: `exposed` never falls; folding one answer twice changes
nothing; two answers about one window fold alike in either order.
"""

from exporter.counting.cpu import end_hint, place, width_of_time_units
from exporter.counting.quantum import LARGEST, enter, leave
from exporter.counting.series import Folded, Series, begin, fold, lateness_ms, moved
from exporter.counting.spells import Spell, observe, unseen
from exporter.counting.strip import Strip, bucket_width, width_ms
from exporter.counting.window import Bucket, Window, complete_until_ms, to_ms

__all__ = [
    "LARGEST",
    "Bucket",
    "Folded",
    "Series",
    "Spell",
    "Strip",
    "Window",
    "begin",
    "bucket_width",
    "complete_until_ms",
    "end_hint",
    "enter",
    "fold",
    "lateness_ms",
    "leave",
    "moved",
    "observe",
    "place",
    "to_ms",
    "unseen",
    "width_ms",
    "width_of_time_units",
]
