"""The listeners, and which handler answers which path."""

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from exporter.clock import Clock
from exporter.fleet import Fleet
from exporter.metrics import Page
from exporter.web.health import Ready, healthy
from exporter.web.pages import Landing
from exporter.web.scrape import Scrape

__all__ = ["ListenFailed", "Server"]

_GRACE_S = 1.0
"""For how long a scrape in flight may go on when the daemon stops."""
_LARGEST_REQUEST_BYTES = 16 * 1024
"""No request to us has a body worth reading."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ListenFailed(Exception):
    """An address that cannot be listened on."""

    def __init__(self, host: str | None, port: int, error: OSError) -> None:
        super().__init__(f"cannot listen on {_written(host or '')}:{port}: {_reason(error)}")


class Server:
    """Listens from `start` to `stop`. `serve_at` may be called again at any time: it replaces the table of paths.

    `standing_by`: whether another process collects, and this one only waits.
    """

    def __init__(self, *, page: Page, fleet: Fleet, clock: Clock, version: str) -> None:
        self.standing_by = False
        self._fleet = fleet
        self._page = page
        self._version = version
        self._scrape = Scrape(page=page, fleet=fleet, clock=clock)
        self._paths: Mapping[tuple[str, str], _Handler] = {}
        application = web.Application(client_max_size=_LARGEST_REQUEST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_Log(logging.getLogger("aiohttp.server")),
            shutdown_timeout=_GRACE_S,
            handle_signals=False,
        )

    def serve_at(self, telemetry_path: str, *, reload: Callable[[], Awaitable[str | None]] | None) -> None:
        """Say which paths there are. `reload` returns what is wrong, if anything; None: reloading is not enabled."""
        landing = Landing(
            fleet=self._fleet,
            version=self._version,
            telemetry_path=telemetry_path,
            is_standby=self._is_standby,
        )
        paths: dict[tuple[str, str], _Handler] = {
            ("GET", "/"): landing,
            ("GET", "/-/healthy"): healthy,
            ("GET", "/-/ready"): Ready(fleet=self._fleet, page=self._page, is_standby=self._is_standby),
            ("GET", telemetry_path): self._scrape,
        }
        if reload is not None:
            paths["POST", "/-/reload"] = _reloading(reload)
        self._paths = paths

    def _is_standby(self) -> bool:
        return self.standing_by

    async def start(self, addresses: Sequence[tuple[str | None, int]]) -> tuple[str, ...]:
        """Listen; return the URLs that answer. Raises ListenFailed."""
        await self._runner.setup()
        for host, port in addresses:
            try:
                await web.TCPSite(self._runner, host, port).start()
            except OSError as error:
                await self.stop()
                raise ListenFailed(host, port, error) from error
        return tuple(_url(address) for address in self._runner.addresses)

    async def stop(self) -> None:
        """Stop listening; a scrape in flight has a moment to end."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._paths.get((method, request.path))
        if handler is not None:
            return await handler(request)
        allowed = [known for known, path in self._paths if path == request.path]
        if allowed:
            allow = ", ".join(allowed).replace("GET", "GET, HEAD")
            return web.Response(status=405, headers={"Allow": allow}, text="Method not allowed.\n")
        return web.Response(status=404, text="Not found.\n")


class _Log(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log without a traceback for each stranger who speaks no HTTP: those are at level debug."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        if isinstance(more.get("exc_info"), HttpProcessingError):
            level = logging.DEBUG
        super().log(level, msg, *args, **more)


def _reloading(reload: Callable[[], Awaitable[str | None]]) -> _Handler:
    async def handler(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler takes its request
        wrong = await reload()
        return web.Response(text="Reloaded.\n") if wrong is None else web.Response(status=500, text=f"{wrong}\n")

    return handler


def _reason(error: OSError) -> str:
    """Why it cannot be listened on. asyncio's own text repeats the address; a name's trouble has numbers of its own."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return (error.strerror or str(error)).lower()
    return os.strerror(error.errno).lower()


def _url(address: Sequence[object]) -> str:
    return f"http://{_written(str(address[0]))}:{address[1]}"


def _written(host: str) -> str:
    """A host as it is written before a port."""
    return f"[{host}]" if ":" in host else host
