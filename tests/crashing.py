"""The crash test: what it consists of, what it prints."""

import math
import random
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from exporter.clock import SystemClock
from tests.deaths import Deaths
from tests.processes import EXPORTER, answers, process
from tests.readers import prometheus, read_throughout, steady_port
from tests.recorded import BUSY, RECEIVED, SENT, Scrapes
from tests.running import Provider

__all__ = ["Plan", "crash"]

LONG_CHUNK_STEPS = 288
"""How many of the finest chunks one of `-30days` holds."""

_CLOCK = SystemClock()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`kills`: how many before and after the daemon is dead for `dead_steps` buckets and, if there is a third number,
    after the provider has refused everything for `refused_steps`. `lasts_s`: about how long all of it takes.
    """

    seed: int
    step_s: float
    kills: tuple[int, ...]
    dead_steps: int
    refused_steps: int = 0
    lasts_s: float
    vms: int = 50


async def crash(plan: Plan, folder: Path) -> tuple[str, list[str]]:
    """Let all of it happen; the totals as a table, and what was wrong, a line each."""
    await _room_before_a_long_chunk_ends(LONG_CHUNK_STEPS * plan.step_s, plan.lasts_s)
    api, target, begun_at = f"127.0.0.1:{steady_port()}", f"127.0.0.1:{steady_port()}", _CLOCK.wall_s()
    simulate = ("simulate", "--listen-address", api, "--vms", str(plan.vms), "--step", f"{plan.step_s:g}s")
    scrapes = Scrapes(plan.step_s)
    async with (
        process(EXPORTER, *simulate) as provider,
        aiohttp.ClientSession() as session,
        prometheus(folder, target) as server,
        read_throughout(target, scrapes),
    ):
        await answers(f"http://{api}/", alive=[provider])
        deaths = Deaths(
            simulated=Provider(f"http://{api}", session),
            server=server,
            scrapes=scrapes,
            variables=_variables(api, target, folder),
            chance=random.Random(plan.seed),  # noqa: S311 - the same deaths each time
            begun_at=begun_at,
        )
        before, between, *after = plan.kills
        await deaths.begin()
        await deaths.die(before)
        await deaths.stay_dead(plan.dead_steps)
        await deaths.die(between)
        for kills in after:
            await deaths.be_refused(plan.refused_steps)
            await deaths.die(kills)
        await deaths.end()
        return await _table(plan, deaths), scrapes.wrong


async def _room_before_a_long_chunk_ends(chunk_s: float, needed_s: float) -> None:
    """A chunk of `-30days` in which a series began is shared out by time, an estimate: here none shall end."""
    left_s = chunk_s - _CLOCK.wall_s() % chunk_s
    if left_s < needed_s:
        await _CLOCK.sleep(left_s)


def _variables(api: str, target: str, folder: Path) -> dict[str, str]:
    variables = {
        "ACCOUNTS__0__ID": "17893",
        "ACCOUNTS__0__NAME": "production",
        "ACCOUNTS__0__API_KEY": "demo-key",
        "API__URL": f"http://{api}",
        "API__TIMEOUT": "1s",
        "COLLECT__INVENTORY__INTERVAL": "500ms",
        "COLLECT__CPU__INTERVAL": "300ms",
        "COLLECT__TRAFFIC__INTERVAL": "300ms",
        "STATE__PATH": str(folder / "state.db"),
        "WEB__LISTEN_ADDRESS": target,
    }
    return {f"GIGAS_EXPORTER_{name}": value for name, value in variables.items()}


async def _table(plan: Plan, deaths: Deaths) -> str:
    """What was counted beside what was true, by us and by Prometheus, with `increase()` over an hour and the run."""
    scrapes, truth, lasted_s = deaths.scrapes, await deaths.truth(), _CLOCK.wall_s() - deaths.begun_at
    lines = [
        f"seed {plan.seed}; {plan.vms} VMs; buckets of {plan.step_s:g} s; {lasted_s:.0f} s; {deaths.kills} SIGKILLs",
        f"{scrapes.read} scrapes, {scrapes.incomplete} lacked a series of before; {scrapes.refused} unanswered",
        f"{len(scrapes.history)} series; seconds lost: {scrapes.lost_s}",
        f"{'':16}{'truth':>18}{'counted':>18}{'difference':>14}{'Prometheus':>18}{'increase[1h]':>26}{'[the run]':>26}",
    ]
    for name, family in (("bytes received", RECEIVED), ("bytes sent", SENT), ("CPU busy s", BUSY)):
        first, newest = scrapes.first(family), scrapes.newest(family)
        true = math.fsum(truth.between(each, first[each].until_at, newest[each].until_at) for each in first)
        counted, told = (
            math.fsum(growth.values()) for growth in (scrapes.growth(family), await deaths.server.growth(family))
        )
        increases = [await deaths.server.increase(family, over) for over in ("1h", f"{lasted_s:.0f}s")]
        ratios = "".join(f"{by:18.3f} x{by / true:.4f}" for by in increases)
        lines.append(f"{name:16}{true:18.3f}{counted:18.3f}{counted - true:14.6f}{told:18.3f}{ratios}")
    outside = scrapes.differences(truth, {each: at for each, at in deaths.since.items() if each.family == BUSY})
    lines.append(
        f"CPU since the last outage: {math.fsum(outside.values()):.6f} s too much; {len(scrapes.torn)} series unseen "
        "for most of a window"
    )
    return "\n".join(lines)
