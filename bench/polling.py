"""How many polls a second, against a bare aiohttp loop that fetches the same documents."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from bench.figures import row, spread
from bench.static import VM
from exporter.clock import SystemClock
from exporter.collectors import VM_COLLECTORS, Options
from exporter.fleet import Machine
from exporter.gigas import AccountClient, ApiKey, ClientOptions, open_session
from exporter.settings import SecretText

ROUNDS = 5
REQUESTS = 2_000
WORKERS = 32


@asynccontextmanager
async def static_provider() -> AsyncIterator[str]:
    """The server of `bench.static` as a process of its own."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.static", "20", stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        yield f"http://127.0.0.1:{json.loads(await running.stdout.readline())['port']}"
    finally:
        running.terminate()
        await running.wait()


async def _rate(poll: Callable[[int], Awaitable[None]]) -> float:
    """Polls a second, by so many workers."""
    waiting = iter(range(REQUESTS))

    async def work() -> None:
        for number in waiting:
            await poll(number)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    return REQUESTS / (time.perf_counter() - started)


async def measure() -> None:
    """Bare loop and our collectors in turn."""
    async with static_provider() as url:
        options = ClientOptions(url=url, user_agent="bench", max_concurrency=WORKERS)
        async with open_session(options) as session, aiohttp.ClientSession() as bare_session:
            client = AccountClient(
                account="bench",
                account_id="17893",
                credentials=ApiKey(SecretText("key")),
                options=options,
                session=session,
                clock=SystemClock(),
                random=random.Random(1),
                on_event=lambda _: None,
            )
            machine = Machine(vm_id=VM, label="web-1", hostname="web-1", status="online")
            looks = [make(Options()) for make in VM_COLLECTORS.values()]
            base = f"{url}/account/17893/virtual_machine/{VM}"
            paths = [f"{base}/{name}?period=-1H" for name in ("cpu_stats", "bw_stats")]

            async def ours(number: int) -> None:
                await looks[number % 2].look(client, machine, width_hint_s=300.0)

            async def bare(number: int) -> None:
                async with bare_session.get(paths[number % 2]) as response:
                    assert response.status == 200
                    await response.read()

            await _rate(bare)
            await _rate(ours)
            pairs = [(await _rate(bare), await _rate(ours)) for _ in range(ROUNDS)]
    row("polls/s, bare aiohttp loop (body only)", spread([b for b, _ in pairs], ".0f"))
    row("polls/s, client + documents + collectors", spread([o for _, o in pairs], ".0f"))
    row("ratio to the bare loop", spread([o / b for b, o in pairs]))
