"""What `check` finds out about each account: whether it answers, what it has, and which units its values support."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from exporter.app.units import Finding, cores_of, cpu_finding, traffic_evidence, traffic_finding, windows_of
from exporter.app.watch import client_of, collector_options, session_of
from exporter.clock import Clock
from exporter.collectors import LONGER, SHORTEST, Inventory, InventoryReading
from exporter.counting import width_of_time_units
from exporter.fleet import Machine
from exporter.gigas import (
    AccountClient,
    Answer,
    BwStats,
    CpuStats,
    GigasError,
    InvalidAnswer,
    NotFound,
    ServerError,
    UnexpectedStatus,
)
from exporter.settings import Settings

__all__ = ["findings"]

T = TypeVar("T")

_LOOKED_AT = 5
"""So many VMs' shortest traffic windows are read: with all other requests that is about a dozen an account."""
_BUSIEST = 3
_LONGER = LONGER["traffic"][:2]
"""Each is compared with the one before; the second only where the first does not tell."""
_OF_ONE_VM = (NotFound, UnexpectedStatus, ServerError, InvalidAnswer)
"""What may be wrong with one VM or one period. Anything else, a credential or a connection, is wrong with all."""


async def findings(settings: Settings, *, clock: Clock) -> AsyncIterator[Finding]:
    """Ask the provider, and yield what is found as it is found."""
    async with session_of(settings) as session:
        for account in settings.accounts:
            client = client_of(account, settings, session=session, clock=clock, on_event=lambda _: None)
            try:
                listing = await Inventory(collector_options(account, settings)).collect(client)
                for finding in _of_listing(listing):
                    yield finding
                async for finding in _of_statistics(client, listing, settings):
                    yield finding
            except GigasError as error:
                yield Finding(str(error), wrong=True)


def _of_listing(listing: InventoryReading) -> Iterator[Finding]:
    account = f"account {listing.account}"
    statuses = Counter(machine.status for machine in listing.machines)
    found = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "none"
    yield Finding(f"{account}: {len(listing.machines)} VM(s): {found}")
    for broken in listing.unreadable:
        yield Finding(f"{account}: VM {broken.machine_id or '?'} cannot be understood: {broken.reason}")


async def _of_statistics(
    client: AccountClient, listing: InventoryReading, settings: Settings
) -> AsyncIterator[Finding]:
    """Those of the busiest of a few VMs that are online."""
    account, collect = client.account, settings.collect
    online = [machine for machine in listing.machines if machine.status == "online"]
    if not online:
        yield Finding(f"account {account}: no VM is online, so no statistics were read")
        return
    # VMs with many cores are likely to be busy, and one core cannot tell what 100 % is of.
    largest = sorted(online, key=cores_of, reverse=True)[:_LOOKED_AT]
    traffic, troubles = await _each(largest, lambda vm_id: client.bw_stats(vm_id, SHORTEST))
    for machine, error in troubles:
        yield _of_machine(account, machine, f"{error.endpoint}: {error.cause}")
    shortest = windows_of(SHORTEST, traffic)
    busiest = sorted(traffic, key=lambda each: (cores_of(each) > 1, shortest.moved(each)), reverse=True)[:_BUSIEST]
    usage, troubles = await _each(busiest, lambda vm_id: client.cpu_stats(vm_id, SHORTEST))
    for machine, error in troubles:
        yield _of_machine(account, machine, f"{error.endpoint}: {error.cause}")
    for machine in usage:
        yield _of_machine(account, machine, _chunks(usage[machine].document))
        yield _of_machine(account, machine, _buckets(traffic[machine].document, shortest.width_ms))
    yield await _unit_of_traffic(client, {each: traffic[each] for each in busiest}, collect.traffic.unit)
    yield cpu_finding(account, configured=collect.cpu.percent_of, usage=usage)


async def _each(
    machines: Iterable[Machine], ask: Callable[[str], Awaitable[Answer[T]]]
) -> tuple[dict[Machine, Answer[T]], list[tuple[Machine, GigasError]]]:
    """The answers, and what was wrong where there is none. Raises GigasError where there is none at all."""
    answers: dict[Machine, Answer[T]] = {}
    troubles: list[tuple[Machine, GigasError]] = []
    for machine in machines:
        try:
            answers[machine] = await ask(machine.vm_id)
        except _OF_ONE_VM as error:
            troubles.append((machine, error))
    if troubles and not answers:
        raise troubles[0][1]
    return answers, troubles


def _of_machine(account: str, machine: Machine, told: str) -> Finding:
    return Finding(f"account {account}: VM {machine.name!r}: {told}")


def _chunks(document: CpuStats) -> str:
    width_s = width_of_time_units(document.time_units)
    told = "unknown width" if width_s is None else f"{width_s:g} s"
    return f"{len(document.values)} CPU chunk(s) of {told}"


def _buckets(document: BwStats, width_ms: int | None) -> str:
    each = "" if width_ms is None else f" of {width_ms / 1000:g} s"
    return f"{len(document.interfaces)} interface(s), {document.count} bucket(s) of traffic{each}"


async def _unit_of_traffic(
    client: AccountClient, shortest: Mapping[Machine, Answer[BwStats]], configured: str
) -> Finding:
    """Compare periods until two of them tell. What the provider lacks is no failure."""
    finer, untold = windows_of(SHORTEST, shortest), []
    for period in _LONGER:
        try:
            answers, _ = await _each(shortest, partial(_longer, client, period))
        except _OF_ONE_VM as error:
            untold.append(f"{period}: {error.cause}")
            break
        coarser = windows_of(period, answers)
        found, figures = traffic_evidence(finer, coarser)
        if found is not None:
            return traffic_finding(client.account, configured=configured, found=found, figures=figures)
        untold.append(figures)
        finer = coarser
    return traffic_finding(client.account, configured=configured, found=None, figures="; ".join(untold))


async def _longer(client: AccountClient, period: str, vm_id: str) -> Answer[BwStats]:
    return await client.bw_stats(vm_id, period)
