"""What the provider's page lets one read, over HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from exporter.simulator.answers import Lookup, document, refuse
from exporter.simulator.lists import SUBLIST_FILTERS, WrongQueryError, filtered, listed_machines, page
from exporter.simulator.publication import BW_PERIODS, CPU_PERIODS, Publication
from exporter.simulator.resources import addresses, backups, disks, machine_resource, network_interfaces, networks
from exporter.simulator.world import Machine, World

__all__ = ["VM", "Api", "segregations"]

VM = "/account/{account}/virtual_machine/{vm}"
_OfMachine = Callable[[Machine], list[dict[str, Any]]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def segregations(machine: Machine) -> list[dict[str, Any]]:
    return [{"virtual_machine_id": int(other)} for other in sorted(machine.segregated)]


def _nothing(_: Machine) -> list[dict[str, Any]]:
    return []


_LISTS: Mapping[str, _OfMachine] = {
    "disks": disks,
    "network_interfaces": network_interfaces,
    "ip_addresses": addresses,
    "backups": backups,
    "firewall_rules": _nothing,
    "isos": _nothing,
    "snapshots": _nothing,
    "segregations": segregations,
}
_OF_ACCOUNT = ("disks", "backups", "ip_addresses")


class Api:
    """Every GET of the page, and the lists of a whole account."""

    def __init__(self, world: World, publication: Publication, lookup: Lookup) -> None:
        self._cap = world.options.page_cap
        self._publication = publication
        self._lookup = lookup

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the addresses."""
        router.add_get("/account/{account}/virtual_machines", self._machines)
        router.add_get("/account/{account}/networks", self._networks)
        router.add_get(VM, self._machine)
        router.add_get(VM + "/cpu_stats", self._cpu_stats)
        router.add_get(VM + "/bw_stats", self._bw_stats)
        router.add_get(VM + "/remote_console", self._console)
        for name, of_machine in _LISTS.items():
            router.add_get(f"{VM}/{name}", self._list_of_vm(of_machine, SUBLIST_FILTERS.get(name, {})))
        for name in _OF_ACCOUNT:
            router.add_get(f"/account/{{account}}/{name}", self._list_of_account(_LISTS[name]))

    async def _machines(self, request: web.Request) -> web.Response:
        account = self._lookup.account(request)
        try:
            listed = listed_machines(account, request.query)
        except WrongQueryError as error:
            refuse(str(error))
        return self._paged(request, listed, lambda machine: machine_resource(account, machine))

    def _paged(
        self, request: web.Request, listed: list[Any], resource: Callable[[Any], dict[str, Any]] = dict
    ) -> web.Response:
        try:
            shown, headers = page(listed, resource, request.query, cap=self._cap)
        except WrongQueryError as error:
            refuse(str(error))
        return document(shown, headers=headers)

    async def _networks(self, request: web.Request) -> web.Response:
        return self._paged(request, networks(self._lookup.account(request)))

    async def _machine(self, request: web.Request) -> web.Response:
        machine = self._lookup.machine(request)
        return document(machine_resource(self._lookup.account(request), machine))

    async def _cpu_stats(self, request: web.Request) -> web.Response:
        period = _period(request, CPU_PERIODS)
        machine, now_s = self._lookup.machine(request), self._lookup.now_s()
        for _ in self._publication.cpu_worked_out(machine, period, now_s):
            await self._lookup.give_way()
        return document(self._publication.cpu_stats(machine, period, now_s))

    async def _bw_stats(self, request: web.Request) -> web.Response:
        period = _period(request, BW_PERIODS)
        machine, now_s = self._lookup.machine(request), self._lookup.now_s()
        for _ in self._publication.bw_worked_out(machine, period, now_s):
            await self._lookup.give_way()
        return document(self._publication.bw_stats(machine, period, now_s))

    async def _console(self, request: web.Request) -> web.Response:
        machine = self._lookup.machine(request)
        return document({"virtual_machine_id": int(machine.id), "port": 5900, "remote_key": f"Rk{machine.id[::-1]}"})

    def _list_of_vm(self, of_machine: _OfMachine, filters: Mapping[str, str]) -> _Handler:
        async def handler(request: web.Request) -> web.Response:
            try:
                listed = filtered(of_machine(self._lookup.machine(request)), filters, request.query)
            except WrongQueryError as error:
                refuse(str(error))
            return self._paged(request, listed)

        return handler

    def _list_of_account(self, of_machine: _OfMachine) -> _Handler:
        async def handler(request: web.Request) -> web.Response:
            machines = self._lookup.account(request).machines.values()
            return self._paged(request, [each for machine in machines for each in of_machine(machine)])

        return handler


def _period(request: web.Request, known: Mapping[str, object]) -> str:
    period = request.query.get("period", "")
    if period not in known:
        refuse(f"period is one of {', '.join(known)}")
    return period
