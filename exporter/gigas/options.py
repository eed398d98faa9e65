"""How the API is asked, and the connections that all accounts share."""

import urllib.request
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs
from yarl import URL

from exporter.gigas.once import OnceOnly

__all__ = ["ClientOptions", "open_session"]

_MIB = 2**20
_DNS_CACHE_S = 60
_KEEPALIVE_S = 75.0
"""Longer than the usual interval of a listing, so that an account's connection is there for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """`timeout_s` is a whole attempt's, waiting for our own ceilings apart. `requests_per_second` 0: no ceiling."""

    url: str
    user_agent: str
    timeout_s: float = 20.0
    page_size: int = 200
    max_concurrency: int = 32
    requests_per_second: float = 0.0
    max_body_bytes: int = 64 * _MIB
    attempts: int = 4


def open_session(options: ClientOptions) -> aiohttp.ClientSession:
    """Open what the clients of all accounts send through; the caller closes it."""
    return aiohttp.ClientSession(
        # No limit of connections: each account's limiter is the ceiling. A request that waited for a connection
        # would be waiting within its timeout.
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_CACHE_S, keepalive_timeout=_KEEPALIVE_S),
        # The token is the only thing that speaks for us.
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={hdrs.USER_AGENT: options.user_agent, hdrs.ACCEPT: "application/json"},
        # Not trust_env: with it aiohttp looks into ~/.netrc at each request, in the default pool, and fails where that
        # file has an entry for our host, since we send Authorization ourselves.
        trust_env=False,
        proxy=_proxy_for(URL(options.url)),
        response_class=OnceOnly,
    )


def _proxy_for(url: URL) -> str | None:
    """The proxy that the environment names for that address (https_proxy, no_proxy, …)."""
    if url.host is None or urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get(url.scheme)
