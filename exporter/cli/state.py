"""`gigas-exporter state`: the ledger looked at, checked, backed up, moved."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click

from exporter.cli.files import replacing
from exporter.cli.state_shown import as_json, as_table
from exporter.clock import SystemClock
from exporter.ledger import (
    ArchiveRefused,
    LedgerFailed,
    LedgerNotOpened,
    Remembered,
    SqliteLedger,
    archived,
    look,
    restored,
    verify,
)
from exporter.settings import ConfigurationError, Problem, ledger_path, load_state

__all__ = ["state"]

_SETTINGS = {"state_path": "state.path", "shard_index": "shard.index", "shard_total": "shard.total"}
_FILE = click.Path(path_type=Path)


@click.group()
def state() -> None:
    """Look at the ledger, check it, back it up, move it."""


def _of_ledger(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the `path` of the ledger, found as the daemon finds it; what goes wrong is one line."""

    @click.option("--config.file", "config_file", metavar="FILE", type=_FILE, help="The daemon's configuration file.")
    @click.option("--state.path", "state_path", metavar="FILE", help="The ledger's file.")
    @click.option("--shard.index", "shard_index", metavar="INDEX", help="The daemon's part of the VMs.")
    @click.option("--shard.total", "shard_total", metavar="TOTAL", help="Of how many.")
    @functools.wraps(command)
    def called(**given: Any) -> None:
        told = {key: given.pop(name) for name, key in _SETTINGS.items()}
        flags = {key: value for key, value in told.items() if value is not None}
        path = ledger_path(*load_state(flags=flags, environ=os.environ, file=given.pop("config_file")), os.environ)
        if path is None:
            raise ConfigurationError([Problem("state.path", "configured", "is :memory:; there is no file to look at")])
        try:
            command(path=path, **given)
        except (LedgerNotOpened, LedgerFailed, ArchiveRefused) as error:
            raise click.ClickException(str(error)) from error

    return called


@state.command()
@click.option("--json", "for_machines", is_flag=True, help="One JSON document, with every interface.")
@_of_ledger
def show(path: Path, for_machines: bool) -> None:
    """Show what is counted of each VM. A daemon at work is not disturbed."""
    found = look(path)
    _print([as_json(path, found)] if for_machines else as_table(path, found))


@state.command(name="verify")
@_of_ledger
def verify_file(path: Path) -> None:
    """Look at every page and every record; fails if anything is wrong."""
    verdict = verify(path)
    _print(verdict.faults or [f"ok: {verdict.vms} VMs of {verdict.accounts} accounts"])
    if verdict.faults:
        raise click.exceptions.Exit(1)


@state.command()
@click.option("--output", metavar="FILE", type=_FILE, help="Write atomically into this file.")
@_of_ledger
def export(path: Path, output: Path | None) -> None:
    """Write everything as lines of JSON: one state of it, also while a daemon is at work."""
    lines = archived(path)
    if output is None:
        _print(lines)
        return
    with replacing(output) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


@state.command(name="import")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"), default="-")
@click.option("--replace", is_flag=True, help="Also accounts that the ledger has; what it knows of them is dropped.")
@_of_ledger
def import_(path: Path, file: TextIO, replace: bool) -> None:
    """Read what `export` has written, from FILE or standard input: all of it or nothing."""
    try:
        accounts = restored(file)
    except ArchiveRefused as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    asyncio.run(_put(path, accounts, replace=replace))
    vms = sum(len(known.vms) for known in accounts.values())
    click.echo(f"{path}: {vms} VMs of {len(accounts)} accounts are in")


async def _put(path: Path, accounts: Mapping[str, Remembered], *, replace: bool) -> None:
    ledger = await SqliteLedger.open(path, start_anew=False, now_s=SystemClock().wall_s())
    try:
        there = [account for account in await ledger.accounts() if account in accounts]
        if there and not replace:
            named = ", ".join(map(repr, there))
            raise click.ClickException(f"{path}: has {named} already; --replace drops what it knows of them")
        await ledger.replace(accounts)
    finally:
        await ledger.close()


def _print(lines: Iterable[str]) -> None:
    try:
        for line in lines:
            click.echo(line)
    except BrokenPipeError:
        # Whoever reads has seen enough. What is still unwritten must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
