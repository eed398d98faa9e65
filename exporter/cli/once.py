"""`gigas-exporter once`: one collection, for a textfile collector or a look."""

import asyncio
import sys
from pathlib import Path

import click

from exporter.app import collect_once
from exporter.cli.files import replacing
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
        with replacing(output, mode=_READABLE) as file:  # A textfile collector must never read half of it.
            file.write(page)
    if failed:
        raise click.ClickException("; ".join(str(error) for error in failed.values()))
