"""The provider's resources, as its page and the notes on its wire show them.

A VM's id is a string in its own document and a number in every other one; so are the page's examples.
"""

from datetime import UTC, datetime
from typing import Any

from exporter.simulator.world import Account, Machine

__all__ = ["addresses", "backups", "disks", "machine_resource", "network_interfaces", "networks"]


def _naive(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def machine_resource(account: Account, machine: Machine) -> dict[str, Any]:
    """A VM, with everything that an answer gives away."""
    secret = f"Rt{machine.id[::-1]}x"
    built = machine.status != "unbuilt"
    return {
        "updated_at": _naive(machine.updated_at),
        "suspended": int(machine.suspended),
        "label": machine.label,
        "location_id": "178931012",
        "id": machine.id,
        "template_label": None,
        "is_deletion_machine": False,
        "hostname": machine.hostname,
        "custom": False,
        "note": machine.note,
        "local_remote_access_port": None,
        "boot_type": machine.boot_type,
        "memory": machine.memory,
        "type": machine.type,
        "virtualization_type": None,
        "status": machine.status,
        "initial_password": secret,
        "console_lang": "en",
        "operating_system_distro": "debian" if built else None,
        "hypervisor_id": str(178_931_010 + machine.index % 8),
        "booted_from": "hd",
        "cpus": machine.cpus,
        "strict_virtual_machine_id": None,
        "cdrom": int(machine.cdrom),
        "user_id": "178931011324",
        "disk_type": "vd",
        "operating_system": "linux" if built else None,
        "locked": int(machine.locked),
        "created_at": _naive(machine.created_at),
        "remote_access_password": f"Ra{secret}" if built else None,
        "cpu_type": machine.cpu_type,
        "error": int(machine.error),
        "identifier": f"vm{machine.id}",
        "template_id": machine.template_id,
        "cpu_shares": machine.cpu_shares,
        "account_id": int(account.id) if account.id.isdigit() else account.id,
    }


def disks(machine: Machine) -> list[dict[str, Any]]:
    """The disks of a VM."""
    return [
        {
            "id": 9_000_000 + machine.index,
            "virtual_machine_id": int(machine.id),
            "status": "offline" if machine.status == "unbuilt" else "online",
            "locked": int(machine.locked),
            "disk_size": machine.disk_gb,
            "is_swap": False,
            "autobackup": machine.index % 2,
            "error": 0,
            "mount_point": "/",
            "data_store_id": 12,
            "data_store_group_id": 3,
            "created_at": _naive(machine.created_at),
            "updated_at": _naive(machine.updated_at),
        }
    ]


def backups(machine: Machine) -> list[dict[str, Any]]:
    """The backups of a VM: of each with automatic ones, the last."""
    if machine.index % 2 == 0 or machine.status == "unbuilt":
        return []
    return [
        {
            "id": 7_000_000 + machine.index,
            "disk_id": 9_000_000 + machine.index,
            "date_created": _naive(machine.updated_at),
            "status": "ready",
            "backup_size": 2_048,
            "locked": 0,
            "backup_type": "gigas-automatic",
            "operating_system": "linux",
            "operating_system_distro": "debian",
        }
    ]


def network_interfaces(machine: Machine) -> list[dict[str, Any]]:
    """The interfaces of a VM."""
    return [
        {
            "id": interface.id,
            "virtual_machine_id": int(machine.id),
            "label": f"eth{position}",
            "network_id": interface.network_id,
            "vlan": None if interface.public else 100,
            "primary": position == 0,
            "rate_limit": 100 if interface.public else 0,
            "status": "online",
            "mac_address": f"00:16:3e:00:{machine.index % 256:02x}:{position:02x}",
            "default_firewall_policy": "ACCEPT",
        }
        for position, interface in enumerate(machine.interfaces)
    ]


def networks(account: Account) -> list[dict[str, Any]]:
    """The networks of an account."""
    ids = sorted(
        {(each.network_id, each.public) for machine in account.machines.values() for each in machine.interfaces}
    )
    return [
        {
            "id": network_id,
            "label": "Public" if public else f"LAN {network_id}",
            "vlan": None if public else 100,
            "network_group_id": 1,
            "status": "online",
            "multidatacenter": False,
            "public": public,
        }
        for network_id, public in ids
    ]


def addresses(machine: Machine) -> list[dict[str, Any]]:
    """The IP addresses of a VM, of the ranges that are for documentation."""
    return [
        {
            "id": 5_000_000 + interface.id,
            "virtual_machine_id": int(machine.id),
            "interface_id": interface.id,
            "network_id": interface.network_id,
            "public": interface.public,
            "address": f"{'198.51.100' if interface.public else '192.0.2'}.{machine.index % 254 + 1}",
            "netmask": "255.255.255.0",
        }
        for interface in machine.interfaces
    ]
