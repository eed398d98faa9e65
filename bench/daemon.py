"""The daemon as a process that tells what it uses: `python -m bench.daemon`, configured by the environment.

Prints a line of JSON when it listens, and one at each SIGUSR1. With `--ticking` a ticker runs in its loop.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# It comes with a tool that checks the sources, and structlog would load it: 4 MB that no operator has.
sys.modules["rich"] = None  # type: ignore[assignment]

from bench.ticker import Ticker  # noqa: E402 - see above; and those below
from exporter.cli.process import serve  # noqa: E402
from exporter.settings import load  # noqa: E402

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class _Meter:
    """What this process has used so far."""

    def __init__(self) -> None:
        self._ticker = Ticker()
        self._empty_ms: list[tuple[float, float]] = []
        self._begun_cpu_s = self._calibrated_ticks = 0.0
        self._collections_ms: list[float] = []
        self._collecting_since_s = 0.0

    async def calibrate(self) -> None:
        self._empty_ms = await self._ticker.calibrate()
        self._calibrated_ticks = self._ticker.ticks
        self._begun_cpu_s = time.process_time()

    async def tick(self) -> None:
        await self._ticker.run()

    def collected(self, phase: str, _: Mapping[str, int]) -> None:
        """A callback of the garbage collector: while it works, nothing else does."""
        if phase == "start":
            self._collecting_since_s = time.perf_counter()
        else:
            self._collections_ms.append(1000 * (time.perf_counter() - self._collecting_since_s))

    def listening(self, urls: Sequence[str]) -> None:
        print(json.dumps({"url": urls[0]}), flush=True)

    def tell(self) -> None:
        """CPU seconds since the start (of the measured part) without the ticker's own, bytes, and the loop's holds."""
        ticking_s = self._ticker.cost_s * (self._ticker.ticks - self._calibrated_ticks)
        report = {
            "at_s": time.monotonic(),
            "cpu_s": time.process_time() - self._begun_cpu_s - ticking_s,
            "ticking_s": ticking_s,
            "threads_s": _threads_s(),
            "rss_bytes": _status_kib("VmRSS") * 1024,
            "peak_bytes": _status_kib("VmHWM") * 1024,
            "held_ms": [(round(held, 3), round(at_work, 3)) for held, at_work in self._ticker.take()],
            "empty_ms": self._empty_ms,
            "collections_ms": [round(each, 3) for each in self._collections_ms],
        }
        self._collections_ms.clear()
        print(json.dumps(report), flush=True)


def _threads_s() -> dict[str, float]:
    """CPU seconds of each thread. Those that came and went, or have no name of Python's, are not in it."""
    used = {}
    for thread in threading.enumerate():
        # After the name, which is in brackets and may hold spaces: 12 fields, then user and system time (proc(5)).
        fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
        used[thread.name] = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return used


def _status_kib(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


async def main(*, ticking: bool) -> None:
    """Run as `gigas-exporter run` does."""
    meter = _Meter()
    if ticking:
        await meter.calibrate()
        gc.callbacks.append(meter.collected)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, meter.tell)
    settings = load(flags={}, environ=os.environ, file=None)
    async with asyncio.TaskGroup() as group:
        tick = group.create_task(meter.tick()) if ticking else None
        await serve(settings, reread=lambda: settings, on_listening=meter.listening)
        if tick is not None:
            tick.cancel()


if __name__ == "__main__":
    asyncio.run(main(ticking="--ticking" in sys.argv))
