"""What each layer adds to a poll: `python -m bench.layers` prints CPU time with more and more of what a poll does."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
from yarl import URL

from bench import truth
from bench.figures import row, spread
from bench.polling import DOCUMENTS, PATHS, STEP_S, VMS, WORKERS, Measured, Poll, bare_poll, our_client
from bench.processes import provider
from exporter.collectors import SHORTEST, VM_COLLECTORS, Options
from exporter.fleet import Machine
from exporter.gigas import ClientOptions, open_session
from exporter.gigas.answers import read_bw_stats, read_cpu_stats
from exporter.gigas.requests import Get, asking
from exporter.gigas.transport import Exchange

_POLLS = 2 * VMS
_ROUNDS = 5
_READ: tuple[Callable[[bytes], object], ...] = (read_cpu_stats, read_bw_stats)


class _Layers:
    """A client taken apart."""

    def __init__(self, options: ClientOptions, session: aiohttp.ClientSession) -> None:
        self._url = options.url
        self._machines_url = asking(f"{options.url}/account/{truth.ACCOUNT}/virtual_machine", period=SHORTEST)
        self._client = our_client(session, options)
        self._asker = self._client._asker  # Its layers are what is measured.
        self._machines = [
            Machine(vm_id=truth.vm_id(number), label="web", hostname="web", status="online") for number in range(VMS)
        ]
        self._collectors = [VM_COLLECTORS[name](Options()) for name in ("cpu", "traffic")]

    def _get(self, number: int) -> Get:
        return Get.of(self._machines_url, truth.vm_id(number // 2), PATHS[number % 2])

    def _address(self, number: int) -> str:
        path = f"virtual_machine/{truth.vm_id(number // 2)}/{PATHS[number % 2]}"
        return f"{self._url}/account/{truth.ACCOUNT}/{path}?period={SHORTEST}"

    async def _sent(self, request: Get) -> bytes:
        return (await self._asker.transport.send(request, "Bearer key")).body

    def _unquoted(self, number: int) -> Get:
        return Get(PATHS[number % 2], URL(self._address(number), encoded=True))

    async def transport(self, number: int) -> None:
        DOCUMENTS[number % 2].decode(await self._sent(self._unquoted(number)))

    async def documents(self, number: int) -> None:
        assert _READ[number % 2](await self._sent(self._unquoted(number)))

    async def quoting(self, number: int) -> None:
        assert _READ[number % 2](await self._sent(self._get(number)))

    async def asking(self, number: int) -> None:
        async def understand(exchange: Exchange) -> object:
            return _READ[number % 2](exchange.body)

        await self._asker.ask(self._get(number), understand, _authorized)

    async def client(self, number: int) -> None:
        ask: tuple[Callable[[str, str], Awaitable[object]], ...] = (self._client.cpu_stats, self._client.bw_stats)
        await ask[number % 2](truth.vm_id(number // 2), SHORTEST)

    async def collectors(self, number: int) -> None:
        machine = self._machines[number // 2]
        await self._collectors[number % 2].look(self._client, machine, width_hint_s=float(STEP_S))


async def _authorized() -> str:
    return "Bearer key"


async def main() -> None:
    """Print each layer with all that stand above it."""
    async with AsyncExitStack() as stack:
        asked = await stack.enter_async_context(provider(vms=VMS, step_s=STEP_S))
        options = ClientOptions(url=asked.url, user_agent="bench", max_concurrency=WORKERS)
        session = await stack.enter_async_context(open_session(options))
        bare = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": "Bearer key"}))
        layers = _Layers(options, session)
        kinds: dict[str, Poll] = {
            "a bare aiohttp loop, decoded into structs": bare_poll(asked.url, bare, decoding=True),
            "one try, ceilings of time and size": layers.transport,
            "documents as we keep them": layers.documents,
            "addresses made of ids that may hold anything": layers.quoting,
            "a place, a turn, the provider's clock, events": layers.asking,
            "credentials that may change or be refused": layers.client,
            "what is told, in our terms": layers.collectors,
        }
        measured = {name: Measured() for name in kinds}
        for poll in kinds.values():
            await Measured().round(poll, _POLLS)
        for number in range(_ROUNDS):
            turns = list(kinds.items())
            for name, poll in turns[number:] + turns[:number]:
                await measured[name].round(poll, _POLLS)
    row("with all that stands above", "CPU us a poll", "more")
    row("---", "---", "---")
    before_us = 0.0
    for name, each in measured.items():
        us = statistics.median(each.cpu_us)
        row(name, spread(each.cpu_us, ".0f"), f"{us - before_us:.0f}")
        before_us = us


if __name__ == "__main__":
    asyncio.run(main())
