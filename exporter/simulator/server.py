"""The simulation as a web application."""

import email.utils
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from exporter.simulator.access import Access
from exporter.simulator.answers import Lookup, document, not_allowed, told
from exporter.simulator.api import Api
from exporter.simulator.changes import Changes
from exporter.simulator.control import Control, landing
from exporter.simulator.faults import FAULTS, Fault, Occasion
from exporter.simulator.operations import Operations
from exporter.simulator.options import Clock, SimulatorOptions
from exporter.simulator.publication import Publication
from exporter.simulator.script import Script
from exporter.simulator.truth import Truth
from exporter.simulator.world import build_world

__all__ = ["build_app", "serve"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TOKENS = {"/token", "/auth/api/openid-connect/token"}
_LARGEST_REQUEST_BYTES = 1 << 20
_GRACE_S = 0.5


def build_app(options: SimulatorOptions, *, clock: Clock, faults: tuple[Fault, ...] = ()) -> web.Application:
    """Join the simulation's parts."""
    world = build_world(options, clock.wall_s() + options.skew_s)
    publication, operations, access = Publication(world), Operations(world), Access(options)
    lookup, script = Lookup(world, operations, clock), Script(faults, seed=options.seed)
    truth = Truth(world, publication, operations)
    control = Control(world=world, truth=truth, operations=operations, lookup=lookup, access=access, script=script)

    @web.middleware
    async def provider(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """What every request to the provider meets: it is counted, a fault may strike, then who asks is looked at."""
        if not request.path.startswith("/account/") and request.path not in _TOKENS:
            return await handler(request)
        endpoint, vm = _endpoint(request), request.match_info.get("vm")
        control.requests[endpoint, vm] += 1

        async def answer(request: web.Request) -> web.StreamResponse:
            header = request.headers.get("Authorization", "")
            status = None if request.path in _TOKENS else access.problem(header, request.method, lookup.now_s())
            return await handler(request) if status is None else not_allowed(status)

        now_s = lookup.now_s()
        fault = script.find(
            endpoint=endpoint, account=request.match_info.get("account"), vm=vm, after_s=now_s - world.started_at
        )
        if fault is None:
            return await answer(request)
        return await FAULTS[fault.kind](fault, Occasion(request, answer, clock, now_s, access))

    async def token(request: web.Request) -> web.Response:
        status, answered = access.token(await told(request), lookup.now_s())
        return document(answered, status=status)

    async def openid(request: web.Request) -> web.Response:
        status, answered = access.openid(await request.post(), lookup.now_s())
        return document(answered, status=status)

    async def dated(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = email.utils.formatdate(lookup.now_s(), usegmt=True)

    application = web.Application(middlewares=[provider], client_max_size=_LARGEST_REQUEST_BYTES)
    application.on_response_prepare.append(dated)
    router = application.router
    router.add_post("/token", token)
    router.add_post("/auth/api/openid-connect/token", openid)
    router.add_get("/", landing(options, world))
    for part in (Api(world, publication, lookup), Changes(operations, lookup), control):
        part.add_routes(router)
    return application


def _endpoint(request: web.Request) -> str:
    """The last word of the path that is not the VM's id."""
    *before, last = request.path.rstrip("/").split("/")
    return before[-1] if last == request.match_info.get("vm") else last


@asynccontextmanager
async def serve(
    options: SimulatorOptions,
    *,
    clock: Clock,
    faults: tuple[Fault, ...] = (),
    host: str | None = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve the simulation; yields its address. Port 0: a free one. Raises OSError."""
    application = build_app(options, clock=clock, faults=faults)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        where, bound_port = runner.addresses[0][:2]
        written = f"[{where}]" if ":" in where else where
        yield f"http://{'localhost' if host is None else written}:{bound_port}"
    finally:
        await runner.cleanup()
