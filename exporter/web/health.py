"""Whether the process can serve, and whether it knows anything yet."""

from aiohttp import web

from exporter.fleet import Fleet

__all__ = ["Ready", "healthy"]


async def healthy(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler takes its request
    """200 while the process can serve."""
    return web.Response(text="gigas-exporter is healthy.\n")


class Ready:
    """503 until every account has been listed once, or has failed once."""

    def __init__(self, *, fleet: Fleet) -> None:
        self._fleet = fleet

    async def __call__(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler takes its request
        waiting = [account.name for account in self._fleet.accounts() if account.up is None]
        if waiting:
            return web.Response(status=503, text=f"Not listed yet: {', '.join(waiting)}.\n")
        return web.Response(text="gigas-exporter is ready.\n")
