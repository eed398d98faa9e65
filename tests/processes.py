"""Real processes: the exporter itself, Prometheus and Alertmanager, each started for a test and ended with it."""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.waiting import eventually

__all__ = ["Process", "answers", "exporter", "finished", "free_port", "get", "process"]

_STATE = tempfile.TemporaryDirectory(prefix="gigas-exporter-")
EXPORTER = Path(sys.executable).with_name("gigas-exporter")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Process:
    """A running program and what it has written so far."""

    running: asyncio.subprocess.Process
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)

    def log(self) -> str:
        return self.errors.decode(errors="replace")

    def signal(self, number: int) -> None:
        self.running.send_signal(number)

    async def ended(self, *, within_s: float = 10.0) -> int:
        async with asyncio.timeout(within_s):
            return await self.running.wait()


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process: this one's without anything that would configure the exporter, and with a place of
    its own for what it remembers.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIGAS_EXPORTER_")}
    kept |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    return kept | {"XDG_STATE_HOME": tempfile.mkdtemp(dir=_STATE.name)} | variables


@contextlib.asynccontextmanager
async def process(*command: str | Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """A program that is ended with the block, if need be by force."""
    running = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment() if env is None else dict(env),
    )
    started = Process(running)
    async with asyncio.TaskGroup() as group:
        for stream, into in ((running.stdout, started.output), (running.stderr, started.errors)):
            assert stream is not None
            group.create_task(_drain(stream, into))
        try:
            yield started
        finally:
            if running.returncode is None:
                running.terminate()
                try:
                    async with asyncio.timeout(10):
                        await running.wait()
                except TimeoutError:
                    running.kill()
                    await running.wait()


async def _drain(stream: asyncio.StreamReader, into: bytearray) -> None:
    while chunk := await stream.read(65_536):
        into += chunk


def exporter(*arguments: str | Path, **variables: str) -> contextlib.AbstractAsyncContextManager[Process]:
    """`gigas-exporter` with these arguments and environment variables."""
    return process(EXPORTER, *arguments, env=environment(**variables))


async def finished(*arguments: str | Path, **variables: str) -> tuple[int, str, str]:
    """`gigas-exporter`, run to its end: exit code, standard output, standard error."""
    async with exporter(*arguments, **variables) as run:
        code = await run.ended(within_s=30)
    return code, run.output.decode(), run.log()


async def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and text of a GET."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def answers(url: str, *, within_s: float = 20.0, alive: Sequence[Process] = ()) -> str:
    """The text at an address as soon as it answers 200, as long as these processes live."""

    async def ok() -> tuple[int, str] | None:
        for each in alive:
            if each.running.returncode is not None:
                raise RuntimeError(f"ended with {each.running.returncode}: {each.log()}")
        try:
            status, text = await get(url)
        except aiohttp.ClientError as error:
            raise AssertionError(str(error)) from error
        assert status == 200, f"{status}: {text}"
        return status, text

    found = await eventually(ok, within_s=within_s)
    assert found is not None
    return found[1]
