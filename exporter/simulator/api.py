"""The addresses of the provider's page, over HTTP."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from exporter.simulator.operations import ACTIONS, Operations, WrongParameterError
from exporter.simulator.options import Clock
from exporter.simulator.publication import BW_PERIODS, CPU_PERIODS, Publication
from exporter.simulator.resources import addresses, backups, disks, machine_resource, network_interfaces, networks
from exporter.simulator.world import Account, Machine, World

__all__ = ["Api"]

_VM = "/account/{account}/virtual_machine/{vm}"
_SORTABLE = {"identifier", "label", "memory", "operating_system", "operating_system_distro", "status", "location_id"}
_EXACT = ("id", "type", "cpu_type", "status", "locked", "suspended", "location_id", "disk_type", "label")


class Api:
    """Every GET of the page, the account-wide lists, and the operations that a person may play with."""

    def __init__(self, world: World, publication: Publication, operations: Operations, clock: Clock) -> None:
        self._world = world
        self._publication = publication
        self._operations = operations
        self._clock = clock

    def now_s(self) -> float:
        """The provider's clock."""
        return self._clock.wall_s() + self._world.options.skew_s

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the addresses."""
        router.add_get("/account/{account}/virtual_machines", self._machines)
        router.add_post("/account/{account}/virtual_machine", self._create)
        router.add_get(_VM, self._machine)
        router.add_put(_VM, self._edit)
        router.add_delete(_VM, self._destroy)
        router.add_get(_VM + "/cpu_stats", self._cpu_stats)
        router.add_get(_VM + "/bw_stats", self._bw_stats)
        router.add_get(_VM + "/remote_console", self._console)
        router.add_post(_VM + "/network_interface", self._add_interface)
        router.add_post(_VM + "/clone", self._clone)
        for name, of_machine in self._lists().items():
            router.add_get(f"{_VM}/{name}", self._list_of_vm(of_machine))
        for name in ("disks", "backups", "ip_addresses"):
            router.add_get(f"/account/{{account}}/{name}", self._list_of_account(self._lists()[name]))
        router.add_get("/account/{account}/networks", self._networks)
        for action in ACTIONS:
            router.add_post(f"{_VM}/{action}", self._act)
        router.add_delete(_VM + "/iso/{iso}", self._act)
        router.add_delete(_VM + "/snapshots", self._act)
        router.add_put("/account/{account}/virtual_machine/{vm}/segregation/{other}", self._segregate)
        router.add_delete("/account/{account}/virtual_machine/{vm}/segregation/{other}", self._segregate)

    def _lists(self) -> dict[str, Callable[[Machine], list[dict[str, Any]]]]:
        return {
            "disks": lambda machine: disks(self._world, machine),
            "network_interfaces": network_interfaces,
            "ip_addresses": addresses,
            "backups": backups,
            "firewall_rules": lambda _: [],
            "isos": lambda _: [],
            "snapshots": lambda _: [],
            "segregations": lambda machine: [{"virtual_machine_id": other} for other in sorted(machine.segregated)],
        }

    def _account(self, request: web.Request) -> Account:
        account = self._world.accounts.get(request.match_info["account"])
        if account is None:
            raise web.HTTPNotFound(text='{"error": "no such account"}', content_type="application/json")
        self._operations.settle(account, self.now_s())
        return account

    def _vm(self, request: web.Request) -> Machine:
        machine = self._account(request).machines.get(request.match_info["vm"])
        if machine is None:
            raise web.HTTPNotFound(text='{"error": "no such virtual machine"}', content_type="application/json")
        return machine

    async def _machines(self, request: web.Request) -> web.Response:
        account = self._account(request)
        listed = [machine for machine in account.machines.values() if self._passes(account, machine, request)]
        sort = request.query.get("sort")
        if sort in _SORTABLE:
            listed.sort(key=lambda machine: str(machine_resource(account, machine)[sort]))
        return self._paged(request, listed, lambda machine: machine_resource(account, machine))

    def _passes(self, account: Account, machine: Machine, request: web.Request) -> bool:
        query = request.query
        if not any(name in query for name in (*_EXACT, "hostname", "ip_address")):
            return True
        resource = machine_resource(account, machine)
        wanted = {name: query[name] for name in _EXACT if name in query}
        exact = all(str(resource[name]) == {"true": "1", "false": "0"}.get(told, told) for name, told in wanted.items())
        known = [each["address"] for each in addresses(machine)]
        named = query.get("hostname", "") in machine.hostname
        return exact and named and ("ip_address" not in query or query["ip_address"] in known)

    def _paged(
        self, request: web.Request, listed: list[Any], resource: Callable[[Any], dict[str, Any]]
    ) -> web.Response:
        """A page of a list: `limit` up to the cap from `offset`; without them everything."""
        total = len(listed)
        try:
            limit = min(int(request.query.get("limit", total or 1)), self._world.options.page_cap)
            offset = int(request.query.get("offset", 0))
        except ValueError:
            return _wrong("limit and offset are numbers")
        if limit < 1 or offset < 0:
            return _wrong("limit and offset are not negative")
        if "limit" not in request.query:
            limit = max(total, 1)
        headers = {
            "X-Page": str(offset // limit + 1),
            "X-Per-Page": str(limit),
            "X-Total": str(total),
            "X-Total-Pages": str(-(-total // limit)),
        }
        return _json([resource(each) for each in listed[offset : offset + limit]], headers=headers)

    async def _machine(self, request: web.Request) -> web.Response:
        return _json(machine_resource(self._account(request), self._vm(request)))

    async def _cpu_stats(self, request: web.Request) -> web.Response:
        period = request.query.get("period", "")
        if period not in CPU_PERIODS:
            return _wrong(f"period is one of {', '.join(CPU_PERIODS)}")
        return _json(self._publication.cpu_stats(self._vm(request), period, self.now_s()))

    async def _bw_stats(self, request: web.Request) -> web.Response:
        period = request.query.get("period", "")
        if period not in BW_PERIODS:
            return _wrong(f"period is one of {', '.join(BW_PERIODS)}")
        return _json(self._publication.bw_stats(self._vm(request), period, self.now_s()))

    async def _console(self, request: web.Request) -> web.Response:
        return _json({"virtual_machine_id": self._vm(request).id, "port": 5900, "remote_key": "not a console"})

    async def _networks(self, request: web.Request) -> web.Response:
        return self._paged(request, networks(self._account(request)), dict)

    def _list_of_vm(self, of_machine: Callable[[Machine], list[dict[str, Any]]]) -> Any:
        async def handler(request: web.Request) -> web.Response:
            return self._paged(request, of_machine(self._vm(request)), dict)

        return handler

    def _list_of_account(self, of_machine: Callable[[Machine], list[dict[str, Any]]]) -> Any:
        async def handler(request: web.Request) -> web.Response:
            machines: Iterable[Machine] = self._account(request).machines.values()
            return self._paged(request, [each for machine in machines for each in of_machine(machine)], dict)

        return handler

    async def _create(self, request: web.Request) -> web.Response:
        account = self._account(request)
        try:
            machine, token = self._operations.create(account, await _asked(request), self.now_s())
        except WrongParameterError as error:
            return _wrong(str(error))
        return _json({**machine_resource(account, machine), "queue_token": token}, status=202)

    async def _clone(self, request: web.Request) -> web.Response:
        account, source = self._account(request), self._vm(request)
        asked = {"memory": source.memory, "cpus": source.cpus, **await _asked(request)}
        try:
            machine, token = self._operations.create(account, asked, self.now_s())
        except WrongParameterError as error:
            return _wrong(str(error))
        return _json({**machine_resource(account, machine), "queue_token": token}, status=202)

    async def _edit(self, request: web.Request) -> web.Response:
        machine = self._vm(request)
        try:
            token = self._operations.edit(machine, await _asked(request), self.now_s())
        except WrongParameterError as error:
            return _wrong(str(error))
        return _json({**machine_resource(self._account(request), machine), "queue_token": token}, status=202)

    async def _destroy(self, request: web.Request) -> web.Response:
        machine = self._vm(request)
        del self._account(request).machines[machine.id]
        return _json({"queue_token": self._operations.queue(machine, self.now_s())}, status=202)

    async def _act(self, request: web.Request) -> web.Response:
        return _json({"queue_token": self._operations.queue(self._vm(request), self.now_s())}, status=202)

    async def _add_interface(self, request: web.Request) -> web.Response:
        machine = self._vm(request)
        try:
            interface, token = self._operations.add_interface(machine, await _asked(request), self.now_s())
        except WrongParameterError as error:
            return _wrong(str(error), status=412)
        made = next(each for each in network_interfaces(machine) if each["id"] == interface.id)
        return _json({**made, "queue_token": token}, status=202)

    async def _segregate(self, request: web.Request) -> web.Response:
        machine, other = self._vm(request), request.match_info["other"]
        if request.method == "PUT":
            machine.segregated.add(other)
        else:
            machine.segregated.discard(other)
        return _json([{"virtual_machine_id": each} for each in sorted(machine.segregated)])


async def _asked(request: web.Request) -> dict[str, object]:
    try:
        asked = await request.json() if request.can_read_body else {}
    except ValueError:
        raise web.HTTPBadRequest(text='{"error": "not JSON"}', content_type="application/json") from None
    return asked if isinstance(asked, dict) else {}


def _json(document: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Compact, and in UTF-8 as it is: what a body weighs is part of what benchmarks measure.
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=headers)


def _wrong(message: str, *, status: int = 400) -> web.Response:
    return _json({"error": message}, status=status)
