"""What the provider's page can do to a VM: the operation is queued, and the VM locked until it is done."""

import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from exporter.simulator.world import Account, Interface, Machine, World, build_machine

__all__ = ["ACTIONS", "Operations", "WrongParameterError"]

_STATUSES = ("online", "offline")
ACTIONS = frozenset(
    {"reset_password", "reboot", "rebuild_network", "apply_firewall_rules", "apply_disks", "template", "iso"}
)
"""POST addresses under a VM that lock it for a while and change nothing that a list shows."""


class WrongParameterError(ValueError):
    """A parameter that the page does not allow."""


def _whole(value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise WrongParameterError(f"{value!r} is not a number") from None
    if number < 1:
        raise WrongParameterError(f"{number} is too small")
    return number


def _status(value: object) -> str:
    if value not in _STATUSES:
        raise WrongParameterError(f"status is one of {', '.join(_STATUSES)}")
    return str(value)


_EDITABLE: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        "memory": _whole,
        "cpus": _whole,
        "label": str,
        "hostname": str,
        "note": str,
        "cpu_type": str,
        "boot_type": str,
        "status": _status,
    }
)


class Operations:
    """Changes VMs as the page's operations do."""

    def __init__(self, world: World) -> None:
        self._world = world

    def settle(self, account: Account, now_s: float) -> None:
        """Unlock what is done by now; a VM that was being built is online then."""
        for machine in account.machines.values():
            if machine.locked_until_at is not None and machine.locked_until_at <= now_s:
                if machine.status == "unbuilt":
                    machine.set_status("online", machine.locked_until_at)
                machine.locked, machine.locked_until_at = False, None

    def queue(self, machine: Machine, now_s: float) -> str:
        """Lock the VM for as long as an operation takes; return the token of the queue."""
        machine.locked = True
        machine.locked_until_at = now_s + self._world.options.operation_s
        machine.updated_at = now_s
        return str(uuid.uuid4())

    def edit(self, machine: Machine, asked: Mapping[str, object], now_s: float) -> str:
        """`PUT` on a VM. Raises WrongParameterError."""
        changes = {name: read(asked[name]) for name, read in _EDITABLE.items() if name in asked}
        for name, value in changes.items():
            if name == "status":
                machine.set_status(value, now_s)
            else:
                setattr(machine, name, value)
        return self.queue(machine, now_s)

    def create(self, account: Account, asked: Mapping[str, object], now_s: float) -> tuple[Machine, str]:
        """`POST` of a VM: unbuilt and locked until it is built. Raises WrongParameterError."""
        missing = [name for name in ("memory", "cpus", "hostname", "label") if name not in asked]
        if missing:
            raise WrongParameterError(f"missing: {', '.join(missing)}")
        machine = self.add(account, now_s)
        machine.memory, machine.cpus = _whole(asked["memory"]), _whole(asked["cpus"])
        machine.label, machine.hostname = str(asked["label"]), str(asked["hostname"])
        machine.spans.clear()
        machine.status = "unbuilt"
        return machine, self.queue(machine, now_s)

    def add(self, account: Account, now_s: float) -> Machine:
        """A VM that is there, and runs, at once."""
        position = list(self._world.accounts).index(account.id)
        machine = build_machine(self._world.options, position, account.next_index + 100, now_s)
        account.next_index += 1
        machine.created_at = machine.updated_at = now_s
        machine.spans[:] = [(now_s, None)]
        account.machines[machine.id] = machine
        return machine

    def add_interface(self, machine: Machine, asked: Mapping[str, object], now_s: float) -> tuple[Interface, str]:
        """`POST` of a network interface."""
        network_id = _whole(asked.get("network_id", 709))
        public = network_id == 1
        if public and any(interface.public for interface in machine.interfaces):
            raise WrongParameterError("there is a public interface already")
        interface = Interface(max(each.id for each in machine.interfaces) + 1_000_000, network_id, public)
        machine.interfaces.append(interface)
        return interface, self.queue(machine, now_s)
