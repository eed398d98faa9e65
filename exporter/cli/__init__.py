"""The command line: one file a command, each a few lines over `app`.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, with a line on standard error for each mistake.
"""

import sys

import click

from exporter import __version__
from exporter.cli.check import check
from exporter.cli.demo import demo
from exporter.cli.later import backfill
from exporter.cli.once import once
from exporter.cli.run import run
from exporter.cli.simulate import simulate
from exporter.cli.state import state
from exporter.settings import ConfigurationError

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="gigas-exporter")
def _group() -> None:
    """Cloud servers at Gigas as Prometheus metrics."""


for _command in (run, demo, simulate, check, once, state, backfill):
    _group.add_command(_command)


def main() -> None:
    """Run the command that the arguments name, and exit."""
    sys.exit(_run())


def _run() -> int:
    try:
        return int(_group.main(prog_name="gigas-exporter", standalone_mode=False) or 0)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"gigas-exporter: {problem}", err=True)
        return 2
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        click.echo(f"gigas-exporter: {error.format_message()}", err=True)
        return 2
    except click.ClickException as error:
        click.echo(f"gigas-exporter: {error.format_message()}", err=True)
        return 1
    except click.Abort:
        return 1
