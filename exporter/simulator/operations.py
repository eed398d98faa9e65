"""What the provider's page can do to a VM: the operation is queued, and the VM locked until it is done.

What is asked for shows at once; building ends, and a destroyed VM goes, when the operation is done.
"""

import itertools
import re
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from exporter.simulator.world import PUBLIC_NETWORK_ID, Account, Interface, Machine, World, build_machine

__all__ = ["Operations", "WrongParameterError"]

_HOSTNAME = re.compile(r"[A-Za-z-][A-Za-z0-9-]{0,24}")
_FIRST_ADDED_INTERFACE_ID = 900_000_000_000
"""Far from those that the simulation begins with: an id never means two interfaces."""


class WrongParameterError(ValueError):
    """A parameter that the page does not allow."""


def _whole(name: str, value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise WrongParameterError(f"{name} is not a number") from None
    if number < 1:
        raise WrongParameterError(f"{name} is too small")
    return number


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise WrongParameterError(f"{name} is not a string")
    return value


def _note(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _hostname(name: str, value: object) -> str:
    if not _HOSTNAME.fullmatch(_text(name, value)):
        raise WrongParameterError(f"{name} is up to 25 letters, digits and dashes, not starting with a digit")
    return str(value)


def _one_of(*allowed: str) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if value not in allowed:
            raise WrongParameterError(f"{name} is one of {', '.join(allowed)}")
        return str(value)

    return read


def _template(name: str, value: object) -> str:
    return str(_whole(name, value))


_PARAMETERS: Mapping[str, tuple[str, Callable[[str, object], Any]]] = MappingProxyType(
    {
        "memory": ("memory", _whole),
        "cpus": ("cpus", _whole),
        "cpu_shares": ("cpu_shares", _whole),
        "primary_disk_size": ("disk_gb", _whole),
        "label": ("label", _text),
        "hostname": ("hostname", _hostname),
        "note": ("note", _note),
        "cpu_type": ("cpu_type", _one_of("amd", "intel")),
        "boot_type": ("boot_type", _one_of("default", "cdrom")),
        "template_id": ("template_id", _template),
        "status": ("status", _one_of("online", "offline")),
    }
)
"""A documented parameter that shows afterwards: the field of the VM, and how it is read."""


def _read(asked: Mapping[str, object]) -> dict[str, Any]:
    return {field: read(name, asked[name]) for name, (field, read) in _PARAMETERS.items() if name in asked}


class Operations:
    """Changes VMs as the page's operations do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queued: dict[str, dict[str, Machine]] = {}
        self._interface_ids = itertools.count(_FIRST_ADDED_INTERFACE_ID)
        self._tokens = itertools.count(1)

    def settle(self, account: Account, now_s: float) -> None:
        """End what is done by now."""
        queued = self._queued.get(account.id)
        if not queued:
            return
        for machine in [each for each in queued.values() if (each.locked_until_at or 0.0) <= now_s]:
            del queued[machine.id]
            self._end(account, machine)

    @staticmethod
    def _end(account: Account, machine: Machine) -> None:
        if machine.doomed:
            account.machines.pop(machine.id, None)
        if machine.locked_until_at is None:
            return  # Someone has set or lifted the lock by hand since.
        if machine.status == "unbuilt":
            machine.set_status(machine.built_status, machine.locked_until_at)
        machine.locked, machine.locked_until_at = False, None

    def queue(self, account: Account, machine: Machine, now_s: float) -> str:
        """Lock the VM for as long as an operation takes; return the token of the queue. A stuck lock stays."""
        machine.updated_at = now_s
        if not machine.locked or machine.locked_until_at is not None:
            machine.locked, machine.locked_until_at = True, now_s + self._world.options.operation_s
            self._queued.setdefault(account.id, {})[machine.id] = machine
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._world.options.seed}/{next(self._tokens)}"))

    def edit(self, account: Account, machine: Machine, asked: Mapping[str, object], now_s: float) -> str:
        """`PUT` on a VM: all of it or nothing. Raises WrongParameterError."""
        changes = _read(asked)
        status = changes.pop("status", None)
        for field, value in changes.items():
            setattr(machine, field, value)
        if status is not None:
            machine.set_status(status, now_s)
        return self.queue(account, machine, now_s)

    def create(self, account: Account, asked: Mapping[str, object], now_s: float) -> tuple[Machine, str]:
        """`POST` of a VM: unbuilt and locked until it is built. Raises WrongParameterError."""
        _needed(asked, "memory", "cpus", "hostname", "label")
        changes = _read({name: value for name, value in asked.items() if name != "status"})
        machine = self.add(account, now_s)
        for field, value in changes.items():
            setattr(machine, field, value)
        machine.spans.clear()
        machine.status = "unbuilt"
        return machine, self.queue(account, machine, now_s)

    def clone(
        self, account: Account, source: Machine, asked: Mapping[str, object], now_s: float
    ) -> tuple[Machine, str]:
        """`POST` of a clone: its own label and hostname, the rest of its source. Raises WrongParameterError."""
        _needed(asked, "hostname", "label")
        alike = {"memory": source.memory, "cpus": source.cpus, "primary_disk_size": source.disk_gb}
        machine, token = self.create(account, {**alike, "cpu_type": source.cpu_type, **asked}, now_s)
        # The page: a clone is not started unless that is asked for.
        machine.built_status = "online" if asked.get("required_startup") in (True, "true") else "offline"
        return machine, token

    def destroy(self, account: Account, machine: Machine, now_s: float) -> str:
        """`DELETE` of a VM: locked until it is gone, whatever held it before."""
        machine.doomed, machine.locked = True, False
        return self.queue(account, machine, now_s)

    def add(self, account: Account, now_s: float) -> Machine:
        """A VM that is there, and runs, at once."""
        position = list(self._world.accounts).index(account.id)
        machine = build_machine(self._world.options, position, account.next_index + 100, now_s)
        account.next_index += 1
        machine.created_at = machine.updated_at = now_s
        machine.spans[:] = [(now_s, None)]
        account.machines[machine.id] = machine
        return machine

    def add_interface(
        self, account: Account, machine: Machine, asked: Mapping[str, object], now_s: float
    ) -> tuple[Interface, str]:
        """`POST` of a network interface. It has no past. Raises WrongParameterError."""
        network_id = _whole("network_id", asked.get("network_id", 709))
        public = network_id == PUBLIC_NETWORK_ID
        if public and any(interface.public for interface in machine.interfaces):
            raise WrongParameterError("there is an interface on a public network already")
        interface = Interface(next(self._interface_ids), network_id, public, since_at=now_s)
        machine.interfaces.append(interface)
        return interface, self.queue(account, machine, now_s)


def _needed(asked: Mapping[str, object], *names: str) -> None:
    missing = [name for name in names if name not in asked]
    if missing:
        raise WrongParameterError(f"missing: {', '.join(missing)}")
