"""When to look at what: a round for each account and collector, started by a few jobs, paced by what was learned.

`jobs` only nudges (APScheduler); `rounds` (listings) and `looks` (VMs) are owned tasks; `back` asks for the longer
periods that are to pay for what is missing. `due` is the heap of VMs; `pace` is pure: (habit of a VM, outcome, instant)
to (habit, next look). One failing account, endpoint or VM disturbs no other.
"""

from exporter.schedule.back import LookBackFailed
from exporter.schedule.jobs import Jobs
from exporter.schedule.looks import VmRound
from exporter.schedule.rounds import AgesSeen, CollectorRan, InventoryRound, LookFailed, LooksBegan, Round
from exporter.schedule.supervise import TaskFailed, supervise

__all__ = [
    "AgesSeen",
    "CollectorRan",
    "InventoryRound",
    "Jobs",
    "LookBackFailed",
    "LookFailed",
    "LooksBegan",
    "Round",
    "TaskFailed",
    "VmRound",
    "supervise",
]
