"""Tables that are kept, each with what it was measured on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["keep"]

_ROOT = Path(__file__).parents[1]
_FOLDER = Path(__file__).with_name("results")


def keep(table: str, *, form: str) -> Path:
    """Write a table as `COMMIT-FORM.md`; return where. Of a tree with changes it is not that commit's."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = bool(_git("status", "--porcelain"))
    path = _FOLDER / f"{commit}{'-changed' if changed else ''}-{form}.md"
    path.write_text(f"{_heading(commit, changed=changed, form=form)}\n{table}")
    return path.relative_to(_ROOT)


def _heading(commit: str, *, changed: bool, form: str) -> str:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return "\n".join(
        (
            f"# `make bench`, {form} form, of commit {commit}",
            "",
            f"- tree: {'changed since the commit' if changed else 'clean'}",
            f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            f"- Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            f"- load average at the end: {load}",
            "",
        )
    )


def _git(*arguments: str) -> str:
    """What git says; nothing outside a checkout, or where there is no git."""
    try:
        told = subprocess.run(("git", *arguments), cwd=_ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()
