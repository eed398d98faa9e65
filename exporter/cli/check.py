"""`gigas-exporter check`: reads the configuration, asks the provider, says what it found."""

import asyncio
from collections import Counter

import aiohttp
import click

from exporter.app import client_of, collector_options, session_of
from exporter.cli.options import Reader, settings_options
from exporter.cli.process import ready_to_log
from exporter.clock import SystemClock
from exporter.collectors import Cpu, Inventory, Options, Traffic
from exporter.fleet import Machine
from exporter.gigas import AccountClient, GigasError
from exporter.settings import AccountSettings, Settings

__all__ = ["check"]


@click.command()
@settings_options
def check(read: Reader) -> None:
    """Check the configuration against the provider: log in, list, read one VM's statistics of each account."""
    settings = ready_to_log(read())
    click.echo(f"configuration: {len(settings.accounts)} account(s), {settings.api.url}")
    if not asyncio.run(_accounts_are_fine(settings)):
        raise click.exceptions.Exit(1)


async def _accounts_are_fine(settings: Settings) -> bool:
    async with session_of(settings) as session:
        return all([await _is_fine(account, settings, session) for account in settings.accounts])


async def _is_fine(account: AccountSettings, settings: Settings, session: aiohttp.ClientSession) -> bool:
    client = client_of(account, settings, session=session, clock=SystemClock(), on_event=lambda _: None)
    options = collector_options(account, settings)
    try:
        listing = await Inventory(options).collect(client)
        statuses = Counter(machine.status for machine in listing.machines)
        found = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "none"
        click.echo(f"account {account.name}: {len(listing.machines)} VM(s): {found}")
        for broken in listing.unreadable:
            click.echo(f"account {account.name}: VM {broken.machine_id or '?'} cannot be understood: {broken.reason}")
        await _read_statistics(client, options, listing.machines)
    except GigasError as error:
        click.echo(f"gigas-exporter: {error}", err=True)
        return False
    return True


async def _read_statistics(client: AccountClient, options: Options, machines: tuple[Machine, ...]) -> None:
    """Those of the first VM that is online: it should have some."""
    machine = next((machine for machine in machines if machine.status == "online"), None)
    if machine is None:
        click.echo(f"account {client.account}: no VM is online, so no statistics were read")
        return
    whose = f"account {client.account}: VM {machine.name!r}"
    cpu = await Cpu(options).look(client, machine, width_hint_s=None)
    click.echo(f"{whose}: {len(cpu.values)} CPU chunk(s) of {cpu.width_ms / 1000:g} s")
    traffic = await Traffic(options).look(client, machine, width_hint_s=None)
    buckets = max((interface.receive.count for interface in traffic.interfaces), default=0)
    click.echo(f"{whose}: {len(traffic.interfaces)} interface(s), {buckets} bucket(s) of traffic")
