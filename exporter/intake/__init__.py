"""The one writer: readings are folded into records, committed, and only then published.

`folding` decides (record and reading in, record out; no state, no clock), `snapshots` turns a record into what is
shown, `writer` does: it owns the queue, the working records and the order commit before publish.
"""

from exporter.intake.writer import FleetChanged, FoldFailed, Intake, ReadingTaken, Taken

__all__ = ["FleetChanged", "FoldFailed", "Intake", "ReadingTaken", "Taken"]
