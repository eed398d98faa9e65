"""Whether the process can serve, and whether it knows anything yet."""

from collections.abc import Callable

from aiohttp import web

from exporter.fleet import Fleet
from exporter.metrics import Page

__all__ = ["Ready", "healthy"]


async def healthy(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler takes its request
    """200 while the process can serve."""
    return web.Response(text="gigas-exporter is healthy.\n")


class Ready:
    """503 until every account has been listed once, or has failed once; for a standby, that does not even begin."""

    def __init__(self, *, fleet: Fleet, page: Page, is_standby: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._page = page
        self._is_standby = is_standby

    async def __call__(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler takes its request
        if self._is_standby():
            return web.Response(status=503, text="Standing by: another process collects.\n")
        # What the page shows, not what is known: who waits for readiness scrapes next.
        shown = {account.name: self._page.shown(account.name) for account in self._fleet.accounts()}
        waiting = [name for name, view in shown.items() if view is None or view.up is None]
        if waiting:
            return web.Response(status=503, text=f"Not listed yet: {', '.join(waiting)}.\n")
        return web.Response(text="gigas-exporter is ready.\n")
