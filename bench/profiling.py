"""Where a poll spends its time: `python -m bench.profiling` prints time by library beside that of a bare loop, then
functions by own time.

A profile weighs small Python functions too heavily: it tells where to look, `bench.polling` what was gained.
"""

import asyncio
import cProfile
import pstats
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import row
from bench.polling import STEP_S, VMS, WORKERS, Measured, Poll, bare_poll, our_poll
from bench.processes import provider
from exporter.gigas import ClientOptions, open_session

_POLLS = 10_000
_SHOWN = 25


async def _profiled() -> tuple[pstats.Stats, pstats.Stats]:
    """Of our polls and of the bare ones."""
    async with provider(vms=VMS, step_s=STEP_S) as asked, aiohttp.ClientSession() as bare:
        options = ClientOptions(url=asked.url, user_agent="bench", max_concurrency=WORKERS)
        async with open_session(options) as session:
            ours = await _profile_of(our_poll(session, options))
        return ours, await _profile_of(bare_poll(asked.url, bare, decoding=True))


async def _profile_of(poll: Poll) -> pstats.Stats:
    await Measured().round(poll, _POLLS // 10)
    with cProfile.Profile() as profile:
        await Measured().round(poll, _POLLS)
    return pstats.Stats(profile, stream=sys.stdout)


def _library(file: str, function: str) -> str:
    """Whose function it is: a room of ours, a package, or a module of Python's; waiting for the network by itself."""
    if file == "~":
        return "waiting" if "epoll" in function else "built in (C)"
    parts = Path(file).with_suffix("").parts
    for root, depth in (("exporter", 2), ("site-packages", 1)):
        if root in parts:
            start = parts.index(root) + (root == "site-packages")
            return "/".join(parts[start : start + depth])
    return "/".join(parts[-2:-1])


def _own_us(stats: pstats.Stats) -> Counter[str]:
    """Microseconds a poll by library."""
    told: dict[tuple[str, int, str], tuple[Any, ...]] = stats.stats  # type: ignore[attr-defined]
    own: Counter[str] = Counter()
    for (file, _, function), (_, _, own_s, *_) in told.items():
        own[_library(file, function)] += 1e6 * own_s / _POLLS
    return own


def main() -> None:
    """Print the libraries of both side by side, and our functions."""
    stats, bare = asyncio.run(_profiled())
    ours_us, bare_us = _own_us(stats), _own_us(bare)
    row("whose function, us a poll", "ours", "bare, decoded", "more")
    row("---", "---", "---", "---")
    for name, us in ours_us.most_common(14):
        row(name, f"{us:.0f}", f"{bare_us[name]:.0f}", f"{us - bare_us[name]:.0f}")
    stats.sort_stats("tottime").print_stats(_SHOWN)


if __name__ == "__main__":
    main()
