"""One request on the wire and its whole answer, within the limits of time and size."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from exporter.clock import Clock
from exporter.gigas.deadlines import Deadlines
from exporter.gigas.errors import BodyTooLarge, GigasError
from exporter.gigas.once import Ended
from exporter.gigas.options import ClientOptions
from exporter.gigas.requests import Get, Request
from exporter.gigas.translation import translate

__all__ = ["Exchange", "Transport"]

_CONNECT_S = 5.0
"""A connection that takes longer will not come. Half of a shorter timeout, so that an error tells the two apart."""
_SUCCESS = range(200, 300)


@dataclass(slots=True)
class Exchange:
    """An answer. `body` is empty unless the status says success: what an error page says may hold anything."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
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
        self._headers = _showing(None)
        self._clock = clock
        self._largest_bytes = options.max_body_bytes
        self._deadlines = Deadlines(options.timeout_s)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(_CONNECT_S, options.timeout_s / 2))

    async def send(self, request: Request, authorization: str | None) -> Exchange:
        """Raise ConnectionFailed, TimedOut or InvalidAnswer where there is no whole answer."""
        sent_seen_at = self._clock.wall_s()
        try:
            with self._deadlines.one():
                response = await self._opened(request, authorization)
                received_seen_at = self._clock.wall_s()
                content = response.content
                try:
                    if response.status not in _SUCCESS:
                        body = b""
                    elif content.is_eof():  # Most come whole, with their headers: waiting takes a twentieth of a poll.
                        body = content.read_nowait()
                    else:
                        body = await self._waited_for(content)
                finally:
                    if not response.closed:  # It is where it has ended. `async with` costs a tenth of a poll.
                        response.release()
                if len(body) > self._largest_bytes:
                    raise BodyTooLarge(self._account, request.endpoint, f"more than {self._largest_bytes} bytes")
                return Exchange(response.status, response.headers, body, sent_seen_at, received_seen_at)
        except Ended as ended:
            failure = self._failure(request, ended.error)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # Running out of time is an OSError, too.
            failure = self._failure(request, error)
        raise failure

    def _failure(self, request: Request, error: Exception) -> GigasError:
        failure = translate(error, account=self._account, endpoint=request.endpoint)
        # An error about an answer holds the request with its Authorization, one about a text holds that: they go no
        # further.
        failure.__cause__ = None if isinstance(error, aiohttp.ClientResponseError | UnicodeError) else error
        return failure

    def _opened(self, request: Request, authorization: str | None) -> Awaitable[aiohttp.ClientResponse]:
        headers = self._headers
        if headers.get(hdrs.AUTHORIZATION) != authorization:
            headers = self._headers = _showing(authorization)
        # A redirect is followed, or not, by who knows what may go where.
        if isinstance(request, Get):
            return self._session.get(request.url, headers=headers, allow_redirects=False, timeout=self._timeout)
        return self._session.post(
            request.url,
            headers=headers,
            data=request.form,
            json=request.json,
            allow_redirects=False,
            timeout=self._timeout,
        )

    async def _waited_for(self, content: aiohttp.StreamReader) -> bytes:
        """Read chunk by chunk, up to the ceiling: it holds for what a small compressed answer becomes, too."""
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > self._largest_bytes:
                break
        return bytes(body)


def _showing(authorization: str | None) -> CIMultiDict[str]:
    """In the form in which aiohttp takes headers over as they are: it makes that of a dict at each request."""
    return CIMultiDict() if authorization is None else CIMultiDict({hdrs.AUTHORIZATION: authorization})
