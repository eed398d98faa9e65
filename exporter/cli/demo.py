"""`gigas-exporter demo`: the daemon against the simulated API, with nothing to configure."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from exporter.cli.process import serve
from exporter.cli.simulate import checked_step
from exporter.clock import SystemClock
from exporter.settings import PREFIX, Settings, load
from exporter.simulator import SimulatorOptions
from exporter.simulator import serve as simulate

__all__ = ["demo"]

_LOOKS_PER_STEP = 5
"""So that a bucket is seen soon after it is published, however short the steps are."""
_LONGEST_LISTING_S = 10.0
_LONGEST_LOOK_S = 60.0
"""However long the steps are: who plays with a VM wants to see what becomes of it."""
_STALE_STEPS = 6


@click.command()
@click.option(
    "--vms",
    envvar=f"{PREFIX}VMS",
    type=click.IntRange(1, 100_000),
    default=25,
    show_default=True,
    help="How many VMs.",
)
@click.option(
    "--step",
    envvar=f"{PREFIX}STEP",
    default="10s",
    show_default=True,
    callback=checked_step,
    help="Width of the finest buckets, a duration.",
)
@click.option(
    "--web.listen-address",
    "listen",
    envvar=f"{PREFIX}WEB__LISTEN_ADDRESS",
    multiple=True,
    default=(":9877",),
    show_default=True,
    help="Where to listen; repeatable.",
)
@click.option(
    "--log.level",
    "level",
    envvar=f"{PREFIX}LOG__LEVEL",
    default="info",
    show_default=True,
    metavar="[debug|info|warn|error]",
    help="The least that is logged.",
)
@click.option(
    "--log.format",
    "form",
    envvar=f"{PREFIX}LOG__FORMAT",
    default="logfmt",
    show_default=True,
    metavar="[logfmt|json]",
    help="How a line looks.",
)
def demo(vms: int, step: float, listen: tuple[str, ...], level: str, form: str) -> None:
    """Show the exporter at work on a simulated account."""
    options = SimulatorOptions(vms=vms, step_s=step)
    flags: dict[str, Any] = {"web.listen_address": listen, "log.level": level, "log.format": form}
    asyncio.run(_demonstrate(options, flags))


async def _demonstrate(options: SimulatorOptions, flags: dict[str, Any]) -> None:
    async with simulate(options, clock=SystemClock()) as url:

        def greet(urls: Sequence[str]) -> None:
            where = _within_reach(urls[0])
            click.echo(f"{options.vms} simulated VMs, buckets of {options.step_s:g} s. Open {where}/ (Ctrl-C ends it).")
            click.echo(f"The simulated provider, to play with: {url}/")

        settings = _settings(options, url, flags)
        await serve(settings, reread=lambda: _settings(options, url, flags), on_listening=greet)


def _within_reach(url: str) -> str:
    """The address to open: one that stands for all of this machine's is none that a browser takes."""
    for everywhere in ("//0.0.0.0:", "//[::]:"):
        url = url.replace(everywhere, "//localhost:")
    return url


def _settings(options: SimulatorOptions, url: str, flags: dict[str, Any]) -> Settings:
    interval_s = max(0.1, options.step_s / _LOOKS_PER_STEP)
    account = {"ID": options.accounts[0], "NAME": "demo", "API_KEY": options.api_key}
    environ = {f"{PREFIX}ACCOUNTS__0__{name}": value for name, value in account.items()}
    environ[f"{PREFIX}API__URL"] = url
    environ[f"{PREFIX}STATE__PATH"] = ":memory:"  # The next demonstration is of other VMs.
    environ[f"{PREFIX}COLLECT__STALE_AFTER"] = f"{_STALE_STEPS * options.step_s:.3f}"
    for collector, longest_s in (
        ("INVENTORY", _LONGEST_LISTING_S),
        ("CPU", _LONGEST_LOOK_S),
        ("TRAFFIC", _LONGEST_LOOK_S),
    ):
        environ[f"{PREFIX}COLLECT__{collector}__INTERVAL"] = f"{min(interval_s, longest_s):.3f}"
    return load(flags=flags, environ=environ, file=None)
