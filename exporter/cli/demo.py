"""`gigas-exporter demo`: the daemon against the simulated API, with nothing to configure."""

import asyncio
from typing import Any

import click

from exporter.cli.process import serve
from exporter.cli.simulate import checked_step
from exporter.clock import SystemClock
from exporter.settings import Settings, load
from exporter.simulator import SimulatorOptions
from exporter.simulator import serve as simulate

__all__ = ["demo"]

_LOOKS_PER_STEP = 5
"""So that a bucket is seen soon after it is published, however short the steps are."""
_STALE_STEPS = 6


@click.command()
@click.option("--vms", type=click.IntRange(1, 100_000), default=25, show_default=True, help="How many VMs.")
@click.option(
    "--step", default="10s", show_default=True, callback=checked_step, help="Width of the finest buckets, a duration."
)
@click.option("--web.listen-address", "listen", default=":9877", show_default=True, help="Where to listen.")
@click.option("--log.level", "level", type=click.Choice(["debug", "info", "warn", "error"]), default="info")
@click.option("--log.format", "form", type=click.Choice(["logfmt", "json"]), default="logfmt")
def demo(vms: int, step: float, listen: str, level: str, form: str) -> None:
    """Show the exporter at work on a simulated account."""
    options = SimulatorOptions(vms=vms, step_s=step)
    flags: dict[str, Any] = {"web.listen_address": (listen,), "log.level": level, "log.format": form}
    asyncio.run(_demonstrate(options, flags))


async def _demonstrate(options: SimulatorOptions, flags: dict[str, Any]) -> None:
    async with simulate(options, clock=SystemClock()) as url:
        settings = _settings(options, url, flags)
        listen = settings.web.listen_address[0]
        where = f"http://localhost{listen}" if listen.startswith(":") else f"http://{listen}"
        click.echo(f"{options.vms} simulated VMs, buckets of {options.step_s:g} s. Open {where}/ (Ctrl-C ends it).")
        click.echo(f"The simulated provider, to play with: {url}/")
        await serve(settings, reread=lambda: _settings(options, url, flags))


def _settings(options: SimulatorOptions, url: str, flags: dict[str, Any]) -> Settings:
    interval = f"{max(0.1, options.step_s / _LOOKS_PER_STEP):g}"
    account = {"ID": options.accounts[0], "NAME": "demo", "API_KEY": options.api_key}
    environ = {f"GIGAS_EXPORTER_ACCOUNTS__0__{name}": value for name, value in account.items()}
    environ["GIGAS_EXPORTER_API__URL"] = url
    environ["GIGAS_EXPORTER_COLLECT__STALE_AFTER"] = f"{_STALE_STEPS * options.step_s:g}"
    for collector in ("INVENTORY", "CPU", "TRAFFIC"):
        environ[f"GIGAS_EXPORTER_COLLECT__{collector}__INTERVAL"] = interval
    return load(flags=flags, environ=environ, file=None)
