"""A ledger as it is shown: to people as tables, to machines as JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.counting import Series, leave
from exporter.ledger import Found, VmRecord

__all__ = ["as_json", "as_table"]

_HEAD = ("VM", "name", "CPU s", "received B", "sent B", "counted until", "owed s", "locks", "locked since")


def as_json(path: Path, found: Found) -> str:
    """Everything, as one document."""
    document = {
        "file": str(path),
        "version": found.version,
        "size_bytes": found.size_bytes,
        "written_timestamp_seconds": found.written_at,
        "accounts": {account: [_vm(vm) for vm in known.vms] for account, known in found.accounts.items()},
    }
    return json.dumps(document, indent=2)


def as_table(path: Path, found: Found) -> Iterator[str]:
    """One table an account, one row a VM: what its interfaces have counted is added up."""
    yield f"{path}: version {found.version}, {found.size_bytes} bytes, written {_utc(found.written_at)}"
    for account, known in found.accounts.items():
        yield ""
        yield f"account {account}: {len(known.vms)} VMs"
        if known.vms:
            yield from _aligned([_HEAD, *(_row(_vm(vm)) for vm in known.vms)])


def _vm(record: VmRecord) -> Mapping[str, Any]:
    interfaces = [
        {
            "interface_id": interface_id,
            "network_id": interface.network_id,
            "public": interface.public,
            "receive_bytes": leave(interface.receive.exposed),
            "transmit_bytes": leave(interface.transmit.exposed),
            "until_timestamp_seconds": interface.receive.newest_ms / 1000,
            "owed_seconds": _owed_s(interface.receive),
        }
        for interface_id, interface in record.interfaces.items()
    ]
    cpu = record.cpu and {
        "busy_seconds": leave(record.cpu.series.exposed),
        "until_timestamp_seconds": record.cpu.series.newest_ms / 1000,
        "owed_seconds": _owed_s(record.cpu.series),
    }
    return {
        "vm_id": record.vm_id,
        "vm": record.name,
        "cpu": cpu,
        "interfaces": interfaces,
        "locks": record.lock.begun,
        "locked_since_timestamp_seconds": record.lock.since_seen_at,
        "locked_seconds": record.lock.lasted_s,
        "suspended_since_timestamp_seconds": record.suspension.since_seen_at,
        "renames": record.renames,
        "status_changes": record.status_changes,
    }


def _owed_s(series: Series) -> float:
    """The time that has left the window untold, and that a longer period may still tell."""
    gaps = (each for each in series.left() if each.asked_ms < each.end_ms)
    return sum(gap.end_ms - gap.start_ms for gap in gaps) / 1000


def _row(vm: Mapping[str, Any]) -> Sequence[str]:
    cpu, interfaces = vm["cpu"], vm["interfaces"]
    counted = [cpu, *interfaces] if cpu else interfaces
    since = vm["locked_since_timestamp_seconds"]
    return (
        vm["vm_id"],
        # A name may hold a line break.
        "".join(each if each.isprintable() else "?" for each in vm["vm"]),
        f"{cpu['busy_seconds']:.1f}" if cpu else "-",
        _total(interfaces, "receive_bytes"),
        _total(interfaces, "transmit_bytes"),
        _utc(min(each["until_timestamp_seconds"] for each in counted)) if counted else "-",
        f"{sum(each['owed_seconds'] for each in counted):.0f}",
        str(vm["locks"]),
        "-" if since is None else _utc(since),
    )


def _total(interfaces: Sequence[Mapping[str, Any]], name: str) -> str:
    return f"{sum(each[name] for each in interfaces):.0f}" if interfaces else "-"


def _utc(at: float) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"


def _aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
