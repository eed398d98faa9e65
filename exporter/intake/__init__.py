"""The one writer: readings are folded into records, committed, and only then published.

`folding` and `arrears` decide (record and reading in, record out; no state, no clock), `books` keeps the working
records and what of them is not committed yet, `entry` joins the two, `snapshots` turns a record into what is shown, and
`writer` owns the queue and the order: fold, commit, publish.
"""

from exporter.intake.events import (
    CommitFailed,
    Committed,
    FleetChanged,
    FoldFailed,
    IntakeEvent,
    LockEnded,
    ReadingTaken,
    Restored,
    Taken,
)
from exporter.intake.writer import Intake

__all__ = [
    "CommitFailed",
    "Committed",
    "FleetChanged",
    "FoldFailed",
    "Intake",
    "IntakeEvent",
    "LockEnded",
    "ReadingTaken",
    "Restored",
    "Taken",
]
