"""How many polls a second, against a bare aiohttp loop that fetches and decodes the same documents."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
from msgspec import Struct
from msgspec.json import Decoder

from bench import truth
from bench.figures import row, spread
from bench.processes import provider
from exporter.clock import SystemClock
from exporter.collectors import VM_COLLECTORS, Options
from exporter.fleet import Machine
from exporter.gigas import AccountClient, ApiKey, ClientOptions, open_session
from exporter.settings import SecretText

__all__ = [
    "DOCUMENTS",
    "FULL",
    "PATHS",
    "SHORT",
    "STEP_S",
    "VMS",
    "WORKERS",
    "Measured",
    "Plan",
    "Poll",
    "bare_poll",
    "measure",
    "our_client",
    "our_poll",
]

WORKERS = 32
VMS = 1_000
"""Enough that no address is known from before: with a few in turn, yarl keeps what it has taken apart."""
STEP_S = 300
PATHS = ("cpu_stats", "bw_stats")

Poll = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    rounds: int
    polls: int


FULL = Plan(rounds=21, polls=3_000)
SHORT = Plan(rounds=5, polls=1_000)


class _CpuStats(Struct, gc=False):
    data: list[float | None]
    time_units: str


class _Bucket(Struct, gc=False):
    traffic_in: float | None
    traffic_out: float | None


class _Interface(Struct, gc=False):
    interface_id: int
    network_id: int
    is_public: bool
    data: dict[int, _Bucket]


class _BwStats(Struct, gc=False):
    date_from: int
    date_to: int
    traffic: list[list[_Interface]]


DOCUMENTS: tuple[Decoder[Struct], ...] = (Decoder(_CpuStats), Decoder(_BwStats))
"""Structs straight from bytes: the fastest decoding that our dependencies offer."""


@dataclass
class Measured:
    """By round: polls a second, and microseconds of this process' CPU time for each."""

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    async def round(self, poll: Poll, polls: int) -> None:
        waiting = iter(range(polls))

        async def work() -> None:
            for number in waiting:
                await poll(number)

        started_s, cpu_s = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
        self.rates.append(polls / (time.perf_counter() - started_s))
        self.cpu_us.append(1e6 * (time.process_time() - cpu_s) / polls)


def bare_poll(url: str, session: aiohttp.ClientSession, *, decoding: bool, vms: int = VMS) -> Poll:
    """The same requests without us."""
    targets = [
        f"{url}/account/{truth.ACCOUNT}/virtual_machine/{truth.vm_id(number // 2)}/{PATHS[number % 2]}?period=-1H"
        for number in range(2 * vms)
    ]

    async def body_only(number: int) -> None:
        async with session.get(targets[number % (2 * vms)]) as response:
            assert response.status == 200
            assert await response.read()

    async def decoded(number: int) -> None:
        async with session.get(targets[number % (2 * vms)]) as response:
            assert response.status == 200
            DOCUMENTS[number % 2].decode(await response.read())

    return decoded if decoding else body_only


def our_client(session: aiohttp.ClientSession, options: ClientOptions) -> AccountClient:
    """The daemon's, of an account that nothing is told of."""
    return AccountClient(
        account="bench",
        account_id=truth.ACCOUNT,
        credentials=ApiKey(SecretText("key")),
        options=options,
        session=session,
        clock=SystemClock(),
        random=random.Random(1),
        on_event=lambda _: None,
    )


def our_poll(session: aiohttp.ClientSession, options: ClientOptions) -> Poll:
    """A poll of each VM and endpoint in turn, as the daemon's rounds make it: client, documents, collectors."""
    client = our_client(session, options)
    machines = [
        Machine(vm_id=truth.vm_id(number), label=f"web-{number}", hostname=f"web-{number}", status="online")
        for number in range(VMS)
    ]
    collectors = [VM_COLLECTORS[name](Options()) for name in ("cpu", "traffic")]

    async def ours(number: int) -> None:
        machine = machines[number % (2 * VMS) // 2]
        await collectors[number % 2].look(client, machine, width_hint_s=float(STEP_S))

    return ours


async def measure(plan: Plan) -> None:
    """The bare loops and our client in turn, round by round."""
    async with AsyncExitStack() as stack:
        asked = await stack.enter_async_context(provider(vms=VMS, step_s=STEP_S))
        options = ClientOptions(url=asked.url, user_agent="bench", max_concurrency=WORKERS)
        session = await stack.enter_async_context(open_session(options))
        bare = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": "Bearer key"}))
        kinds: Mapping[str, Poll] = {
            "a bare aiohttp loop, body only": bare_poll(asked.url, bare, decoding=False),
            "the same, decoded into structs": bare_poll(asked.url, bare, decoding=True),
            "client, documents, collectors": our_poll(session, options),
        }
        measured = {name: Measured() for name in kinds}
        for poll in kinds.values():
            await Measured().round(poll, plan.polls)  # Connections and caches are warm before anything counts.
        for number in range(plan.rounds):
            turns = list(kinds.items())
            for name, poll in turns[number % len(turns) :] + turns[: number % len(turns)]:
                await measured[name].round(poll, plan.polls)
    for name, each in measured.items():
        row(f"polls/s, CPU us a poll: {name}", spread(each.rates, ".0f"), spread(each.cpu_us, ".0f"))
    body, decoded, ours = measured.values()
    row("polls/s, ours to fetch and decode", spread(_ratios(ours.rates, decoded.rates)), "wanted: 0.8 at least")
    row("polls/s, ours to body only", spread(_ratios(ours.rates, body.rates)))
    row("CPU, ours to fetch and decode", spread(_ratios(ours.cpu_us, decoded.cpu_us)))


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Round by round: what disturbs a round disturbs both."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]
