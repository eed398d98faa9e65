"""A provider that answers at once: `python -m bench.provider --vms N --step SECONDS`; prints its address.

A bare protocol instead of a web framework: it serves some 10 000 requests a second, so that the one who asks is what is
measured. It knows only what the exporter asks for, and notes when it was asked: `/asked` tells.
"""

import argparse
import asyncio
import email.utils
import json
import time
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from bench import truth
from bench.documents import bw_stats, cpu_stats, machine

_END = b"\r\n\r\n"
_STATS = {"cpu_stats": cpu_stats, "bw_stats": bw_stats}
_PER_PAGE = 500


class _Provider:
    """The answers, and when they were asked for: UNIX seconds, endpoint, period, number of the VM."""

    def __init__(self, vms: int, step_s: int) -> None:
        self._step_s = step_s
        self._machines = [machine(number) for number in range(vms)]
        self._asked: list[tuple[float, str, str, int]] = []

    def answer(self, target: str) -> bytes:
        words, query = _parsed(target)
        now_s = time.time()
        if words == ["", "asked"]:
            return _written(now_s, json.dumps(self._asked).encode())
        if words[:3] != ["", "account", truth.ACCOUNT]:
            return _written(now_s, b"{}", status="404 Not Found")
        if words[3:] == ["virtual_machines"]:
            self._asked.append((now_s, words[3], "", 0))
            return self._listed(query, now_s)
        _, _, _, _, vm, endpoint = words
        number, period = truth.number_of(vm), query["period"][0]
        self._asked.append((now_s, endpoint, period, number))
        return _written(now_s, _STATS[endpoint](number, period, now_s, self._step_s))

    def _listed(self, query: dict[str, list[str]], now_s: float) -> bytes:
        total = len(self._machines)
        limit = min(int(query.get("limit", [str(total)])[0]), _PER_PAGE)
        offset = int(query.get("offset", ["0"])[0])
        paging = (
            f"X-Page: {offset // limit + 1}\r\nX-Per-Page: {limit}\r\n"
            f"X-Total: {total}\r\nX-Total-Pages: {-(-total // limit)}\r\n"
        )
        return _written(now_s, b"[" + b",".join(self._machines[offset : offset + limit]) + b"]", headers=paging)


@lru_cache(4_096)
def _parsed(target: str) -> tuple[list[str], dict[str, list[str]]]:
    parts = urlsplit(target)
    return parts.path.split("/"), parse_qs(parts.query)


@lru_cache(1)
def _date(at_s: int) -> str:
    return email.utils.formatdate(at_s, usegmt=True)


def _written(now_s: float, body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nDate: {_date(int(now_s))}\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """GET after GET on one connection."""

    def __init__(self, provider: _Provider) -> None:
        self._provider = provider
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            target = self._received[:end].split(b" ", 2)[1].decode()
            self._received = self._received[end + len(_END) :]
            self._transport.write(self._provider.answer(target))


async def main(vms: int, step_s: int) -> None:
    """Serve until ended."""
    provider = _Provider(vms, step_s)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(provider), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _arguments = argparse.ArgumentParser()
    _arguments.add_argument("--vms", type=int, required=True)
    _arguments.add_argument("--step", type=int, required=True)
    _told = _arguments.parse_args()
    asyncio.run(main(_told.vms, _told.step))
