"""`gigas-exporter simulate`: the simulated API alone."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from exporter.cli.process import ignore_signals, stop_on_signals
from exporter.clock import SystemClock
from exporter.settings import PREFIX, parse_listen_address, positive_duration
from exporter.simulator import Fault, SimulatorOptions, load_faults, serve
from exporter.web import ListenFailed

__all__ = ["checked_step", "simulate"]

_USUAL = SimulatorOptions()


def checked_step(_: click.Context, __: click.Parameter, value: str) -> float:
    """A duration of the command line, in seconds."""
    try:
        return positive_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _option(flag: str, *names: str, **more: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A flag that is a variable, too."""
    variable = PREFIX + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, *names, envvar=variable, show_default=True, **more)


@click.command()
@_option("--listen-address", "listen", default="127.0.0.1:9878", help="Where to listen.")
@_option("--vms", type=click.IntRange(0, 1_000_000), default=_USUAL.vms, help="How many VMs.")
@_option(
    "--step", default=f"{_USUAL.step_s:g}s", callback=checked_step, help="Width of the finest buckets, a duration."
)
@_option("--seed", type=int, default=_USUAL.seed, help="The same seed makes the same lives.")
@_option("--account", "accounts", multiple=True, default=_USUAL.accounts, help="Account; repeatable.")
@_option("--api-key", default=_USUAL.api_key, help="The API key that is accepted.")
@_option(
    "--traffic-unit",
    type=click.Choice(["bytes", "bytes_per_second"]),
    default=_USUAL.traffic_unit,
    help="What a bucket of traffic holds.",
)
@_option(
    "--cpu-percent-of",
    type=click.Choice(["vm", "core"]),
    default=_USUAL.cpu_percent_of,
    help="What 100 % of CPU is: the whole VM, or one core.",
)
@_option("--faults", "file", type=click.Path(path_type=Path), help="A list of faults (YAML); see docs/simulator.md.")
def simulate(listen: str, file: Path | None, step: float, **more: Any) -> None:
    """Serve a simulation of the provider's API."""
    options = SimulatorOptions(step_s=step, **more)
    try:
        host, port = parse_listen_address(listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--listen-address'") from None
    asyncio.run(_serve(options, _faults(file), host, port))


def _faults(file: Path | None) -> tuple[Fault, ...]:
    if file is None:
        return ()
    try:
        return load_faults(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not text")
        raise click.BadParameter(f"cannot read {file}: {reason}", param_hint="'--faults'") from None
    except ValueError as error:
        raise click.BadParameter(f"{file}: {error}", param_hint="'--faults'") from None


async def _serve(options: SimulatorOptions, faults: tuple[Fault, ...], host: str | None, port: int) -> None:
    stop = stop_on_signals()
    try:
        async with serve(options, clock=SystemClock(), faults=faults, host=host, port=port) as url:
            click.echo(f"{options.vms} simulated VMs, buckets of {options.step_s:g} s: {url}/ (Ctrl-C ends it).")
            await stop.wait()
    except OSError as error:
        raise click.ClickException(str(ListenFailed(host, port, error))) from error
    finally:
        ignore_signals()
