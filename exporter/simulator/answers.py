"""Answers as the provider writes them, and what every address needs first: which account, which VM, what time it is."""

import json
from collections.abc import Mapping
from typing import NoReturn

from aiohttp import web

from exporter.simulator.operations import Operations
from exporter.simulator.options import Clock
from exporter.simulator.world import Account, Machine, World

__all__ = ["Lookup", "document", "not_allowed", "refuse", "told"]

_HTTP_ERRORS: Mapping[int, type[web.HTTPError]] = {
    400: web.HTTPBadRequest,
    404: web.HTTPNotFound,
    412: web.HTTPPreconditionFailed,
}


class Lookup:
    """Finds what an address names, in the state of the provider's present moment."""

    def __init__(self, world: World, operations: Operations, clock: Clock) -> None:
        self._world = world
        self._operations = operations
        self._clock = clock

    def now_s(self) -> float:
        """The provider's clock."""
        return self._clock.wall_s() + self._world.options.skew_s

    async def give_way(self) -> None:
        """Let others be answered between two steps of long work."""
        await self._clock.sleep(0)

    def account(self, request: web.Request) -> Account:
        """The account of an address. Raises HTTPNotFound."""
        account = self._world.accounts.get(request.match_info["account"])
        if account is None:
            refuse("no such account", status=404)
        self._operations.settle(account, self.now_s())
        return account

    def machine(self, request: web.Request) -> Machine:
        """The VM of an address. Raises HTTPNotFound."""
        machine = self.account(request).machines.get(request.match_info["vm"])
        if machine is None:
            refuse("no such virtual machine", status=404)
        return machine


def document(told: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of JSON. Compact, and in UTF-8 as it is: what a body weighs is part of what benchmarks measure."""
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=headers)


def not_allowed(status: int) -> web.Response:
    """How a request that may not pass is answered: 401, or 403 of a session that may only read."""
    return document({"error": "not authorised" if status == 401 else "the session is read-only"}, status=status)


def refuse(message: str, *, status: int = 400) -> NoReturn:
    """Answer that it cannot be done. Always raises."""
    raise _HTTP_ERRORS[status](text=json.dumps({"error": message}), content_type="application/json")


async def told(request: web.Request) -> dict[str, object]:
    """The parameters in a body; none where there is no body. curl's `-d` without a type is JSON too."""
    if not request.can_read_body:
        return {}
    try:
        parameters = json.loads(await request.text())
    except ValueError:
        refuse("the body is not JSON")
    if not isinstance(parameters, dict):
        refuse("the body is not a JSON object")
    return parameters
