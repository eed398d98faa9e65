"""One request on the wire and its whole answer, within the limits of time and size."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from exporter.clock import Clock
from exporter.gigas.errors import BodyTooLarge
from exporter.gigas.options import ClientOptions
from exporter.gigas.requests import Get, Login, Request
from exporter.gigas.translation import translate

__all__ = ["Exchange", "Transport"]

_CONNECT_S = 5.0
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer. `body` is empty unless the status says success: what an error page says may hold anything."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    sent_seen_at: float
    received_seen_at: float

    @property
    def succeeded(self) -> bool:
        return self.status in _SUCCESS


class Transport:
    """Sends for one account."""

    def __init__(self, *, account: str, options: ClientOptions, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._account = account
        self._session = session
        self._clock = clock
        self._largest_bytes = options.max_body_bytes
        self._timeout = aiohttp.ClientTimeout(
            total=options.timeout_s,
            sock_connect=min(_CONNECT_S, options.timeout_s),
            sock_read=options.timeout_s,
        )

    async def send(self, request: Request, authorization: str | None) -> Exchange:
        """Raise ConnectionFailed, TimedOut or InvalidAnswer where there is no whole answer."""
        sent_seen_at = self._clock.wall_s()
        try:
            async with self._opened(request, authorization) as response:
                received_seen_at = self._clock.wall_s()
                body = await self._body(request, response) if response.status in _SUCCESS else b""
                return Exchange(response.status, response.headers, body, sent_seen_at, received_seen_at)
        except (aiohttp.ClientError, OSError) as error:  # Running out of time is an OSError, too.
            failure = translate(error, account=self._account, endpoint=request.endpoint)
            # An error of aiohttp's about an answer holds the request, with its Authorization: it goes no further.
            failure.__cause__ = None if isinstance(error, aiohttp.ClientResponseError) else error
        raise failure

    def _opened(self, request: Request, authorization: str | None) -> aiohttp.client._RequestContextManager:
        headers = {} if authorization is None else {"Authorization": authorization}
        # A redirect is followed, or not, by who knows what may go where.
        match request:
            case Get():
                return self._session.get(request.url, headers=headers, allow_redirects=False, timeout=self._timeout)
            case Login():
                return self._session.post(
                    request.url,
                    headers=headers,
                    data=request.form,
                    json=request.json,
                    allow_redirects=False,
                    timeout=self._timeout,
                )

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        """Read chunk by chunk: the ceiling holds for what a small compressed answer becomes, too."""
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._largest_bytes:
                response.close()
                raise BodyTooLarge(self._account, request.endpoint, f"more than {self._largest_bytes} bytes")
        return bytes(body)
