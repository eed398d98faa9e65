"""`gigas-exporter once`: one collection, for a textfile collector or a look."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import click

from exporter.app import collect_once
from exporter.cli.options import Reader, settings_options
from exporter.cli.process import ready_to_log
from exporter.clock import SystemClock
from exporter.ledger import LedgerFailed, LedgerNotOpened

__all__ = ["once"]

_READABLE = 0o644
"""node_exporter runs as another user."""


@click.command()
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write atomically into this file.")
@settings_options
def once(read: Reader, output: Path | None) -> None:
    """Collect once and print the metrics; fails if an account fails, after the others are written."""
    settings = read()
    # A job that is run again and again has nothing to say while all is well: cron would mail it each time.
    ready_to_log(settings, level="warn" if settings.log.level == "info" else None)
    try:
        page, failed = asyncio.run(collect_once(settings, clock=SystemClock()))
    except (LedgerNotOpened, LedgerFailed) as error:
        raise click.ClickException(str(error)) from error
    if output is None:
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    else:
        _write(page, output)
    if failed:
        raise click.ClickException("; ".join(str(error) for error in failed.values()))


def _write(page: bytes, output: Path) -> None:
    """Replace the file whole: a textfile collector must never read half of it."""
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            try:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(_READABLE)
                Path(file.name).replace(output)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
