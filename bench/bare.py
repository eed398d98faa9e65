"""The bare parts together, with nothing of ours: `python -m bench.bare --provider URL --vms N --step S --page FILE`.

One loop of aiohttp polls each VM's two endpoints once per step and decodes what comes, as much of it at a time as the
daemon does, and serves the daemon's page, plain and compressed, from memory. It keeps nothing and renders nothing.
Prints its address, then, at SIGUSR1, the CPU seconds that it has used and, with `--ticking`, for how long the loop was
held.
"""

import argparse
import asyncio
import gzip
import json
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

from bench.polling import WORKERS, Poll, bare_poll
from bench.ticker import Ticker
from exporter.schedule.pace import together_s
from exporter.web.scrape import WRITE_BYTES

__all__ = ["in_pieces"]

_SHARE = 0.44
"""Of a step in which polls are due: that of the daemon's default pace."""


async def _poll_evenly(poll: Poll, vms: int, step_s: int) -> None:
    """Each VM and endpoint at a phase of its own, step by step; together, where the daemon's looks are."""
    chance = random.Random(1)
    due_s = sorted((chance.uniform(0, _SHARE * step_s), number) for number in range(2 * vms))
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        while True:
            await poll(await queue.get())

    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
        while True:
            began_s = loop.time()
            for at_s, number in due_s:
                if (ahead_s := began_s + at_s - loop.time()) > 0:
                    await asyncio.sleep(max(ahead_s, together_s(step_s)))
                queue.put_nowait(number)
            await asyncio.sleep(began_s + step_s - loop.time())


async def in_pieces(request: web.Request, body: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
    """Answer with what is in memory, in writes of the daemon's size."""
    response = web.StreamResponse(headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    whole = memoryview(body)
    for start in range(0, len(body), WRITE_BYTES):
        await response.write(whole[start : start + WRITE_BYTES])
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _served(page: bytes) -> web.Application:
    compressed = gzip.compress(page, 1)

    async def metrics(request: web.Request) -> web.StreamResponse:
        body, headers = page, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = compressed, "gzip"
        return await in_pieces(request, body, headers)

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    return application


async def main(provider: str, vms: int, step_s: int, page: bytes, *, ticking: bool) -> None:
    """Work until ended."""
    ticker = Ticker()

    def tell() -> None:
        print(json.dumps({"cpu_s": time.process_time(), "held_ms": ticker.take()}), flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    runner = web.AppRunner(_served(page), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        if ticking:
            group.create_task(ticker.run())
        group.create_task(_poll_evenly(bare_poll(provider, session, vms=vms, decoding=True), vms, step_s))
        print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)


if __name__ == "__main__":
    _arguments = argparse.ArgumentParser()
    _arguments.add_argument("--provider", required=True)
    _arguments.add_argument("--vms", type=int, required=True)
    _arguments.add_argument("--step", type=int, required=True)
    _arguments.add_argument("--page", type=Path, required=True)
    _arguments.add_argument("--ticking", action="store_true")
    _told = _arguments.parse_args()
    asyncio.run(main(_told.provider, _told.vms, _told.step, _told.page.read_bytes(), ticking=_told.ticking))
