"""The VMs of an account, as the list shows them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from exporter.collectors.options import Options
from exporter.collectors.reading import InventoryReading
from exporter.fleet import Machine
from exporter.gigas import AccountClient, MachineDocument

__all__ = ["Inventory", "in_shard"]

_BYTES = {"MiB": 2**20, "MB": 10**6}


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

    async def collect(self, client: AccountClient) -> InventoryReading:
        asked = {field: values[0] for field, values in self._options.filters.items() if len(values) == 1}
        listing = await client.list_machines(asked)
        kept = {field: values for field, values in self._options.filters.items() if len(values) > 1}
        return InventoryReading(
            account=client.account,
            machines=tuple(
                machine_of(document, timezone=self._options.timezone, memory_unit=self._options.memory_unit)
                for document in listing.machines
                if _passes(document, kept) and self._is_ours(client.account_id, document.id)
            ),
            unreadable=listing.broken,
            duplicates=listing.duplicates,
            asked_at=listing.asked_at,
            asked_seen_at=listing.asked_seen_at,
            credential_expires_at=client.credential_expires_at,
        )

    def _is_ours(self, account_id: str, vm_id: str) -> bool:
        index, total = self._options.shard_index, self._options.shard_total
        return total == 1 or in_shard(account_id=account_id, vm_id=vm_id, index=index, total=total)


def machine_of(document: MachineDocument, *, timezone: ZoneInfo, memory_unit: str) -> Machine:
    """The document in our terms: absent texts as "", memory in bytes, times as UNIX seconds."""
    return Machine(
        vm_id=document.id,
        label=document.label or "",
        hostname=document.hostname or "",
        status=document.status,
        type=document.type or "",
        cpu_type=document.cpu_type or "",
        operating_system=document.operating_system or "",
        operating_system_distro=document.operating_system_distro or "",
        hypervisor_id=document.hypervisor_id or "",
        location_id=document.location_id or "",
        template_id=document.template_id or "",
        boot_type=document.boot_type or "",
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
    return (at if at.tzinfo is not None else at.replace(tzinfo=timezone)).timestamp()


def _passes(document: MachineDocument, filters: Mapping[str, tuple[str, ...]]) -> bool:
    return all(_matches(field, getattr(document, field), values) for field, values in filters.items())


def _matches(field: str, told: str | bool | None, values: tuple[str, ...]) -> bool:
    if field == "hostname":  # The provider's own filter looks for a part of the name.
        return any(value in str(told or "") for value in values)
    if isinstance(told, bool):
        return any((value.lower() in {"1", "true"}) is told for value in values)
    return told in values
