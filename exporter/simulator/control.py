"""The simulation's own addresses, which the provider does not have: the truth, steering, faults, what was asked.

They ask for no credentials and so answer only to this machine; `/` says what this is to anybody.
"""

import ipaddress
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from exporter.simulator.access import Access
from exporter.simulator.answers import Lookup, document, refuse, told
from exporter.simulator.operations import Operations
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.script import Script, load_faults
from exporter.simulator.steering import WrongSteeringError, steer
from exporter.simulator.truth import Truth
from exporter.simulator.world import Account, Machine, World

__all__ = ["Control", "is_here", "landing"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """For tests and for people who play."""

    def __init__(
        self, *, world: World, truth: Truth, operations: Operations, lookup: Lookup, access: Access, script: Script
    ) -> None:
        self._world = world
        self._truth = truth
        self._operations = operations
        self._lookup = lookup
        self._access = access
        self._script = script
        self.requests: Counter[tuple[str, str | None]] = Counter()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the addresses."""
        routes: tuple[tuple[str, str, _Handler], ...] = (
            ("GET", "/truth", self._final),
            ("GET", "/truth/published", self._published),
            ("PATCH", "/simulator/vms/{vm}", self._steer),
            ("DELETE", "/simulator/vms/{vm}", self._remove),
            ("POST", "/simulator/vms", self._add),
            ("PUT", "/simulator/faults", self._put_faults),
            ("PUT", "/simulator/api_keys", self._put_keys),
            ("DELETE", "/simulator/tokens", self._revoke),
            ("GET", "/simulator/requests", self._requests),
        )
        for method, path, handler in routes:
            router.add_route(method, path, _from_here(handler))

    async def _final(self, request: web.Request) -> web.Response:
        return document(self._truth.final(**self._asked_of_truth(request)))

    async def _published(self, request: web.Request) -> web.Response:
        return document(self._truth.published(**self._asked_of_truth(request)))

    def _asked_of_truth(self, request: web.Request) -> dict[str, Any]:
        since = request.query.get("since")
        return {
            "now_s": self._lookup.now_s(),
            "since_at": None if since is None else _instant(since),
            "vm_id": request.query.get("vm"),
        }

    def _find(self, request: web.Request) -> tuple[Account, Machine]:
        vm_id, now_s = request.match_info["vm"], self._lookup.now_s()
        for account in self._world.accounts.values():
            self._operations.settle(account, now_s)
        found = next((each for each in self._world.accounts.values() if vm_id in each.machines), None)
        if found is None:
            refuse("no such VM", status=404)
        return found, found.machines[vm_id]

    async def _steer(self, request: web.Request) -> web.Response:
        _, machine = self._find(request)
        _steered(machine, await told(request), self._lookup.now_s())
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        account, machine = self._find(request)
        del account.machines[machine.id]
        return web.Response(status=204)

    async def _add(self, request: web.Request) -> web.Response:
        account = self._world.accounts.get(request.query.get("account", next(iter(self._world.accounts))))
        if account is None:
            refuse("no such account", status=404)
        asked, now_s = await told(request), self._lookup.now_s()
        machine = self._operations.add(account, now_s)
        try:
            _steered(machine, asked, now_s)
        except web.HTTPBadRequest:
            del account.machines[machine.id]
            raise
        return document({"id": machine.id}, status=201)

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            self._script.put(load_faults(await request.text()))
        except ValueError as error:
            refuse(str(error))
        return web.Response(status=204)

    async def _put_keys(self, request: web.Request) -> web.Response:
        try:
            keys = json.loads(await request.text())
        except ValueError:
            keys = None
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            refuse("the body is not a JSON list of keys")
        self._access.api_keys = set(keys)
        return web.Response(status=204)

    async def _revoke(self, _: web.Request) -> web.Response:
        self._access.revoke_tokens()
        return web.Response(status=204)

    async def _requests(self, _: web.Request) -> web.Response:
        by_endpoint: Counter[str] = Counter()
        for (endpoint, _vm), count in self.requests.items():
            by_endpoint[endpoint] += count
        by_vm = {f"{endpoint} {vm}": count for (endpoint, vm), count in self.requests.items() if vm is not None}
        return document({"endpoints": by_endpoint, "vms": by_vm})


def _steered(machine: Machine, asked: dict[str, object], now_s: float) -> None:
    try:
        steer(machine, asked, now_s)
    except WrongSteeringError as error:
        refuse(str(error))


def _instant(told_at: str) -> float:
    try:
        at = float(told_at)
    except ValueError:
        at = math.nan
    if not math.isfinite(at):
        refuse("since is in UNIX seconds")
    return at


def is_here(remote: str | None) -> bool:
    """Whether an address is this machine's own. A local socket has none, a host of both families writes `::ffff:…`."""
    if not remote:
        return True
    address = ipaddress.ip_address(remote)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _from_here(handler: _Handler) -> _Handler:
    """The handler, for requests of this machine only."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_here(request.remote):
            raise web.HTTPForbidden(text="only from the machine that the simulation runs on\n")
        return await handler(request)

    return guarded


def landing(options: SimulatorOptions, world: World) -> _Handler:
    """A page that says what this is and how to try it."""

    async def handler(request: web.Request) -> web.Response:
        here, account = f"http://{request.host}", next(iter(world.accounts.values()))
        of_account, vm_id = f"{here}/account/{account.id}", next(iter(account.machines), "VM_ID")
        header = f'-H "Authorization: Bearer {options.api_key}"'
        return web.Response(
            text=f"""A simulation of the Gigas API: {len(account.machines)} VMs in account {account.id}, made up. Try:

curl {header} '{of_account}/virtual_machines?limit=2'
curl {header} {of_account}/virtual_machine/{vm_id}
curl {header} '{of_account}/virtual_machine/{vm_id}/cpu_stats?period=-1H'
curl {header} '{of_account}/virtual_machine/{vm_id}/bw_stats?period=-1H'
curl -i -X PUT {of_account}/virtual_machine/{vm_id} -d '{{"label": "NewLabel"}}' {header}
curl -i -X PUT {of_account}/virtual_machine/{vm_id} -d '{{"status": "offline"}}' {header}
curl -i -X POST {of_account}/virtual_machine/{vm_id}/reboot {header}

What is true, and what of it is published: {here}/truth {here}/truth/published
What was asked:      {here}/simulator/requests
Steer a VM:          curl -X PATCH {here}/simulator/vms/{vm_id} -d '{{"locked": true, "cpu": 0.97}}'
Let things go wrong: curl -X PUT {here}/simulator/faults -d '[{{"kind": "status", "status": 503}}]'
Let them go right:   curl -X PUT {here}/simulator/faults -d '[]'
"""
        )

    return handler
