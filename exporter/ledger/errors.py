"""Why a ledger's file is not used; each message is one line for the operator: `PATH: what is wrong; what to do`.

LedgerNotOpened
├── LedgerHeld             another process has it
└── LedgerRefused          it is left as it is
    ├── LedgerUnreadable   it cannot be looked at
    └── LedgerUnusable     it can be moved aside (`state.start_anew`)
        ├── LedgerForeign  it is no ledger of ours
        ├── LedgerNewer    a later version wrote it
        └── LedgerDamaged  it does not hold what was written

`LedgerFailed` (`record`) is of a ledger that is open: it may work later. `ArchiveRefused` is of what should go
into one.
"""

from pathlib import Path

__all__ = [
    "ArchiveRefused",
    "LedgerDamaged",
    "LedgerForeign",
    "LedgerHeld",
    "LedgerNewer",
    "LedgerNotOpened",
    "LedgerRefused",
    "LedgerUnreadable",
    "LedgerUnusable",
]

_ANEW = "or set state.start_anew to move it aside and begin at 0"


class LedgerNotOpened(Exception):
    """`path`: the file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__("".join(each if each.isprintable() else "?" for each in f"{path}: {message}"))
        self.path = path


class LedgerHeld(LedgerNotOpened):
    """`pid`: of the process that has it, where that is known."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(path, f"is held by {who}; stop that one, give each a state.path of its own, or set state.wait")
        self.pid = pid


class LedgerRefused(LedgerNotOpened):
    """The file is left untouched."""


class LedgerUnreadable(LedgerRefused):
    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(path, f"cannot be read: {cause}; look at state.path, and at who may read it")


class LedgerUnusable(LedgerRefused):
    """Whatever is done with it, this version cannot count on."""


class LedgerForeign(LedgerUnusable):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(path, f"is no ledger of gigas-exporter ({what}); set state.path to another file, {_ANEW}")


class LedgerNewer(LedgerUnusable):
    """`version`: of its schema."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        said = f"is of a newer version of gigas-exporter (schema {version}, this one knows {known})"
        super().__init__(path, f"{said}; run that one, {_ANEW}")
        self.version = version


class LedgerDamaged(LedgerUnusable):
    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(path, f"is damaged ({cause}); put a backup in its place, {_ANEW}")


class ArchiveRefused(Exception):
    """It is no export of a ledger, or not all of one; the message says what is wrong with it."""
