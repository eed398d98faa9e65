"""`gigas-exporter run`: the daemon."""

import asyncio

import click

from exporter.cli.options import Reader, settings_options
from exporter.cli.process import serve

__all__ = ["run"]


@click.command()
@settings_options
def run(read: Reader) -> None:
    """Collect from the provider and serve Prometheus until told to stop."""
    asyncio.run(serve(read(), reread=read))
