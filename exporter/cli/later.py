"""Commands whose names are promised and whose work is not done yet: they say so, and fail."""

import click

__all__ = ["backfill"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def backfill() -> None:
    """History from the longer periods: not available yet."""
    raise click.ClickException("backfill: not available yet")
