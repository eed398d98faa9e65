"""Lists as the page describes them: filters, sort fields, pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from exporter.simulator.resources import addresses, machine_resource
from exporter.simulator.world import PUBLIC_NETWORK_ID, Account, Machine

__all__ = ["SUBLIST_FILTERS", "WrongQueryError", "filtered", "listed_machines", "page"]

_EXACT = ("id", "type", "cpu_type", "status", "location_id", "disk_type", "label")
_FLAGS = ("locked", "suspended")
_SORTABLE = frozenset(
    {"identifier", "label", "memory", "operating_system", "operating_system_distro", "status", "location_id"}
)
_TRUTHS: Mapping[str, bool] = MappingProxyType({"true": True, "1": True, "false": False, "0": False})

SUBLIST_FILTERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "network_interfaces": {"interface_label": "label", "network_id": "network_id", "public": "network_id"},
        "ip_addresses": {"network_id": "network_id", "interface_id": "interface_id", "public": "network_id"},
        "firewall_rules": {"command": "command", "port": "port", "address": "address"},
    }
)
"""Of a VM's lists: the documented filter and the field that it looks at."""

_T = TypeVar("_T")


class WrongQueryError(ValueError):
    """A parameter of a list that cannot be meant."""


def listed_machines(account: Account, query: Mapping[str, str]) -> list[Machine]:
    """The VMs that pass the page's filters, sorted by its sort fields. Raises WrongQueryError."""
    machines: Iterable[Machine] = account.machines.values()
    exact = {name: query[name] for name in _EXACT if name in query}
    flags = {name: _truth(name, query[name]) for name in _FLAGS if name in query}
    if exact or flags:
        machines = [
            machine
            for machine in machines
            if _matches(machine_resource(account, machine), exact)
            and all(bool(getattr(machine, name)) == wanted for name, wanted in flags.items())
        ]
    if "hostname" in query:
        machines = [machine for machine in machines if query["hostname"] in machine.hostname]
    if "ip_address" in query:
        wanted = query["ip_address"]
        machines = [machine for machine in machines if any(each["address"] == wanted for each in addresses(machine))]
    return _sorted(account, machines, query.get("sort"))


def filtered(resources: list[dict[str, Any]], filters: Mapping[str, str], query: Mapping[str, str]) -> list[Any]:
    """The resources of a VM's list that pass its filters. Raises WrongQueryError."""
    for name, field in filters.items():
        if name not in query:
            continue
        if name == "public":
            wanted = _truth(name, query[name])
            resources = [each for each in resources if (each[field] == PUBLIC_NETWORK_ID) == wanted]
        else:
            resources = [each for each in resources if str(each[field]) == query[name]]
    return resources


def page(
    listed: Sequence[_T], resource: Callable[[_T], dict[str, Any]], query: Mapping[str, str], *, cap: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return a page and its headers: `limit` up to the cap from `offset`; without `limit` all the rest.

    Raises WrongQueryError.
    """
    total = len(listed)
    limit = min(_whole("limit", query["limit"], 1), cap) if "limit" in query else max(total, 1)
    offset = _whole("offset", query.get("offset", "0"), 0)
    headers = {
        "X-Page": str(offset // limit + 1),
        "X-Per-Page": str(limit),
        "X-Total": str(total),
        "X-Total-Pages": str(-(-total // limit)),
    }
    return [resource(each) for each in listed[offset : offset + limit]], headers


def _matches(resource: Mapping[str, Any], exact: Mapping[str, str]) -> bool:
    return all(str(resource[name]) == wanted for name, wanted in exact.items())


def _sorted(account: Account, machines: Iterable[Machine], sort: str | None) -> list[Machine]:
    if sort is None:
        return list(machines)
    if sort == "disks_size":
        return sorted(machines, key=lambda machine: machine.disk_gb)
    if sort == "memory":
        return sorted(machines, key=lambda machine: machine.memory)
    if sort not in _SORTABLE:
        raise WrongQueryError(f"sort is one of {', '.join(sorted(_SORTABLE | {'disks_size'}))}")
    return sorted(machines, key=lambda machine: str(machine_resource(account, machine)[sort] or ""))


def _truth(name: str, told: str) -> bool:
    if told not in _TRUTHS:
        raise WrongQueryError(f"{name} is true or false")
    return _TRUTHS[told]


def _whole(name: str, told: str, least: int) -> int:
    try:
        number = int(told)
    except ValueError:
        raise WrongQueryError(f"{name} is not a number") from None
    if number < least:
        raise WrongQueryError(f"{name} is less than {least}")
    return number
