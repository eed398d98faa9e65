"""What is new in an answer, as pure arithmetic: no input, output, clock, chance or log.

A bucket (traffic) or chunk (CPU) is its absolute bounds, in integer milliseconds; a value is an integer of 2**-40 of
its unit (`quantum`), so that sums are associative and nothing drifts. `window` is what an answer shows as absolute
buckets, `strip` finds how wide they are, `cpu` places lists that carry no times, `series` counts each complete bucket
once (`horizon`: those that may still change; `resting`: as they are kept), `arrears` knows what is owed and which
longer period pays for it, and `spells` follows locks and suspensions. Invariants: `exposed` never falls; folding one
answer twice changes nothing; two answers about one window fold alike in either order; what has left the window is
counted, owed, or lost.
"""

from exporter.counting.arrears import (
    Ask,
    Forgiven,
    Owed,
    Repaid,
    excused,
    forgive,
    next_ask,
    owed,
    repay,
    unpayable_before_ms,
)
from exporter.counting.cpu import end_hint, place, width_of_time_units
from exporter.counting.horizon import NO_RUNS, Horizon, Run, horizon_of, packed, runs_of, unpacked
from exporter.counting.quantum import LARGEST, enter, entered, leave
from exporter.counting.series import Manner, Series, begin, fold, lateness_ms, moved
from exporter.counting.spells import Spell, observe, unseen
from exporter.counting.strip import Strip, bucket_width, width_ms
from exporter.counting.units import Balance, Load, PercentOf, TrafficUnit, percent_of, traffic_unit, weigh
from exporter.counting.window import Bucket, Grid, KeptWindow, Window, changes_for_ms, complete_until_ms, to_ms

__all__ = [
    "LARGEST",
    "NO_RUNS",
    "Ask",
    "Balance",
    "Bucket",
    "Forgiven",
    "Grid",
    "Horizon",
    "KeptWindow",
    "Load",
    "Manner",
    "Owed",
    "PercentOf",
    "Repaid",
    "Run",
    "Series",
    "Spell",
    "Strip",
    "TrafficUnit",
    "Window",
    "begin",
    "bucket_width",
    "changes_for_ms",
    "complete_until_ms",
    "end_hint",
    "enter",
    "entered",
    "excused",
    "fold",
    "forgive",
    "horizon_of",
    "lateness_ms",
    "leave",
    "moved",
    "next_ask",
    "observe",
    "owed",
    "packed",
    "percent_of",
    "place",
    "repay",
    "runs_of",
    "to_ms",
    "traffic_unit",
    "unpacked",
    "unpayable_before_ms",
    "unseen",
    "weigh",
    "width_ms",
    "width_of_time_units",
]
