"""What the provider's page lets one change, over HTTP, so that its curl examples do something."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from exporter.simulator.answers import Lookup, document, refuse, told
from exporter.simulator.api import VM, segregations
from exporter.simulator.operations import Operations, WrongParameterError
from exporter.simulator.resources import machine_resource, network_interfaces

__all__ = ["Changes"]

_QUEUED: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("POST", "/reset_password"): 202,
        ("POST", "/reboot"): 202,
        ("POST", "/rebuild_network"): 202,
        ("POST", "/apply_firewall_rules"): 202,
        ("POST", "/template"): 202,
        ("POST", "/iso"): 200,
        ("DELETE", "/iso/{iso}"): 200,
    }
)
"""Operations that lock a VM for a while and change nothing that is listed, with the documented success code."""
_AT_ONCE = (("POST", "/apply_disks"), ("DELETE", "/snapshots"))
"""Operations without a token: there is nothing to wait for, and nothing is answered."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Changes:
    """The documented POST, PUT and DELETE of VMs."""

    def __init__(self, operations: Operations, lookup: Lookup) -> None:
        self._operations = operations
        self._lookup = lookup

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the addresses."""
        router.add_post("/account/{account}/virtual_machine", self._create)
        router.add_put(VM, self._edit)
        router.add_delete(VM, self._destroy)
        router.add_post(VM + "/clone", self._clone)
        router.add_post(VM + "/network_interface", self._add_interface)
        router.add_put(VM + r"/segregation/{other:\d+}", self._segregate)
        router.add_delete(VM + r"/segregation/{other:\d+}", self._segregate)
        for (method, path), status in _QUEUED.items():
            router.add_route(method, VM + path, self._queued(status))
        for method, path in _AT_ONCE:
            router.add_route(method, VM + path, self._at_once)

    async def _create(self, request: web.Request) -> web.Response:
        account, asked = self._lookup.account(request), await told(request)
        try:
            machine, token = self._operations.create(account, asked, self._lookup.now_s())
        except WrongParameterError as error:
            refuse(str(error))
        return document({**machine_resource(account, machine), "queue_token": token}, status=202)

    async def _clone(self, request: web.Request) -> web.Response:
        account, source, asked = self._lookup.account(request), self._lookup.machine(request), await told(request)
        try:
            machine, token = self._operations.clone(account, source, asked, self._lookup.now_s())
        except WrongParameterError as error:
            refuse(str(error))
        return document({**machine_resource(account, machine), "queue_token": token}, status=202)

    async def _edit(self, request: web.Request) -> web.Response:
        account, machine, asked = self._lookup.account(request), self._lookup.machine(request), await told(request)
        try:
            token = self._operations.edit(account, machine, asked, self._lookup.now_s())
        except WrongParameterError as error:
            refuse(str(error))
        return document({**machine_resource(account, machine), "queue_token": token}, status=202)

    async def _destroy(self, request: web.Request) -> web.Response:
        account, machine = self._lookup.account(request), self._lookup.machine(request)
        return document({"queue_token": self._operations.destroy(account, machine, self._lookup.now_s())}, status=202)

    async def _add_interface(self, request: web.Request) -> web.Response:
        account, machine, asked = self._lookup.account(request), self._lookup.machine(request), await told(request)
        try:
            interface, token = self._operations.add_interface(account, machine, asked, self._lookup.now_s())
        except WrongParameterError as error:
            refuse(str(error), status=412)
        made = next(each for each in network_interfaces(machine) if each["id"] == interface.id)
        return document({**made, "queue_token": token}, status=201 if machine.status == "offline" else 202)

    async def _segregate(self, request: web.Request) -> web.Response:
        machine, other = self._lookup.machine(request), request.match_info["other"]
        if request.method == "PUT":
            machine.segregated.add(other)
        else:
            machine.segregated.discard(other)
        return document(segregations(machine))

    def _queued(self, status: int) -> _Handler:
        async def handler(request: web.Request) -> web.Response:
            account, machine = self._lookup.account(request), self._lookup.machine(request)
            return document(
                {"queue_token": self._operations.queue(account, machine, self._lookup.now_s())}, status=status
            )

        return handler

    async def _at_once(self, request: web.Request) -> web.Response:
        self._lookup.machine(request)
        return web.Response()
