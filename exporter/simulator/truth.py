"""What was, bucket by bucket, and what of it is published by now."""

from collections.abc import Iterable, Iterator
from typing import Any

from exporter.simulator.operations import Operations
from exporter.simulator.publication import Publication
from exporter.simulator.resources import machine_resource
from exporter.simulator.world import Account, Machine, World

__all__ = ["Truth"]

_BUCKETS_TOLD = 40


class Truth:
    """Tells every ended bucket by its end: CPU ratios, and bytes in and out of each interface."""

    def __init__(self, world: World, publication: Publication, operations: Operations) -> None:
        self._world = world
        self._publication = publication
        self._operations = operations

    def final(self, *, now_s: float, since_at: float | None, vm_id: str | None) -> dict[str, Any]:
        """The VMs as they are, and the final values of what has ended, published or not."""
        return self._of_accounts(now_s, since_at, vm_id, self._final)

    def published(self, *, now_s: float, since_at: float | None, vm_id: str | None) -> dict[str, Any]:
        """What the shortest period shows, or would if its window reached so far: late, partial, corrected."""
        return self._of_accounts(now_s, since_at, vm_id, self._published)

    def _of_accounts(self, now_s: float, since_at: float | None, vm_id: str | None, tell: Any) -> dict[str, Any]:
        step_s = self._world.options.step_s
        last = int(now_s // step_s)
        first = last - _BUCKETS_TOLD if since_at is None else int(since_at // step_s)
        buckets = range(max(first, self._world.first_bucket), last)
        accounts = {}
        for account in self._world.accounts.values():
            self._operations.settle(account, now_s)
            chosen = [machine for machine in account.machines.values() if vm_id in (None, machine.id)]
            accounts[account.id] = {"vms": {each.id: tell(account, each, buckets, now_s) for each in chosen}}
        return {"now": now_s, "step_s": step_s, "accounts": accounts}

    def _final(self, account: Account, machine: Machine, buckets: range, _: float) -> dict[str, Any]:
        cpu = ((each, self._world.cpu_ratio(machine, each)) for each in buckets)
        interfaces = {}
        for interface in machine.interfaces:
            traffic = ((each, self._world.traffic(machine, interface, each)) for each in buckets)
            interfaces[str(interface.id)] = {
                "network_id": str(interface.network_id),
                "public": interface.public,
                "traffic": dict(self._by_end(traffic)),
            }
        return {
            **machine_resource(account, machine),
            "created_at": machine.created_at,
            "updated_at": machine.updated_at,
            "cpu": dict(self._by_end(cpu)),
            "interfaces": interfaces,
        }

    def _published(self, _: Account, machine: Machine, buckets: range, now_s: float) -> dict[str, Any]:
        percents = ((each, self._publication.cpu_percent(machine, each, 1, now_s)) for each in buckets)
        cpu = ((each, None if percent is None else percent / 100) for each, percent in percents)
        interfaces = {}
        for interface in machine.interfaces:
            traffic = ((each, self._publication.traffic_bytes(machine, interface, each, 1, now_s)) for each in buckets)
            interfaces[str(interface.id)] = {"traffic": dict(self._by_end(traffic))}
        return {"cpu": dict(self._by_end(cpu)), "interfaces": interfaces}

    def _by_end(self, values: Iterable[tuple[int, Any]]) -> Iterator[tuple[str, Any]]:
        """Those that there are, by the end of their bucket in UNIX seconds."""
        for bucket, value in values:
            if value is not None:
                yield f"{(bucket + 1) * self._world.options.step_s:.12g}", value
