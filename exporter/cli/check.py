"""`gigas-exporter check`: reads the configuration, asks the provider, says what it found."""

import asyncio

import click

from exporter.app import findings
from exporter.cli.options import Reader, settings_options
from exporter.cli.process import ready_to_log
from exporter.clock import SystemClock
from exporter.settings import Settings

__all__ = ["check"]


@click.command()
@settings_options
def check(read: Reader) -> None:
    """Check the configuration against the provider: log in, list, read the statistics of a few VMs of each account, and
    compare what the settings say of their units with what the values show.
    """
    settings = ready_to_log(read())
    click.echo(f"configuration: {len(settings.accounts)} account(s), {settings.api.url}")
    if not asyncio.run(_is_fine(settings)):
        raise click.exceptions.Exit(1)


async def _is_fine(settings: Settings) -> bool:
    fine = True
    async for finding in findings(settings, clock=SystemClock()):
        click.echo(f"gigas-exporter: {finding.text}" if finding.wrong else finding.text, err=finding.wrong)
        fine = fine and not finding.wrong
    return fine
