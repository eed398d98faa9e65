"""`gigas-exporter check`: reads the configuration, asks the provider, says what it found."""

import asyncio
from collections import Counter

import aiohttp
import click

from exporter.app import client_of, session_of
from exporter.cli.options import Reader, settings_options
from exporter.cli.process import ready_to_log
from exporter.clock import SystemClock
from exporter.gigas import AccountClient, GigasError, MachineDocument
from exporter.settings import AccountSettings, Settings

__all__ = ["check"]

_PERIOD = "-1H"


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
    try:
        listing = await client.list_machines(
            {name: told[0] for name, told in account.filters.items() if len(told) == 1}
        )
        statuses = Counter(machine.status for machine in listing.machines)
        found = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "none"
        click.echo(f"account {account.name}: {len(listing.machines)} VM(s): {found}")
        for broken in listing.broken:
            click.echo(f"account {account.name}: VM {broken.machine_id or '?'} cannot be understood: {broken.reason}")
        await _read_statistics(account.name, client, listing.machines)
    except GigasError as error:
        click.echo(str(error), err=True)
        return False
    return True


async def _read_statistics(account: str, client: AccountClient, machines: tuple[MachineDocument, ...]) -> None:
    """Those of the first VM that is online: it should have some."""
    online = [machine for machine in machines if machine.status == "online"]
    if not online:
        click.echo(f"account {account}: no VM is online, so no statistics were read")
        return
    vm_id, name = online[0].id, online[0].label or online[0].hostname
    cpu = (await client.cpu_stats(vm_id, _PERIOD)).document
    click.echo(f"account {account}: VM {name!r}: {len(cpu.values)} CPU chunk(s) of {cpu.time_units or 'unknown width'}")
    traffic = (await client.bw_stats(vm_id, _PERIOD)).document
    buckets = max((len(interface.buckets) for interface in traffic.interfaces), default=0)
    click.echo(
        f"account {account}: VM {name!r}: {len(traffic.interfaces)} interface(s), {buckets} bucket(s) of traffic"
    )
