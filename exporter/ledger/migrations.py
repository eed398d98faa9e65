"""What a ledger's tables look like, by version; and the marks by which a file is known as one.

`STEPS[n]` makes version n + 1 of version n, within one transaction together with all that follow it. A step that is
published is never changed. A field that records gain or lose is no step (`codec`); one that means something else is.
"""

import sqlite3
from collections.abc import Callable, Sequence

__all__ = ["APPLICATION_ID", "STEPS", "Step", "migrate", "version_of"]

Step = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x4769_6761
"""`PRAGMA application_id`: "Giga"."""


def _first(connection: sqlite3.Connection) -> None:
    """One row a VM: four were three times as dear to write, and five to load. What was listed has a row of its own,
    since it changes seldom. `used`: when an account was used last, in UNIX seconds.
    """
    connection.execute("CREATE TABLE opening (opened_s REAL NOT NULL)")
    connection.execute("INSERT INTO opening VALUES (0)")
    connection.execute("CREATE TABLE used (account TEXT PRIMARY KEY, used_s INTEGER NOT NULL)")
    connection.execute(
        "CREATE TABLE records (account TEXT NOT NULL, kind TEXT NOT NULL, vm_id TEXT NOT NULL, record TEXT NOT NULL,"
        " seal INTEGER NOT NULL, PRIMARY KEY (account, kind, vm_id))"
    )


STEPS: Sequence[Step] = (_first,)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of its tables; 0: there are none."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Take the steps that are not taken yet. The transaction is the caller's."""
    for step in steps[version_of(connection) :]:
        step(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(steps)}")
