"""The simulation as a web application."""

import email.utils
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from exporter.simulator.access import Access
from exporter.simulator.api import Api
from exporter.simulator.control import Control
from exporter.simulator.faults import FAULTS, Fault, Faults
from exporter.simulator.operations import Operations
from exporter.simulator.options import Clock, SimulatorOptions
from exporter.simulator.publication import Publication
from exporter.simulator.world import build_world

__all__ = ["build_app", "serve"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TOKENS = {"/token", "/auth/api/openid-connect/token"}
_LARGEST_REQUEST_BYTES = 1 << 20
_GRACE_S = 0.5


def build_app(options: SimulatorOptions, *, clock: Clock, faults: tuple[Fault, ...] = ()) -> web.Application:
    """Join the simulation's parts."""
    world = build_world(options, clock.wall_s() + options.skew_s)
    publication, operations = Publication(world), Operations(world)
    api = Api(world, publication, operations, clock)
    access, in_force = Access(options), Faults(faults, seed=options.seed)
    control = Control(
        world=world, publication=publication, operations=operations, api=api, access=access, faults=in_force
    )

    @web.middleware
    async def provider(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """What every request to the provider meets: faults first, then authentication."""
        ours = not request.path.startswith("/account/") and request.path not in _TOKENS
        if ours:
            return await handler(request)
        endpoint, vm = request.path.rpartition("/")[2], request.match_info.get("vm")
        control.requests[endpoint, vm] += 1

        async def answer(request: web.Request) -> web.StreamResponse:
            header = request.headers.get("Authorization", "")
            status = None if request.path in _TOKENS else access.problem(header, request.method, api.now_s())
            return await handler(request) if status is None else _refusal(status)

        fault = in_force.find(
            endpoint=endpoint,
            account=request.match_info.get("account"),
            vm=vm,
            after_s=clock.wall_s() + options.skew_s - world.started_at,
        )
        return await answer(request) if fault is None else await FAULTS[fault.kind](fault, request, answer, clock)

    async def token(request: web.Request) -> web.Response:
        return await access.token(request, api.now_s())

    async def openid(request: web.Request) -> web.Response:
        return await access.openid(request, api.now_s())

    async def dated(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = email.utils.formatdate(api.now_s(), usegmt=True)

    application = web.Application(middlewares=[provider], client_max_size=_LARGEST_REQUEST_BYTES)
    application.on_response_prepare.append(dated)
    application.router.add_post("/token", token)
    application.router.add_post("/auth/api/openid-connect/token", openid)
    api.add_routes(application.router)
    control.add_routes(application.router)
    return application


def _refusal(status: int) -> web.Response:
    return web.json_response(
        {"error": "not authorised" if status == 401 else "the session is read-only"}, status=status
    )


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
        bound = runner.addresses[0]
        yield f"http://{'localhost' if host is None else bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
