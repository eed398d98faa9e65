"""The landing page: what this is, where to go, how each account is."""

from collections.abc import Callable
from html import escape
from urllib.parse import quote

from aiohttp import web

from exporter.fleet import AccountView, Fleet

__all__ = ["Landing"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
p.version { margin-top: 0; opacity: 0.7; }
nav a { margin-right: 1.5rem; }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; }
th, td { text-align: left; vertical-align: baseline; padding: 0.4rem 1.5rem 0.4rem 0; border-bottom: 1px solid #8884; }
td:first-child { overflow-wrap: anywhere; min-width: 8rem; }
td.up::before { content: "● "; color: #2a9d4a; }
td.down::before { content: "● "; color: #d33; }
td.unknown::before { content: "○ "; }
th:last-child, td:last-child { text-align: right; padding-right: 0; white-space: nowrap; }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STANDING_BY = "standing by: another process collects"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>gigas-exporter</title>
<style>{style}</style></head>
<body>
<h1>gigas-exporter</h1>
<p class="version">version {version}</p>
<p>Cloud servers at Gigas as Prometheus metrics.</p>
<nav><a href="{metrics}">Metrics</a> <a href="/-/healthy">Health</a> <a href="/-/ready">Readiness</a></nav>
<table><thead><tr><th>Account</th><th>State</th><th>VMs</th></tr></thead>
<tbody>
{rows}
</tbody></table>
</body>
</html>
"""


class Landing:
    """The handler of `/`."""

    def __init__(self, *, fleet: Fleet, version: str, telemetry_path: str, is_standby: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._version = version
        self._is_standby = is_standby
        self._metrics = quote(telemetry_path)

    async def __call__(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler takes its request
        text = _PAGE.format(
            style=_STYLE,
            version=escape(self._version),
            metrics=escape(self._metrics),
            rows="\n".join(self._row(account) for account in self._fleet.accounts()),
        )
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    def _row(self, account: AccountView) -> str:
        metrics = escape(f"{self._metrics}?account={quote(account.name, safe='')}")
        mark, words = ("unknown", _STANDING_BY) if self._is_standby() else _state(account)
        count = str(len(self._fleet.vms(account.name))) if account.listed else "not known yet"
        name = f'<a href="{metrics}">{escape(account.name)}</a>'
        return f'<tr><td>{name}</td><td class="{mark}">{words}</td><td>{count}</td></tr>'


def _state(account: AccountView) -> tuple[str, str]:
    """A mark, and the words beside it."""
    if account.up is None:
        return "unknown", "not listed yet"
    if not account.up:
        return "down", "the last listing failed" + ("; VMs as last known" if account.listed else "")
    if account.broken:
        return "up", f"listed; {account.broken} of its VMs could not be understood"
    return "up", "listed"
