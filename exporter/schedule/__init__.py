"""When to look at what: a round for each account and collector, started by a few jobs, paced by what was learned.

`jobs` only nudges (APScheduler); the rounds are owned tasks. `pace` is pure: (what was learned, outcome, instant) to
(learned, next look). One failing account, endpoint or VM disturbs no other.
"""

from exporter.schedule.jobs import Jobs
from exporter.schedule.rounds import CollectorRan, InventoryRound, LookFailed, Round, VmRound
from exporter.schedule.supervise import TaskFailed, supervise

__all__ = [
    "CollectorRan",
    "InventoryRound",
    "Jobs",
    "LookFailed",
    "Round",
    "TaskFailed",
    "VmRound",
    "supervise",
]
