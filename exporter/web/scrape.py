"""A scrape: format, encoding and part of the page as asked, written from blocks that are ready."""

import asyncio
import contextlib
import io
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping

from aiohttp import web
from multidict import MultiMapping

from exporter.clock import Clock, Stint
from exporter.fleet import Fleet
from exporter.metrics import COLLECTORS, Exposition, Page, Selection

__all__ = ["WRITE_BYTES", "Scrape", "accepts_gzip", "pieces", "prefers_openmetrics"]

WRITE_BYTES = 896 * 1024
"""A write returns at once while the socket has room. With an eighth more a page took a fifth longer: what
is written, copied and read must fit the processor's cache together.
"""

_SENT_BYTES = 18 * 2**20
"""The kernel is given so much of a file at a time, half a page of 10 000 VMs: 3 ms, less where the reader is slower.
Each further time costs a tenth of a millisecond.
"""

_UNPACED = b"reno"
"""The congestion control for readers on this machine, on the way to whom nothing can be congested. BBR, the default of
some systems, paces by timers what goes there, too: 35 MB took 15 ms instead of 4.
"""


class Scrape:
    """The handler of the telemetry path."""

    def __init__(self, *, page: Page, fleet: Fleet, clock: Clock) -> None:
        self._page = page
        self._fleet = fleet
        self._clock = clock

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        try:
            selection = self._selection(request.query)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        openmetrics = prefers_openmetrics(_header(request, "Accept"))
        compressed = accepts_gzip(_header(request, "Accept-Encoding"))
        stint = Stint(self._clock)
        exposition = await self._page.exposition(selection, openmetrics=openmetrics, compressed=compressed)
        headers = {"Content-Type": exposition.content_type, "Vary": "Accept, Accept-Encoding"}
        await stint.part_done()
        blocks = await exposition.gzip_blocks(stint) if compressed else None
        if blocks is not None:
            headers["Content-Encoding"] = "gzip"
        response = web.StreamResponse(headers=headers)
        response.content_length = exposition.plain_bytes if blocks is None else sum(map(len, blocks))
        with contextlib.suppress(ConnectionError):  # Whoever asked went away: nothing that our log should tell of.
            await response.prepare(request)
            if request.method != "HEAD" and request.transport is not None:
                _let_unpaced(request.transport)
                if blocks is None:
                    blocks = await _left_to_write(exposition, request.transport, stint)
                for piece in pieces(blocks):
                    await response.write(piece)
                    await stint.part_done()
            await response.write_eof()
        return response

    def _selection(self, query: MultiMapping[str]) -> Selection:
        """What `account`, `collect[]` and `exclude[]` choose, as node_exporter's users expect. Raises ValueError."""
        accounts = frozenset(query.getall("account", ()))
        collect, exclude = frozenset(query.getall("collect[]", ())), frozenset(query.getall("exclude[]", ()))
        if collect and exclude:
            raise ValueError("collect[] and exclude[] cannot be combined")
        for unknown in sorted(accounts - {account.name for account in self._fleet.accounts()}):
            raise ValueError(f"unknown account {unknown!r}")
        for unknown in sorted((collect | exclude) - set(COLLECTORS)):
            raise ValueError(f"unknown collector {unknown!r}; known are {', '.join(COLLECTORS)}")
        collectors = frozenset(COLLECTORS) - exclude if exclude else collect or None
        return Selection(accounts or None, collectors)


async def _left_to_write(exposition: Exposition, transport: asyncio.Transport, stint: Stint) -> tuple[bytes, ...]:
    """What of a plain page is to be written once the kernel has sent what is in a file: all, where there can be no such
    file, or none can be sent over that connection. Raises ConnectionError.
    """
    page = exposition.file
    if page is None:
        return exposition.blocks
    try:
        file = await page.opened()
    except OSError:
        return exposition.blocks
    loop, start = asyncio.get_running_loop(), 0
    while start < page.size_bytes:
        count = min(_SENT_BYTES, page.size_bytes - start)
        sent = _sent_at_once(transport, file, start, count)
        if not sent:
            try:
                sent = await loop.sendfile(transport, file, start, count, fallback=False)
            except RuntimeError as error:  # It cannot be sent so.
                if start == 0:
                    return exposition.blocks
                raise ConnectionError(str(error)) from error
            except OSError as error:
                raise ConnectionError(error.strerror) from error
        start += sent
        if start < page.size_bytes:  # Else the few bytes that end the page, which its reader waits for, come first.
            await stint.part_done()
    return exposition.rendered


def _let_unpaced(transport: asyncio.Transport) -> None:
    here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if sys.platform == "linux" and here and there and here[0] == there[0]:
        with contextlib.suppress(OSError):  # It is gone, or the system does not have that: it goes as it may.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _UNPACED)


def _sent_at_once(transport: asyncio.Transport, file: io.FileIO, start: int, count: int) -> int:
    """How much of the file the kernel has sent without waiting: to a reader who keeps pace, all. `loop.sendfile` takes
    a quarter of a millisecond longer for the same; what goes wrong it finds, too, and tells.
    """
    if transport.get_write_buffer_size() or transport.get_extra_info("sslcontext"):
        return 0
    with contextlib.suppress(OSError):
        return os.sendfile(transport.get_extra_info("socket").fileno(), file.fileno(), start, count)
    return 0


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics 1.0 at least as much as for text 0.0.4.

    >>> prefers_openmetrics("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2")
    True
    >>> prefers_openmetrics("*/*")
    False
    """
    wanted, plain = 0.0, 0.0
    for media, parameters, quality in _choices(accept):
        version = parameters.get("version")
        if media == "application/openmetrics-text" and version in {None, "1.0.0"}:
            wanted = max(wanted, quality)
        elif media in {"text/plain", "text/*", "*/*"} and version in {None, "0.0.4"}:
            plain = max(plain, quality)
    return wanted > 0 and wanted >= plain


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip.

    >>> [accepts_gzip(header) for header in ("gzip", "br, gzip;q=0.5", "gzip;q=0", "")]
    [True, True, False, False]
    """
    return any(coding == "gzip" and quality > 0 for coding, _, quality in _choices(accept_encoding))


def _header(request: web.Request, name: str) -> str:
    """A header that may be spread over several lines (RFC 9110, section 5.3)."""
    return ",".join(request.headers.getall(name, ()))


def _choices(header: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """The choices of an Accept… header: name, parameters, quality (RFC 9110, section 12.5)."""
    for choice in header.lower().split(","):
        name, *rest = (part.strip() for part in choice.split(";"))
        parameters = {key.strip(): value.strip(' "') for key, _, value in (part.partition("=") for part in rest)}
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        yield name, parameters, quality


def pieces(blocks: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """The blocks in writes of a size: neither one for each small block nor one for the whole page. What is small is
    put together; what is large is not copied.
    """
    gathered: list[bytes] = []
    size = 0
    for block in blocks:
        if len(block) > WRITE_BYTES:
            if gathered:
                yield b"".join(gathered)
            gathered, size = [], 0
            whole = memoryview(block)
            yield from (whole[start : start + WRITE_BYTES] for start in range(0, len(block), WRITE_BYTES))
            continue
        gathered.append(block)
        size += len(block)
        if size >= WRITE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
