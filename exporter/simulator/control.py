"""The simulation's own addresses, which the provider does not have: the truth, steering, faults, what was asked."""

import json
from collections import Counter
from typing import Any

from aiohttp import web

from exporter.simulator.access import Access
from exporter.simulator.api import Api
from exporter.simulator.faults import Faults, load_faults
from exporter.simulator.operations import Operations
from exporter.simulator.publication import Publication
from exporter.simulator.resources import machine_resource
from exporter.simulator.world import Account, Machine, World

__all__ = ["Control"]

_BUCKETS_TOLD = 40


class Control:
    """For tests and for people who play."""

    def __init__(
        self,
        *,
        world: World,
        publication: Publication,
        operations: Operations,
        api: Api,
        access: Access,
        faults: Faults,
    ) -> None:
        self._world = world
        self._publication = publication
        self._operations = operations
        self._api = api
        self._access = access
        self._faults = faults
        self.requests: Counter[tuple[str, str | None]] = Counter()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the addresses."""
        router.add_get("/", self._page)
        router.add_get("/truth", self._truth)
        router.add_patch("/simulator/vms/{vm}", self._steer)
        router.add_delete("/simulator/vms/{vm}", self._remove)
        router.add_post("/simulator/vms", self._add)
        router.add_put("/simulator/faults", self._put_faults)
        router.add_put("/simulator/api_keys", self._put_keys)
        router.add_delete("/simulator/tokens", self._revoke)
        router.add_get("/simulator/requests", self._requests)

    async def _page(self, request: web.Request) -> web.Response:
        here, options = f"http://{request.host}", self._world.options
        account = next(iter(self._world.accounts.values()))
        vm_id = next(iter(account.machines), "VM_ID")
        header = f'-H "Authorization: Bearer {options.api_key}"'
        return web.Response(
            text=f"""A simulation of the Gigas API: {len(account.machines)} VMs in account {account.id}, made up. Try:

curl {header} {here}/account/{account.id}/virtual_machines
curl {header} '{here}/account/{account.id}/virtual_machine/{vm_id}/cpu_stats?period=-1H'
curl {header} '{here}/account/{account.id}/virtual_machine/{vm_id}/bw_stats?period=-1H'
curl -i -X PUT {here}/account/{account.id}/virtual_machine/{vm_id} -d '{{"label": "NewLabel"}}' {header}
curl -i -X POST {here}/account/{account.id}/virtual_machine/{vm_id}/reboot {header}

What is true:        {here}/truth
What was asked:      {here}/simulator/requests
Steer a VM:          curl -X PATCH {here}/simulator/vms/{vm_id} -d '{{"locked": true, "cpu": 0.97}}'
Let things go wrong: curl -X PUT {here}/simulator/faults -d '[{{"kind": "status", "status": 503}}]'
"""
        )

    async def _truth(self, request: web.Request) -> web.Response:
        now_s, step_s = self._api.now_s(), self._world.options.step_s
        last = int(now_s // step_s)
        since = request.query.get("since")
        first = int(float(since) // step_s) if since is not None else last - _BUCKETS_TOLD
        only = request.query.get("vm")
        accounts = {}
        for account in self._world.accounts.values():
            self._operations.settle(account, now_s)
            told = [machine for machine in account.machines.values() if only in (None, machine.id)]
            accounts[account.id] = {
                "vms": {machine.id: self._true(account, machine, range(first, last)) for machine in told}
            }
        return web.json_response({"now": now_s, "step_s": step_s, "accounts": accounts})

    def _true(self, account: Account, machine: Machine, buckets: range) -> dict[str, Any]:
        step_s, world = self._world.options.step_s, self._world
        interfaces = {}
        for interface in machine.interfaces:
            traffic = {f"{(each + 1) * step_s:.12g}": world.traffic(machine, interface, each) for each in buckets}
            interfaces[str(interface.id)] = {
                "network_id": str(interface.network_id),
                "public": interface.public,
                "traffic": {end: value for end, value in traffic.items() if value is not None},
            }
        cpu = {f"{(each + 1) * step_s:.12g}": world.cpu_ratio(machine, each) for each in buckets}
        return {
            **machine_resource(account, machine),
            "created_at": machine.created_at,
            "updated_at": machine.updated_at,
            "cpu": {end: ratio for end, ratio in cpu.items() if ratio is not None},
            "interfaces": interfaces,
        }

    def _find(self, vm_id: str) -> tuple[Account, Machine]:
        for account in self._world.accounts.values():
            if vm_id in account.machines:
                return account, account.machines[vm_id]
        raise web.HTTPNotFound(text="no such VM\n")

    async def _steer(self, request: web.Request) -> web.Response:
        """Change a VM at once: flags, status, names, and from now on its `cpu` and `traffic_bytes_per_second`."""
        _, machine = self._find(request.match_info["vm"])
        asked, now_s = json.loads(await request.text()), self._api.now_s()
        for name, value in asked.items():
            if name in {"suspended", "error", "cdrom", "label", "hostname", "memory", "cpus"}:
                setattr(machine, name, value)
            elif name == "locked":
                machine.locked, machine.locked_until_at = bool(value), None
            elif name == "status":
                machine.set_status(value, now_s)
            elif name == "cpu":
                machine.forced_cpu.append((now_s, value))
            elif name == "traffic_bytes_per_second":
                machine.forced_traffic.append((now_s, None if value is None else (value[0], value[1])))
            else:
                raise web.HTTPBadRequest(text=f"cannot steer {name}\n")
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        account, machine = self._find(request.match_info["vm"])
        del account.machines[machine.id]
        return web.Response(status=204)

    async def _add(self, request: web.Request) -> web.Response:
        name = request.query.get("account", next(iter(self._world.accounts)))
        account = self._world.accounts.get(name)
        if account is None:
            raise web.HTTPNotFound(text="no such account\n")
        return web.json_response({"id": self._operations.add(account, self._api.now_s()).id}, status=201)

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.put(load_faults(await request.text()))
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return web.Response(status=204)

    async def _put_keys(self, request: web.Request) -> web.Response:
        self._access.api_keys = set(json.loads(await request.text()))
        return web.Response(status=204)

    async def _revoke(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler takes its request
        self._access.revoke_tokens()
        return web.Response(status=204)

    async def _requests(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler takes its request
        by_endpoint: Counter[str] = Counter()
        for (endpoint, _), count in self.requests.items():
            by_endpoint[endpoint] += count
        by_vm = {f"{endpoint} {vm}": count for (endpoint, vm), count in self.requests.items() if vm is not None}
        return web.json_response({"endpoints": by_endpoint, "vms": by_vm})
