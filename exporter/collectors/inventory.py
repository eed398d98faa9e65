"""The VMs of an account, as the list shows them."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from sys import intern
from zoneinfo import ZoneInfo

from exporter.collectors.options import Options
from exporter.collectors.reading import InventoryReading
from exporter.fleet import Machine
from exporter.gigas import AccountClient, KnownMachines, MachineDocument

__all__ = ["Inventory", "in_shard"]

_BYTES = {"MiB": 2**20, "MB": 10**6}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in whichever zone the time is that it is taken from


def in_shard(*, account_id: str, vm_id: str, index: int, total: int) -> bool:
    """Whether a VM is of this shard. The hash is part of the contract with the other shards: it must not change.

    >>> sum(in_shard(account_id="17893", vm_id="24", index=index, total=3) for index in range(3))
    1
    """
    digest = hashlib.blake2b(f"{account_id}/{vm_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % total == index


class Inventory:
    """Lists whole accounts. Filters with one value are the provider's to apply, several are ours."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._known: defaultdict[str, KnownMachines[Machine]] = defaultdict(KnownMachines)
        """By the account's id."""

    async def collect(self, client: AccountClient) -> InventoryReading:
        asked = {field: values[0] for field, values in self._options.filters.items() if len(values) == 1}
        listing = await client.list_machines(
            asked, self._keeping(client.account_id), known=self._known[client.account_id]
        )
        return InventoryReading(
            account=client.account,
            machines=listing.machines,
            unreadable=tuple(
                broken
                for broken in listing.broken
                if broken.machine_id is None or self._is_ours(client.account_id, broken.machine_id)
            ),
            duplicates=listing.duplicates,
            asked_at=listing.asked_at,
            asked_seen_at=listing.asked_seen_at,
            credential_expires_at=client.credential_expires_at,
        )

    def _keeping(self, account_id: str) -> Callable[[MachineDocument], Machine | None]:
        """What becomes of a document: nothing, where the VM is another shard's or does not pass."""
        options = self._options
        filters = {field: values for field, values in options.filters.items() if len(values) > 1}

        def keep(document: MachineDocument) -> Machine | None:
            if not (self._is_ours(account_id, document.id) and _passes(document, filters)):
                return None
            return machine_of(document, timezone=options.timezone, memory_unit=options.memory_unit)

        return keep

    def _is_ours(self, account_id: str, vm_id: str) -> bool:
        index, total = self._options.shard_index, self._options.shard_total
        return total == 1 or in_shard(account_id=account_id, vm_id=vm_id, index=index, total=total)


def machine_of(document: MachineDocument, *, timezone: ZoneInfo, memory_unit: str) -> Machine:
    """The document in our terms: absent texts as "", memory in bytes, times as UNIX seconds. What is the same for many
    VMs is there once.
    """
    return Machine(
        vm_id=document.id,
        label=document.label or "",
        hostname=document.hostname or "",
        status=intern(document.status),
        type=intern(document.type or ""),
        cpu_type=intern(document.cpu_type or ""),
        operating_system=intern(document.operating_system or ""),
        operating_system_distro=intern(document.operating_system_distro or ""),
        hypervisor_id=intern(document.hypervisor_id or ""),
        location_id=intern(document.location_id or ""),
        template_id=intern(document.template_id or ""),
        boot_type=intern(document.boot_type or ""),
        cpus=document.cpus,
        cpu_shares=document.cpu_shares,
        memory_bytes=None if document.memory is None else document.memory * _BYTES[memory_unit],
        created_at=_unix_seconds(document.created_at, timezone),
        updated_at=_unix_seconds(document.updated_at, timezone),
        locked=document.locked,
        suspended=document.suspended,
        error=document.error,
        cdrom_attached=document.cdrom,
    )


def _unix_seconds(at: datetime | None, timezone: ZoneInfo) -> float | None:
    if at is None:
        return None
    if at.tzinfo is not None:
        return at.timestamp()
    # What `at.replace(tzinfo=timezone).timestamp()` is, in a sixth of its time.
    return (at - _EPOCH - (timezone.utcoffset(at) or timedelta())).total_seconds()


def _passes(document: MachineDocument, filters: Mapping[str, tuple[str, ...]]) -> bool:
    return all(_matches(field, getattr(document, field), values) for field, values in filters.items())


def _matches(field: str, told: str | bool | None, values: tuple[str, ...]) -> bool:
    if field == "hostname":  # The provider's own filter looks for a part of the name.
        return any(value in str(told or "") for value in values)
    if isinstance(told, bool):
        return any((value.lower() in {"1", "true"}) is told for value in values)
    return told in values
